// The driver of a way that has a store. Drivers are loaded by who needs them: each node of the cluster is a process, and the launcher has one only of a store that is somebody else's: to look whether it is fit, and there.

import type { LocationStore, MessageBroker } from '@pidmesh/via-kit'

import type { StoreWay } from './ways.ts'

/** What the driver is for: a database of locations, or pub-sub. */
export type NamesDriver = ({ is: 'store'; driver: LocationStore } | { is: 'broker'; driver: MessageBroker }) & {
  /** Asks the store, without a trace: rejects if it does not answer. For a driver that is started. */
  look: () => Promise<unknown>
}

/** Nobody's: no user has such a name. */
const LOOK = 'look'

/** Nobody else's keys, rows and messages are touched in a store that is used for other things, too. */
const OWN = { prefix: 'pidmesh-demo:', table: 'pidmesh_demo_names', topic: 'pidmesh-demo' }

/** Not started. */
export async function driverFor(way: StoreWay, address: string): Promise<NamesDriver> {
  switch (way) {
    case 'redis': {
      const { RedisLocations } = await import('@pidmesh/via-redis')
      return lookable(new RedisLocations({ url: address, prefix: OWN.prefix }))
    }
    case 'mysql': {
      const { MysqlLocations } = await import('@pidmesh/via-mysql')
      return lookable(new MysqlLocations({ url: address, table: OWN.table }))
    }
    case 'kafka': {
      const { KafkaTopic } = await import('@pidmesh/via-kafka')
      const driver = new KafkaTopic({ brokers: [address], topic: OWN.topic })
      // It reads all the time. What it would publish came to every node.
      return { is: 'broker', driver, look: async () => throwIf(driver.fault) }
    }
    case 'redis-pubsub': {
      const { RedisPubSub } = await import('@pidmesh/via-redis')
      const driver = new RedisPubSub({ url: address, prefix: OWN.prefix })
      return { is: 'broker', driver, look: () => driver.publish(LOOK, new Uint8Array()) }
    }
  }
}

function lookable(driver: LocationStore): NamesDriver {
  return { is: 'store', driver, look: () => driver.find([LOOK]) }
}

function throwIf(error: Error | undefined): void {
  if (error !== undefined) throw error
}
