/**
 * Which server a command goes to.
 *
 *   Route ─┬─ OneRoute      one server; or whichever Sentinel says; or any node of a cluster
 *          └─ ClusterRoute  the node that has the key (cluster-route.ts)
 */
import { StoreError } from '@pidmesh/via-kit'
import { Connection, listOf, placeOf, type ConnectionOptions, type Reply, type Said } from './connection.ts'
import { isCrossSlot, isNoScript, storeError, unavailable } from './errors.ts'
import { OnDemand } from './on-demand.ts'
import type { Place, Server } from './options.ts'

const TRIED_KEYS = 8
/** So many that no node is missed by chance. */
const DRAWN_KEYS = 64

export interface Route {
  /** @throws StoreError by rejection */
  start(): Promise<void>
  /** @throws by rejection: StoreError; NOSCRIPT and CROSSSLOT as Redis says it */
  call(key: string, args: Said): Promise<Reply>
  /** The server that has the key, as far as is known; or what all keys have in common. */
  partOf(key: string): string
}

export class OneRoute implements Route {
  private readonly connection: OnDemand
  private readonly place: string

  constructor(connection: OnDemand, place: string) {
    this.connection = connection
    this.place = place
  }

  async start(): Promise<void> {
    try {
      await this.connection.get()
    } catch (error) {
      throw storeError(error, this.place)
    }
  }

  async call(_key: string, args: Said): Promise<Reply> {
    try {
      const connection = await this.connection.get()
      return await connection.call(args)
    } catch (error) {
      throw isNoScript(error) || isCrossSlot(error) ? error : storeError(error, this.place)
    }
  }

  partOf(): string {
    return this.place
  }
}

/** For messages. */
export function namePlace(place: Place): string {
  switch (place.type) {
    case 'one':
      return `${placeOf(place.server)}${place.server.tls ? ' over TLS' : ''}`
    case 'cluster':
      return place.roots.map(placeOf).join(', ')
    case 'sentinel':
      return `${place.sentinels.map(placeOf).join(', ')} (sentinels)`
  }
}

/** One connection to the place: in a cluster, to any of the nodes that are known from the beginning. */
export function connectionTo(place: Place, options: Omit<ConnectionOptions, 'mustLead'>): OnDemand {
  switch (place.type) {
    case 'one':
      return new OnDemand(() => Connection.open(place.server, { ...options, mustLead: true }))
    case 'cluster':
      return anyOf(place.roots, (server) => Connection.open(server, { ...options, mustLead: false }))
    case 'sentinel':
      return anyOf(place.sentinels, async (sentinel) => {
        const server = await askSentinel(sentinel, place, options)
        try {
          return await Connection.open(server, { ...options, mustLead: true })
        } catch (error) {
          // It is not the sentinel that has failed.
          throw storeError(error, placeOf(server))
        }
      })
  }
}

/** The one that has worked last is tried first. */
function anyOf(servers: readonly [Server, ...Server[]], open: (server: Server) => Promise<Connection>): OnDemand {
  let first = 0
  return new OnDemand(async () => {
    const errors: StoreError[] = []
    for (let tried = 0; tried < servers.length; tried++) {
      const server = servers[first] ?? servers[0]
      try {
        return await open(server)
      } catch (error) {
        errors.push(storeError(error, placeOf(server)))
        first = (first + 1) % servers.length
      }
    }
    throw worst(errors)
  })
}

/**
 * In a cluster it is enough if it succeeds for some key, and it is tried for several at once, each of another node: one may be away, or stand still.
 * `draw` gives a key by chance. @throws what it has rejected with
 */
export async function trySome(route: Route, draw: () => string, once: (key: string) => Promise<void>): Promise<void> {
  const keys = new Map<string, string>()
  for (let drawn = 0; drawn < DRAWN_KEYS && keys.size < TRIED_KEYS; drawn++) {
    const key = draw()
    keys.set(route.partOf(key), key)
  }
  try {
    await Promise.any([...keys.values()].map(once))
  } catch (error) {
    const errors = (error as AggregateError).errors as Error[]
    throw errors.find((one) => !(one instanceof StoreError)) ?? worst(errors as StoreError[])
  }
}

/** What waiting doesn't help against says more. */
export function worst(errors: readonly StoreError[]): StoreError {
  const [first = unavailable('no place', 'is known')] = errors
  return errors.find(({ code }) => code === 'ERR_STORE_UNFIT') ?? first
}

async function askSentinel(
  sentinel: Server,
  { name, access }: Extract<Place, { type: 'sentinel' }>,
  options: Omit<ConnectionOptions, 'mustLead'>,
): Promise<Server> {
  const { timeoutMs, signal, tls } = options
  const connection = await Connection.open(sentinel, { timeoutMs, signal, tls, mustLead: false })
  try {
    const address = await connection.call(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name])
    const [host, port] = listOf(address)
    if (!(host instanceof Buffer) || !(port instanceof Buffer))
      throw new StoreError(
        'ERR_STORE_UNFIT',
        `the sentinel at ${placeOf(sentinel)} does not know the name that it was asked for`,
      )
    return { ...access, host: host.toString(), port: Number(port.toString()) }
  } finally {
    connection.end()
  }
}
