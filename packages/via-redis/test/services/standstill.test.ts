/**
 * PURPOSE: what Redis gets so late that its caller has given it up is not written any more.
 */
import { startRedis, type RedisService } from '@pidmesh/dev-services'
import { standstillRules } from '@pidmesh/via-kit/testing'
import { RedisLocations } from '@pidmesh/via-redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasNoRedis } from './redis.ts'

describe.skipIf(hasNoRedis())('a store in Redis that stands still', () => {
  let redis: RedisService
  let store: RedisLocations
  beforeAll(async () => {
    redis = await startRedis()
    store = new RedisLocations({ url: redis.url, ttlMs: 1_000, timeoutMs: 300 })
    await store.start()
  })
  afterAll(async () => {
    await store.stop()
    await redis.stop()
  })

  it.each(standstillRules)('$rule', async ({ check }) => {
    const standStill = (): (() => void) => {
      redis.pause()
      return () => redis.resume()
    }
    await expect(check({ store, standStill })).resolves.toBeUndefined()
  })
})
