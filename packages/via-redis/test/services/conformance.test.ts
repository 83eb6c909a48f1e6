/**
 * PURPOSE: names in Redis hold the rules that every way of keeping names holds, between two nodes, in each of the forms that there are.
 */
import { startRedis, type RedisService } from '@pidmesh/dev-services'
import type { Node, Via, ViaCapabilities } from '@pidmesh/runtime'
import {
  conformance,
  locationCapabilities,
  LoopbackLab,
  pubSubCapabilities,
  storeRules,
} from '@pidmesh/via-kit/testing'
import { BroadcastVia, LocationVia, RedisLocations, RedisPubSub } from '@pidmesh/via-redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasNoRedis } from './redis.ts'

const timeoutMs = 10_000

interface Form {
  readonly title: string
  readonly capabilities: ViaCapabilities
  readonly start: (node: Node, url: string) => Promise<Via>
}

const forms: readonly Form[] = [
  {
    title: 'a location database, and pushes over the mesh',
    capabilities: locationCapabilities,
    start: (node, url) => LocationVia.start(node, { store: new RedisLocations({ url, timeoutMs }) }),
  },
  {
    title: 'a location database, and pushes over a channel of each node',
    capabilities: { ...locationCapabilities, reachesPids: false },
    start: (node, url) =>
      LocationVia.start(node, {
        store: new RedisLocations({ url, timeoutMs }),
        channel: new RedisPubSub({ url, timeoutMs, prefix: 'nodes:' }),
      }),
  },
  {
    title: 'pub-sub, one channel for all',
    capabilities: pubSubCapabilities,
    start: (node, url) => BroadcastVia.start(node, { broker: new RedisPubSub({ url, timeoutMs, channels: 'shared' }) }),
  },
  {
    title: 'pub-sub, a channel for each name',
    capabilities: { ...pubSubCapabilities, knowsAbsence: true },
    start: (node, url) => BroadcastVia.start(node, { broker: new RedisPubSub({ url, timeoutMs }) }),
  },
  {
    title: 'sharded pub-sub, a channel for each name',
    capabilities: { ...pubSubCapabilities, knowsAbsence: true },
    start: (node, url) => BroadcastVia.start(node, { broker: new RedisPubSub({ url, timeoutMs, sharded: true }) }),
  },
]

describe.skipIf(hasNoRedis()).each(forms)('names in Redis: $title', ({ capabilities, start }) => {
  let redis: RedisService
  let lab: LoopbackLab
  beforeAll(async () => {
    redis = await startRedis()
    lab = await LoopbackLab.start((node) => start(node, redis.url))
  })
  afterAll(async () => {
    await lab.stop()
    await redis.stop()
  })

  it('say what they can do', () => expect(lab.members[0].names.capabilities).toEqual(capabilities))

  it.each(conformance.filter(({ needs }) => needs(capabilities)))('$rule', async ({ check }) => {
    await expect(check(lab)).resolves.toBeUndefined()
  })
})

describe.skipIf(hasNoRedis())('a store in Redis', () => {
  let redis: RedisService
  let store: RedisLocations
  beforeAll(async () => {
    redis = await startRedis()
    store = new RedisLocations({ url: redis.url, ttlMs: 2_000, timeoutMs })
    await store.start()
  })
  afterAll(async () => {
    await store.stop()
    await redis.stop()
  })

  it.concurrent.each(storeRules)('$rule', { timeout: 30_000 }, async ({ check }) => {
    await expect(check({ store })).resolves.toBeUndefined()
  })
})
