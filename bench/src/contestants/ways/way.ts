/**
 * The ways of keeping names that are compared: how each is started on a node, with the defaults of its options.
 */
import { GlobalEts } from '@pidmesh/global-ets'
import { assertNever, type Node } from '@pidmesh/runtime'
import { KafkaTopic } from '@pidmesh/via-kafka'
import { BroadcastVia, LocationVia } from '@pidmesh/via-kit'
import { MysqlLocations } from '@pidmesh/via-mysql'
import { RedisLocations, RedisPubSub } from '@pidmesh/via-redis'
import type { Way } from './way-names.ts'

export type Names = GlobalEts | LocationVia | BroadcastVia

/** `place` is where the store is: a URL, or a broker's host and port. */
export function startNames(node: Node, way: Way, place: string): Promise<Names> {
  switch (way) {
    case 'global-ets':
      return GlobalEts.start(node, { policy: 'newest' })
    case 'redis-location':
      return LocationVia.start(node, { store: new RedisLocations({ url: place }) })
    case 'mysql-location':
      return LocationVia.start(node, { store: new MysqlLocations({ url: place }) })
    case 'redis-pubsub':
      return BroadcastVia.start(node, { broker: new RedisPubSub({ url: place, channels: 'shared' }) })
    case 'redis-channel-per-name':
      return BroadcastVia.start(node, { broker: new RedisPubSub({ url: place, channels: 'each' }) })
    case 'kafka':
      return BroadcastVia.start(node, { broker: new KafkaTopic({ brokers: [place] }) })
    default:
      return assertNever(way)
  }
}

/** Names that a node knows: of all nodes if it has them in memory, otherwise its own. */
export function sizeOf(names: Names): number {
  return names instanceof GlobalEts ? names.size : names.stats.names
}
