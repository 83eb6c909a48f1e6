/**
 * PURPOSE: a redis-server that is started has ports of its own.
 */
import { mustSkip, redisMissing, startRedisClusterNode } from '@pidmesh/dev-services'
import { describe, expect, it, onTestFinished } from 'vitest'

describe.skipIf(mustSkip(redisMissing()))('a node of a Redis Cluster', () => {
  it('has a port for its bus, too, that the system gives to nobody who connects', async () => {
    const node = await startRedisClusterNode()
    onTestFinished(() => node.stop())
    const [, busPort] = (await node.command('CONFIG', 'GET', 'cluster-port')).split('\n')
    expect(Number(busPort)).toBeGreaterThan(0)
    expect(Number(busPort)).toBeLessThan(32_768)
  })
})
