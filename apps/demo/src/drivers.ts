// The driver of a way that has a store. Drivers are loaded by who needs them: each node of the cluster is a process, and the launcher has one only to look whether a store is fit.

import type { LocationStore, MessageBroker } from '@pidmesh/via-kit'

import type { StoreWay } from './ways.ts'

/** What the driver is for: a database of locations, or pub-sub. */
export type NamesDriver = { is: 'store'; driver: LocationStore } | { is: 'broker'; driver: MessageBroker }

/** Nobody else's keys, rows and messages are touched in a store that is used for other things, too. */
const OWN = { prefix: 'pidmesh-demo:', table: 'pidmesh_demo_names', topic: 'pidmesh-demo' }

/** Not started. */
export async function driverFor(way: StoreWay, address: string): Promise<NamesDriver> {
  switch (way) {
    case 'redis': {
      const { RedisLocations } = await import('@pidmesh/via-redis')
      return { is: 'store', driver: new RedisLocations({ url: address, prefix: OWN.prefix }) }
    }
    case 'mysql': {
      const { MysqlLocations } = await import('@pidmesh/via-mysql')
      return { is: 'store', driver: new MysqlLocations({ url: address, table: OWN.table }) }
    }
    case 'kafka': {
      const { KafkaTopic } = await import('@pidmesh/via-kafka')
      return { is: 'broker', driver: new KafkaTopic({ brokers: [address], topic: OWN.topic }) }
    }
    case 'redis-pubsub': {
      const { RedisPubSub } = await import('@pidmesh/via-redis')
      return { is: 'broker', driver: new RedisPubSub({ url: address, prefix: OWN.prefix }) }
    }
  }
}
