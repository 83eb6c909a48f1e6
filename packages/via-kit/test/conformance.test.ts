/**
 * PURPOSE: both kinds of ways, over a store and a broker in memory, and the replicated table hold the rules that every way holds.
 */
import { GlobalEts } from '@pidmesh/global-ets'
import type { Node, Via, ViaCapabilities } from '@pidmesh/runtime'
import { BroadcastVia, LocationVia } from '@pidmesh/via-kit'
import {
  conformance,
  FakeBroker,
  FakeStore,
  locationCapabilities,
  pubSubCapabilities,
  type FakeServer,
} from '@pidmesh/via-kit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLab, type Lab } from './lab.ts'

interface Way {
  readonly title: string
  readonly capabilities: ViaCapabilities
  readonly start: (node: Node, server: FakeServer) => Promise<Via>
}

const ways: readonly Way[] = [
  {
    title: 'a location database, and pushes over the mesh',
    capabilities: locationCapabilities,
    start: (node, server) => LocationVia.start(node, { store: new FakeStore(server) }),
  },
  {
    title: 'a location database, and pushes over a channel of each node',
    capabilities: { ...locationCapabilities, reachesPids: false },
    start: (node, server) =>
      LocationVia.start(node, { store: new FakeStore(server), channel: new FakeBroker(server, true) }),
  },
  {
    title: 'pub-sub, one channel for all',
    capabilities: pubSubCapabilities,
    start: (node, server) => BroadcastVia.start(node, { broker: new FakeBroker(server, false) }),
  },
  {
    title: 'pub-sub, a channel for each name',
    capabilities: { ...pubSubCapabilities, knowsAbsence: true },
    start: (node, server) => BroadcastVia.start(node, { broker: new FakeBroker(server, true) }),
  },
  {
    title: 'a replicated table',
    capabilities: { ...locationCapabilities, resolve: 'memory', purge: 'noticed' },
    start: (node) => GlobalEts.start(node, { policy: 'newest' }),
  },
]

describe.each(ways)('$title', ({ capabilities, start }) => {
  let lab: Lab<Via>
  beforeAll(async () => {
    lab = await startLab(start)
  })
  afterAll(() => lab.cluster.stop())

  it('says what it can do', () => expect(lab.members[0].names.capabilities).toEqual(capabilities))

  it.each(conformance.filter(({ needs }) => needs(capabilities)))('$rule', async ({ check }) => {
    await expect(check(lab)).resolves.toBeUndefined()
  })
})
