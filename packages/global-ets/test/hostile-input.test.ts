/**
 * What callers, clients behind them and other nodes may hand to the table: an error at the caller at most, and the table lives on.
 */
import { call } from '@pidmesh/gen-server'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Member, idle, join } from './lab.ts'

const SERVER = 'pidmesh_global_ets:default'
const badArgument = expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' })

let cluster: TestCluster
let a: Member
let b: Member

beforeEach(async () => {
  cluster = new TestCluster()
  a = await join(cluster, 'a')
  b = await join(cluster, 'b')
})

afterEach(async () => {
  await cluster.stop()
})

/** No server has crashed, and a name of one node gets to the other. */
async function expectAlive(): Promise<void> {
  await cluster.advance(20)
  expect(cluster.log.lines.filter(({ fields }) => fields['report'] === 'crash')).toEqual([])
  const pid = idle(a)
  expect(a.names.registerName('later', pid)).toBe('yes')
  await cluster.advance(20)
  expect(b.names.whereisName('later')?.equals(pid)).toBe(true)
}

/** A list in a list in a list … */
function nested(levels: number): unknown {
  return levels === 0 ? 1 : [nested(levels - 1)]
}

describe('metadata', () => {
  const unsendable: Record<string, unknown> = {
    'nested 150 levels deep, which are 303 bytes of JSON': { deep: nested(150) },
    'with a key __proto__ out of JSON.parse': JSON.parse('{"a":{"__proto__":1}}'),
    'with a regular expression': { a: /x/ },
    'with an ArrayBuffer': { a: new ArrayBuffer(8) },
    'with a Map of 9 MiB': { a: new Map([['x', 'y'.repeat(9 * 1024 * 1024)]]) },
  }

  it.each(Object.entries(unsendable))('%s is an error at the caller, and the table lives on', async (_what, meta) => {
    expect(() => a.names.registerName('x', idle(a), meta as never)).toThrowError(badArgument)
    expect(a.names.whereisName('x')).toBeUndefined()
    a.names.registerName('y', idle(a))
    expect(() => a.names.setMeta('y', meta as never)).toThrowError(badArgument)
    await expectAlive()
  })
})

describe('names', () => {
  it('with half of a surrogate pair are errors: other nodes would know another name', async () => {
    for (const name of ['user:\ud800', '\udc01', 'a\ud83db']) {
      expect(() => a.names.registerName(name, idle(a))).toThrowError(badArgument)
    }
    const pid = idle(a)
    expect(a.names.registerName('user:😀', pid)).toBe('yes')
    await cluster.advance(20)
    expect(b.names.registeredNames()).toEqual(['user:😀'])
  })

  it('of a process that has ended are free as soon as whereisName says that nobody has them', async () => {
    const pid = idle(a)
    a.names.registerName('x', pid)
    await cluster.settle()
    a.node.exit(pid, 'kill')
    expect(a.names.whereisName('x')).toBeUndefined()
    const next = idle(a)
    expect(a.names.registerName('x', next)).toBe('yes')
    await cluster.advance(20)
    expect(b.names.whereisName('x')?.equals(next)).toBe(true)
  })
})

describe('the table server', () => {
  const garbage: Record<string, unknown> = {
    'a DOWN without a pid': { type: 'DOWN' },
    'a nodeup without a node': { type: 'nodeup' },
    'a timeout without a reference': { type: 'timeout' },
    'a call without a sender': { type: '$gen_call' },
    'a cast': { type: '$gen_cast', request: 1 },
    'the question of a start without an address': { type: '$gen_ready' },
    'an EXIT': { type: 'EXIT' },
    null: null,
  }

  it.each(Object.entries(garbage))('is not ended by %s, from its own node or another', async (_what, message) => {
    for (const { node } of [a, b]) node.send({ name: SERVER, node: a.node.name }, message)
    await expectAlive()
  })

  it('is not ended by a call of one who takes it for another server', async () => {
    const called = call(a.node, SERVER, { type: 'hello?' } as never)
    await expect(cluster.run(called)).rejects.toMatchObject({ code: 'ERR_CALL_TIMEOUT' })
    await expectAlive()
  })

  it('does not believe a DOWN of a living process that it did not ask for', async () => {
    const pid = idle(a)
    a.names.registerName('x', pid)
    await cluster.advance(20)
    const forged = { type: 'DOWN', ref: b.node.self.monitor(b.node.self.pid), pid, reason: 'forged' }
    for (const message of [forged, { type: 'DOWN', pid }]) {
      b.node.send({ name: SERVER, node: a.node.name }, message)
    }
    await cluster.advance(20)
    expect(a.names.whereisName('x')?.equals(pid)).toBe(true)
    await expectAlive()
  })

  it('that is killed is started again, and what other nodes lost meanwhile is not served for ever', async () => {
    const [lost, kept] = [idle(b), idle(b)]
    b.names.registerName('lost', lost)
    b.names.registerName('kept', kept)
    await cluster.advance(20)
    const server = a.node.whereis(SERVER)
    if (server === undefined) throw new Error('there is no server')
    a.node.exit(server, 'kill')
    b.node.exit(lost, 'kill')
    await cluster.advance(10_000)
    expect(a.names.whereisName('lost')).toBeUndefined()
    expect(a.names.whereisName('kept')?.equals(kept)).toBe(true)
    const pid = idle(a)
    expect(a.names.registerName('later', pid)).toBe('yes')
    await cluster.advance(20)
    expect(b.names.whereisName('later')?.equals(pid)).toBe(true)
  })
})

describe('a process that is told of changes', () => {
  it('and registers and unregisters does not gather monitors', async () => {
    const pid = idle(a)
    for (let i = 0; i < 1_000; i++) {
      const { ref } = a.names.watch(pid)
      a.names.registerName('x', pid)
      a.names.unregisterName('x')
      a.names.unwatch(ref)
    }
    await cluster.settle()
    expect(a.node.processInfo(pid)?.monitoredBy).toEqual([])
  })

  it('may not watch more often than 10,000 times', () => {
    const pid = idle(a)
    for (let i = 0; i < 10_000; i++) a.names.watch(pid, { name: 'x' })
    expect(() => a.names.watch(pid, { name: 'x' })).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
  })
})
