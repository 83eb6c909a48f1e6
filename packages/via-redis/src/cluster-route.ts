/**
 * Redis Cluster: a command goes to the node that has the slot of its key.
 *
 *   CLUSTER SLOTS ─▶ owners ─▶ node ─▶ reply
 *        ▲                       ├──▶ MOVED: noted, and asked again there
 *        └── node is away ◀──────┴──▶ ASK: asked again there, this once
 *
 * What a node that is away has is away until another node has it; all else works on. Which node that is, is asked of the others, not more often than every half second.
 */
import type { StoreError } from '@pidmesh/via-kit'
import { Connection, listOf, placeOf, type ConnectionOptions, type Reply, type Said } from './connection.ts'
import { isNoScript, redirectionOf, storeError, unavailable, type Redirection } from './errors.ts'
import { slotOf } from './names.ts'
import { OnDemand } from './on-demand.ts'
import type { Server } from './options.ts'
import { worst, type Route } from './route.ts'

const MAX_REDIRECTIONS = 8
const ASK_AGAIN_MS = 500
/** Of so many at once. */
const ASKED = 3

type Roots = readonly [Server, ...Server[]]

/** A connection for each node. */
export class Nodes {
  private readonly options: Omit<ConnectionOptions, 'mustLead'>
  private readonly nodes = new Map<string, OnDemand>()

  constructor(options: Omit<ConnectionOptions, 'mustLead'>) {
    this.options = options
  }

  to(server: Server): OnDemand {
    const place = placeOf(server)
    const known = this.nodes.get(place)
    if (known !== undefined) return known
    const node = new OnDemand(() => Connection.open(server, { ...this.options, mustLead: false }))
    this.nodes.set(place, node)
    return node
  }

  /** Ends the others. */
  keep(servers: Iterable<Server>): void {
    const places = new Set(Array.from(servers, placeOf))
    for (const [place, node] of this.nodes) {
      if (places.has(place)) continue
      this.nodes.delete(place)
      node.end()
    }
  }
}

export class ClusterRoute implements Route {
  private readonly roots: Roots
  private readonly nodes: Nodes
  /** By slot. */
  private owners: (Server | undefined)[] = []
  private asking: Promise<void> | undefined
  private askedAtMs = -Infinity

  constructor(roots: Roots, options: Omit<ConnectionOptions, 'mustLead'>) {
    this.roots = roots
    this.nodes = new Nodes(options)
  }

  start(): Promise<void> {
    return this.askOwners()
  }

  async call(key: string, args: Said): Promise<Reply> {
    let server = this.ownerOf(key)
    let isAsking = false
    for (let redirections = 0; redirections <= MAX_REDIRECTIONS; redirections++) {
      try {
        const connection = await this.nodes.to(server).get()
        return await (isAsking ? connection.ask(args) : connection.call(args))
      } catch (error) {
        const redirection = redirectionOf(error)
        if (redirection === undefined) throw this.failed(error, server)
        isAsking = redirection.type === 'ask'
        server = this.redirected(redirection, server)
      }
    }
    throw unavailable(placeOf(server), 'is a cluster in which no node has the key')
  }

  partOf(key: string): string {
    return placeOf(this.ownerOf(key))
  }

  /** As far as is known. */
  ownerOf(key: string): Server {
    return this.owners[slotOf(key)] ?? this.roots[0]
  }

  /** Where to ask again. */
  redirected({ type, slot, host, port }: Redirection, from: Server): Server {
    const server = this.serverAt(host, port, from)
    if (type === 'moved') this.owners[slot] = server
    return server
  }

  /** Finds out who has which slot; nothing happens if that was just done. */
  refresh(): Promise<void> {
    if (performance.now() - this.askedAtMs < ASK_AGAIN_MS) return this.asking ?? Promise.resolve()
    this.asking ??= this.askOwners().finally(() => {
      this.asking = undefined
    })
    return this.asking
  }

  private failed(error: unknown, server: Server): unknown {
    if (isNoScript(error)) return error
    const told = storeError(error, placeOf(server))
    if (told.code === 'ERR_STORE_UNAVAILABLE') this.refresh().catch(() => undefined)
    return told
  }

  private async askOwners(): Promise<void> {
    this.askedAtMs = performance.now()
    const known = [...new Set(this.owners)].filter((server) => server !== undefined)
    const open = known.filter((server) => this.nodes.to(server).isOpen).slice(0, ASKED)
    const asked = open.length > 0 ? open : [...known.slice(0, ASKED), ...this.roots]
    try {
      await Promise.any(asked.map((server) => this.askOwnersOf(server)))
    } catch (error) {
      throw worst((error as AggregateError).errors as StoreError[])
    }
  }

  private async askOwnersOf(server: Server): Promise<void> {
    try {
      const connection = await this.nodes.to(server).get()
      this.learn(await connection.call(['CLUSTER', 'SLOTS']), server)
    } catch (error) {
      throw storeError(error, placeOf(server))
    }
  }

  /** Of each range: from, to, [host, port, …] of the node that has it, its replicas. */
  private learn(ranges: Reply, asked: Server): void {
    const owners: Server[] = []
    const servers = new Map<string, Server>()
    for (const range of listOf(ranges)) {
      const [from, to, node] = listOf(range)
      const [host, port] = listOf(node)
      if (typeof from !== 'number' || typeof to !== 'number' || typeof port !== 'number') continue
      const read = this.serverAt(host instanceof Buffer ? host.toString() : '', port, asked)
      const server = servers.get(placeOf(read)) ?? read
      servers.set(placeOf(read), server)
      for (let slot = from; slot <= to; slot++) owners[slot] = server
    }
    if (servers.size === 0) throw unavailable(placeOf(asked), 'is a cluster in which no node has slots')
    this.owners = owners
    this.nodes.keep([...servers.values(), ...this.roots])
  }

  /** A node that does not know its host says nothing, or `?`: it is that of who has told of it. */
  private serverAt(host: string, port: number, told: Server): Server {
    return { ...this.roots[0], host: host === '' || host === '?' ? told.host : host, port }
  }
}
