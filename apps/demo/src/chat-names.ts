// The chat's names, on one node, in the way that was chosen. Whatever it is, the chat asks for no more than a `Via`, and what its `capabilities` say.

import { GlobalEts } from '@pidmesh/global-ets'
import type { Node, Via } from '@pidmesh/runtime'
import type { LocationStore, MessageBroker } from '@pidmesh/via-kit'

import type { StoreWay } from './ways.ts'

/** Where names are kept: the store's address, unless it is the table. */
export type NamesPlace = { via: 'global-ets' } | { via: StoreWay; store: string }

export type ChatNames = {
  via: Via
  /** Gives back the names of this node. */
  stop(): Promise<void>
}

/** Nobody else's keys, rows and messages are touched in a store that is used for other things, too. */
const OWN = { prefix: 'pidmesh-demo:', table: 'pidmesh_demo_names', topic: 'pidmesh-demo' }

/** The drivers are loaded by who needs them: each node of the cluster is a process. */
export async function startNames(node: Node, place: NamesPlace): Promise<ChatNames> {
  switch (place.via) {
    case 'global-ets': {
      // The socket that a user has just opened wins over one that another part of the cluster still remembers.
      const via = await GlobalEts.start(node, { scope: 'chat', policy: 'newest' })
      return { via, stop: () => Promise.resolve() }
    }
    case 'redis': {
      const { RedisLocations } = await import('@pidmesh/via-redis')
      return startLocations(node, new RedisLocations({ url: place.store, prefix: OWN.prefix }))
    }
    case 'mysql': {
      const { MysqlLocations } = await import('@pidmesh/via-mysql')
      return startLocations(node, new MysqlLocations({ url: place.store, table: OWN.table }))
    }
    case 'kafka': {
      const { KafkaTopic } = await import('@pidmesh/via-kafka')
      return startBroadcast(node, new KafkaTopic({ brokers: [place.store], topic: OWN.topic }))
    }
    case 'redis-pubsub': {
      const { RedisPubSub } = await import('@pidmesh/via-redis')
      return startBroadcast(node, new RedisPubSub({ url: place.store, prefix: OWN.prefix }))
    }
  }
}

async function startLocations(node: Node, store: LocationStore): Promise<ChatNames> {
  const { LocationVia } = await import('@pidmesh/via-kit')
  const via = await LocationVia.start(node, { store, scope: 'chat' })
  return { via, stop: () => via.stop() }
}

async function startBroadcast(node: Node, broker: MessageBroker): Promise<ChatNames> {
  const { BroadcastVia } = await import('@pidmesh/via-kit')
  const via = await BroadcastVia.start(node, { broker })
  return { via, stop: () => via.stop() }
}
