// The chat's names, on one node, in the way that was chosen. Whatever it is, the chat asks for no more than a `Via`, and what its `capabilities` say.

import { GlobalEts } from '@pidmesh/global-ets'
import type { Node, Via } from '@pidmesh/runtime'
import type { LocationStore, MessageBroker } from '@pidmesh/via-kit'

import { driverFor } from './drivers.ts'
import type { StoreWay } from './ways.ts'

/** Where names are kept: the store's address, unless it is the table. */
export type NamesPlace = { via: 'global-ets' } | { via: StoreWay; store: string }

export type ChatNames = {
  via: Via
  /** Gives back the names of this node. */
  stop(): Promise<void>
}

export async function startNames(node: Node, place: NamesPlace): Promise<ChatNames> {
  if (place.via === 'global-ets') {
    // The socket that a user has just opened wins over one that another part of the cluster still remembers.
    const via = await GlobalEts.start(node, { scope: 'chat', policy: 'newest' })
    return { via, stop: () => Promise.resolve() }
  }
  const names = await driverFor(place.via, place.store)
  return names.is === 'store' ? startLocations(node, names.driver) : startBroadcast(node, names.driver)
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
