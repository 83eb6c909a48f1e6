import { handler, Pid, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

describe('sendAll', () => {
  let cluster: TestCluster
  let nodes: Node[]
  let got: Map<string, unknown[]>

  beforeEach(async () => {
    cluster = new TestCluster()
    nodes = []
    got = new Map()
    for (const name of ['a', 'b', 'c']) nodes.push(await cluster.start(name))
    await cluster.advance(100)
  })

  afterEach(async () => {
    await cluster.stop()
  })

  function receivers(count: number): Pid[] {
    return nodes.flatMap((node) =>
      Array.from({ length: count }, () => {
        const pid: Pid = node.spawn(
          handler(() => (message) => void got.set(String(pid), [...(got.get(String(pid)) ?? []), message])),
        )
        return pid
      }),
    )
  }

  it('gives the message to each process, once, wherever it is, after what was sent before and before what is sent after', async () => {
    const pids = receivers(50)
    const [a] = nodes
    for (const pid of pids) a?.send(pid, 'before')
    expect(a?.sendAll(pids, { text: 'to all' })).toBe('ok')
    for (const pid of pids) a?.send(pid, 'after')
    await cluster.advance(10)
    for (const pid of pids) expect(got.get(String(pid))).toEqual(['before', { text: 'to all' }, 'after'])
  })

  it('reaches as many as there are: a signal names 65,536 of them at most', async () => {
    const [a, b] = nodes
    if (a === undefined || b === undefined) throw new Error('not started')
    const real = receivers(1)[1]
    if (real === undefined) throw new Error('no receiver')
    const dead = new Pid(real.origin, 2 ** 31)
    const before = a.counters().signalsSent
    expect(a.sendAll([...Array.from({ length: 65_536 }, () => dead), real], 'to all')).toBe('ok')
    expect(a.counters().signalsSent - before).toBe(2)
    await cluster.advance(10)
    expect([got.get(String(real)), a.nodes().length]).toEqual([['to all'], 2])
  })

  it('is one signal a node, encoded once', async () => {
    let encoded = 0
    const message = {
      get text() {
        encoded++
        return 'x'.repeat(1_000)
      },
    }
    const pids = receivers(1_000)
    await cluster.settle()
    const [a] = nodes
    const before = a?.counters()
    a?.sendAll(pids, message)
    const after = a?.counters()
    expect(encoded).toBe(1)
    expect((after?.signalsSent ?? 0) - (before?.signalsSent ?? 0)).toBe(2)
    // The ids of the processes, and the text once for each of the two.
    expect(after?.bufferedBytes).toBeLessThan(2 * (1_000 * 8 + 1_100))
    await cluster.advance(10)
    expect(got.size).toBe(3_000)
  })

  it('reaches more processes than one signal may name', async () => {
    const pids = receivers(5_000)
    nodes[1]?.sendAll(pids, 'x')
    await cluster.advance(100)
    expect(got.size).toBe(15_000)
    expect(new Set([...got.values()].map((messages) => messages.length))).toEqual(new Set([1]))
  })

  it('passes over the dead, and says noconnection if it cannot reach the node of one', async () => {
    const pids = receivers(1)
    const [a, b, c] = nodes
    const dead = b?.spawn(() => undefined) as Pid
    await cluster.advance(10)
    expect(a?.sendAll([...pids, dead], 1)).toBe('ok')
    await cluster.advance(10)
    cluster.crash('c')
    await cluster.advance(10)
    expect(a?.sendAll([...pids, dead], 2)).toBe('noconnection')
    await cluster.advance(10)
    expect([...got.values()]).toEqual([[1, 2], [1, 2], [1]])
    expect(c?.name).toBe('c@127.0.0.1')
  })

  it('says busy when a connection that it goes over is', async () => {
    const pids = receivers(1)
    expect(nodes[0]?.sendAll(pids, new Uint8Array(2 * 1024 * 1024))).toBe('busy')
  })

  it('what cannot be sent to another node goes to those of this one, also if one of them has ended', async () => {
    const [a] = nodes
    const pids = receivers(1).slice(0, 1)
    const dead = a?.spawn(() => undefined) as Pid
    await cluster.advance(10)
    const message = () => 1
    expect(a?.sendAll([dead, ...pids, dead], message)).toBe('ok')
    await cluster.advance(10)
    expect([...got.values()]).toEqual([[message]])
  })

  it('what cannot be sent to another node reaches nobody, and an empty list nobody at all', async () => {
    const pids = receivers(1)
    const [a] = nodes
    expect(() => a?.sendAll(pids, () => 1)).toThrowError(expect.objectContaining({ code: 'ERR_NOT_SENDABLE' }))
    expect(a?.sendAll([], () => 1)).toBe('ok')
    expect(() => a?.sendAll('all' as never, 1)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    expect(() => a?.sendAll([...pids, 'x' as never], 1)).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
    )
    await cluster.advance(10)
    expect(got.size).toBe(0)
  })
})
