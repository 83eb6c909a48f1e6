import { handler, nodeName, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let a: Node
let b: Node

beforeEach(async () => {
  cluster = new TestCluster()
  a = await cluster.start('a')
  b = await cluster.start('b')
  await cluster.advance(100)
})

afterEach(async () => {
  await cluster.stop()
})

/** What a process that monitors all nodes, and one of the other node, is told. */
function watch(node: Node, other: Node): unknown[] {
  const seen: unknown[] = []
  const far = other.spawn(handler(() => () => undefined))
  node.spawn(
    handler((self) => {
      self.monitorNodes(true)
      self.monitor(far)
      return (message) => void seen.push(message)
    }),
  )
  return seen
}

describe('disconnectNode', () => {
  it('ends the connection: both sides see nodedown with the reason disconnect, after the DOWNs', async () => {
    const [ofA, ofB] = [watch(a, b), watch(b, a)]
    await cluster.advance(10)
    expect(a.disconnectNode(b.name)).toBe(true)
    await cluster.advance(10)
    for (const [seen, other] of [
      [ofA, b],
      [ofB, a],
    ] as const) {
      expect(seen).toMatchObject([
        { type: 'DOWN', reason: 'noconnection' },
        { type: 'nodedown', node: other.name, reason: 'disconnect' },
      ])
    }
  })

  it('is not undone by either side by itself, nor by a third node that knows both, but by connectNode on either', async () => {
    for (const [ender, mender] of [
      [a, a],
      [a, b],
    ] as const) {
      ender.disconnectNode((ender === a ? b : a).name)
      const c = await cluster.start('c')
      await cluster.advance(60_000)
      expect([a.nodes(), b.nodes()]).toEqual([[c.name], [c.name]])
      const connected = mender.connectNode((mender === a ? b : a).name)
      expect(await cluster.run(connected)).toBe(true)
      expect(a.nodes()).toContain(b.name)
      await cluster.run(c.stop())
      await cluster.advance(1_000)
    }
  })

  it('is over when one of the two is started again', async () => {
    a.disconnectNode(b.name)
    await cluster.run(b.stop())
    b = await cluster.start('b')
    await cluster.advance(1_000)
    expect(a.nodes()).toEqual([b.name])
  })

  it('of a node that is not connected says so', () => {
    expect(a.disconnectNode(nodeName('nobody@127.0.0.1'))).toBe(false)
  })

  it('ends no connection that is still being made, and says that there is none, as in Erlang', async () => {
    a.disconnectNode(b.name)
    const connected = a.connectNode(b.name)
    expect(a.disconnectNode(b.name)).toBe(false)
    expect(await cluster.run(connected)).toBe(true)
    expect(a.nodes()).toEqual([b.name])
  })
})

describe('connectNode', () => {
  it('resolves with true if the node is connected already, with false if it is unknown or can not be reached', async () => {
    expect(await cluster.run(a.connectNode(b.name))).toBe(true)
    expect(await cluster.run(a.connectNode(nodeName('nobody@127.0.0.1')))).toBe(false)
    cluster.crash('b')
    await cluster.advance(5_000)
    expect(await cluster.run(a.connectNode(b.name))).toBe(false)
  })

  it('does not wait for ever if its own node is stopped', async () => {
    cluster.crash('b')
    await cluster.advance(5_000)
    const connected = a.connectNode(b.name)
    const stopped = a.stop()
    expect(await cluster.run(connected)).toBe(false)
    await cluster.run(stopped)
  })

  it('what is no name of a node is an error at the caller', () => {
    const bad = expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' })
    expect(() => a.disconnectNode('b' as never)).toThrowError(bad)
    expect(() => a.connectNode(7 as never)).toThrowError(bad)
  })
})
