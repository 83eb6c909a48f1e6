/**
 * Two simulated nodes with a way of keeping names each. Time is virtual.
 */
import { handler, type Node, type Pid, type Via } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { LocationVia, StoreError, type LocationViaOptions } from '@pidmesh/via-kit'
import { FakeServer, FakeStore, type ConformanceLab } from '@pidmesh/via-kit/testing'
import { expect, onTestFinished } from 'vitest'

export interface Member<Names extends Via> {
  readonly node: Node
  readonly names: Names
}

export class Lab<Names extends Via> implements ConformanceLab {
  readonly cluster: TestCluster
  readonly server: FakeServer
  readonly members: readonly [Member<Names>, Member<Names>]

  constructor(cluster: TestCluster, server: FakeServer, members: readonly [Member<Names>, Member<Names>]) {
    this.cluster = cluster
    this.server = server
    this.members = members
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.cluster.run(promise)
  }

  pass(ms: number): Promise<void> {
    return this.cluster.advance(ms)
  }

  spawn({ node }: Member<Names>, got: unknown[] = []): Pid {
    return node.spawn(handler(() => (message: unknown) => got.push(message)))
  }
}

export async function startLab<Names extends Via>(
  way: (node: Node, server: FakeServer) => Promise<Names>,
): Promise<Lab<Names>> {
  const cluster = new TestCluster({ seed: 1, latencyMs: 2 })
  const server = new FakeServer(cluster.clock)
  const members: Member<Names>[] = []
  for (const name of ['a', 'b']) {
    const node = await cluster.start(name)
    members.push({ node, names: await cluster.run(way(node, server)) })
  }
  const [one, other] = members
  if (one === undefined || other === undefined) throw new Error('two nodes')
  return new Lab(cluster, server, [one, other])
}

/** Of names in a store: stopped after the test. */
export async function locationLab(
  storeOf: (server: FakeServer) => FakeStore = (server) => new FakeStore(server),
  options: Partial<LocationViaOptions> = {},
): Promise<Lab<LocationVia>> {
  const lab = await startLab((node, server) => LocationVia.start(node, { store: storeOf(server), ...options }))
  onTestFinished(() => lab.cluster.stop())
  return lab
}

/** The same, and the stores of both nodes. */
export async function storesLab<Store extends FakeStore>(
  storeOf: (server: FakeServer) => Store,
): Promise<{ readonly lab: Lab<LocationVia>; readonly stores: readonly Store[] }> {
  const stores: Store[] = []
  const lab = await locationLab((server) => {
    const store = storeOf(server)
    stores.push(store)
    return store
  })
  return { lab, stores }
}

const AT_ONCE = 10

/** So many names of one process of the first node: `n0`, `n1`, … */
export async function registerMany(lab: Lab<LocationVia>, count: number, first = 0): Promise<Pid> {
  const [one] = lab.members
  const pid = lab.spawn(one)
  for (let n = 0; n < count; n += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, k) => `n${first + n + k}`)
    const answers = await lab.run(Promise.all(some.map((name) => one.names.registerName(name, pid))))
    expect(answers).toEqual(some.map(() => 'yes'))
  }
  return pid
}

/** Names in the store whose time is not over. */
export function alive({ server }: Lab<LocationVia>): number {
  return [...server.rows.keys()].filter((name) => server.rowOf(name) !== undefined).length
}

export function away(): StoreError {
  return new StoreError('ERR_STORE_UNAVAILABLE', 'it is away')
}
