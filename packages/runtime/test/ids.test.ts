import { inspect } from 'node:util'
import { nodeName, Pid, Ref } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'

const origin = { name: nodeName('a@127.0.0.1'), incarnation: 1_000 }

describe('identities', () => {
  it('are equal if node, incarnation and number are, and equal ones give equal texts', () => {
    const pid = new Pid(origin, 7)
    const same = new Pid({ ...origin }, 7)
    expect(pid.equals(same)).toBe(true)
    expect(String(pid)).toBe(String(same))
    for (const other of [
      new Pid(origin, 8),
      new Pid({ ...origin, incarnation: 2_000 }, 7),
      new Ref(origin, 7),
      'x',
      undefined,
    ]) {
      expect(pid.equals(other)).toBe(false)
      expect(String(pid)).not.toBe(String(other))
    }
  })

  it('are shown as one short text by console.log and in JSON', () => {
    const pid = new Pid(origin, 7)
    expect(inspect({ pid })).toBe(`{ pid: ${String(pid)} }`)
    expect(JSON.stringify({ pid })).toBe(`{"pid":"${String(pid)}"}`)
  })

  it('a node name has the form name@host', () => {
    for (const text of ['chat1', '@host', 'a@', 'a b@host', 'a@b@c', ''])
      expect(() => nodeName(text)).toThrow('name@host')
    expect(nodeName('chat-1@node.example')).toBe('chat-1@node.example')
  })
})
