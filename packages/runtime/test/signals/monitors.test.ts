import { handler, Pid, type Context, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let near: Node
let far: Node
let watcher: Context
let got: unknown[]
let watched: Context

beforeEach(async () => {
  cluster = new TestCluster({ latencyMs: 10 })
  near = await cluster.start('a')
  far = await cluster.start('b')
  await cluster.advance(200)
  got = []
  watcher = await probe(near, got)
  watched = await probe(far, [])
})

afterEach(async () => {
  await cluster.stop()
})

async function probe(node: Node, messages: unknown[]): Promise<Context> {
  let context: Context | undefined
  node.spawn(
    handler((self) => {
      context = self
      return (message) => void messages.push(message)
    }),
  )
  await cluster.settle()
  if (context === undefined) throw new Error('it has not started')
  return context
}

describe('a monitor of a process on another node', () => {
  it('does not end with what is sent to its alias, as that of a request does', async () => {
    const ref = watcher.monitor(watched.pid, { alias: 'explicit_unalias' })
    await cluster.advance(20)
    watched.send(ref, 'by the alias')
    await cluster.advance(20)
    far.exit(watched.pid, 'shutdown')
    await cluster.advance(20)
    expect(got).toEqual(['by the alias', { type: 'DOWN', ref, pid: watched.pid, reason: 'shutdown' }])
  })

  it('is known there no more when the connection is lost', async () => {
    watcher.monitor(watched.pid)
    await cluster.advance(20)
    expect(far.processInfo(watched.pid)?.monitoredBy).toEqual([watcher.pid])
    far.disconnectNode(near.name)
    expect(far.processInfo(watched.pid)?.monitoredBy).toEqual([])
  })
})

it('a request whose answer has come from another node is one signal there, and its answer one back', async () => {
  const server = far.spawn(handler((self) => (replyTo) => void self.send(replyTo as never, 'answer')))
  await cluster.advance(20)
  const sent = (): number[] => [near, far].map((node) => node.counters().signalsSent)
  const before = sent()
  await cluster.run(near.request(server, (replyTo) => replyTo, 1_000))
  await cluster.advance(20)
  expect(sent().map((signals, index) => signals - (before[index] ?? 0))).toEqual([1, 1])
})

it('a process of a later life of a connected node can not be reached yet, and one of an earlier life is dead', async () => {
  const { name, incarnation } = watched.pid.origin
  const later = watcher.monitor(new Pid({ name, incarnation: incarnation + 1 }, 7))
  const earlier = watcher.monitor(new Pid({ name, incarnation: incarnation - 1 }, 7))
  await cluster.settle()
  expect(got).toMatchObject([
    { type: 'DOWN', ref: later, reason: 'noconnection' },
    { type: 'DOWN', ref: earlier, reason: 'noproc' },
  ])
})

it('a connection that ends because it was meant to is not counted as lost, and one that ends by itself is', async () => {
  const lost = (): number => near.counters().connectionsLost
  far.disconnectNode(near.name)
  await cluster.advance(100)
  expect(lost()).toBe(0)
  await cluster.run(near.connectNode(far.name))
  near.disconnectNode(far.name)
  expect(lost()).toBe(0)
  await cluster.run(near.connectNode(far.name))
  await cluster.run(far.stop())
  await cluster.advance(100)
  expect([near.nodes(), lost()]).toEqual([[], 0])
  await cluster.start('c', { seeds: [near.address] })
  await cluster.advance(100)
  cluster.crash('c')
  await cluster.advance(100)
  expect([near.nodes(), lost()]).toEqual([[], 1])
})
