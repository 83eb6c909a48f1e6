/**
 * `RedisPubSub`: messages over Redis' pub-sub: one server, what Sentinel watches, or a cluster.
 *
 *   publish ─▶ a connection for that ─▶ Redis ─▶ another one, for what is listened to ─▶ onMessage
 *
 * - Two connections: what comes in masses doesn't stand in the way of what goes, and the client library reads what comes as it reads the reply that it waits for.
 * - In a cluster without sharded channels every node has every message, so that one connection to any node will do. Redis then counts the listeners of one node only.
 * - With sharded channels a channel is on one node, as a key is.
 */
import { randomUUID } from 'node:crypto'
import type { MessageBroker, OnMessage } from '@pidmesh/via-kit'
import { Calls } from './calls.ts'
import { ClusterRoute, Nodes } from './cluster-route.ts'
import type { ConnectionOptions } from './connection.ts'
import { alreadyStarted, redirectionOf, storeError, unavailable } from './errors.ts'
import { encodeName } from './names.ts'
import { checkPubSubOptions, type RedisPubSubOptions, type Settings } from './options.ts'
import { connectionTo, namePlace, OneRoute, trySome, type Route } from './route.ts'
import { Subscriptions, type SubscriptionsOptions } from './subscriptions.ts'

/** After a connection is there again other nodes have so long to listen again, which they try at least once a second. */
const DOUBT_MS = 4_000
/** How often it is looked after sharded channels that have moved: the client library does not always tell. */
const CHECK_MS = 2_000

interface Life {
  readonly route: Route
  readonly subscriptions: Subscriptions
  readonly ending: AbortController
  isStarted: boolean
  /** Something was lost, or did not answer, since it has started: a connection that is opened may be opened anew. Of a cluster some are opened late, for the first time. */
  isTroubled: boolean
  /** Redis was away: who listens may not be back yet. */
  isDoubtedUntilMs: number
}

export class RedisPubSub implements MessageBroker {
  readonly kind = 'redis-pub-sub'
  readonly countsListeners: boolean
  /** Hidden from whoever shows or logs the driver, as what is made of it: there are passwords in it, and a key. */
  readonly #settings: Settings & { readonly channels: 'shared' | 'each'; readonly sharded: boolean }
  #life: Life | undefined
  private readonly place: string
  private readonly calls: Calls

  /**
   * @throws PidmeshError `ERR_BAD_OPTION`
   *
   * @example
   *   const broker = new RedisPubSub({ url: 'redis://127.0.0.1:6379' })
   */
  constructor(options: RedisPubSubOptions) {
    this.#settings = checkPubSubOptions(options)
    const { place, channels, sharded, timeoutMs } = this.#settings
    this.countsListeners = channels === 'each' && (place.type !== 'cluster' || sharded)
    this.place = namePlace(place)
    this.calls = new Calls(this.place, timeoutMs)
  }

  async start(onMessage: OnMessage): Promise<void> {
    if (this.#life !== undefined) throw alreadyStarted('RedisPubSub')
    const life = this.begin(onMessage)
    this.#life = life
    const { prefix, channels } = this.#settings
    try {
      await this.calls.run(0, async () => {
        await life.route.start()
        await trySome(
          life.route,
          () => `${prefix}try:${randomUUID()}`,
          (channel) => this.try(life, channel),
        )
        if (channels === 'shared') await this.subscribe(life, this.channelOf(''))
      })
    } catch (error) {
      life.ending.abort()
      // It may have been stopped meanwhile, and started anew.
      if (this.#life === life) this.#life = undefined
      throw error
    }
    life.isStarted = true
  }

  stop(): Promise<void> {
    this.#life?.ending.abort()
    this.#life = undefined
    return Promise.resolve()
  }

  async listen(channel: string): Promise<void> {
    const life = this.living()
    if (this.#settings.channels === 'each') await this.subscribe(life, this.channelOf(channel))
  }

  async unlisten(channel: string): Promise<void> {
    const life = this.living()
    if (this.#settings.channels === 'shared') return
    const name = this.channelOf(channel)
    await this.calls.run(name.length, () => life.subscriptions.unlisten(name))
  }

  /**
   * @returns how many have got it, where Redis counts that. `undefined` as well if nobody has, for some seconds after Redis was away
   * @throws StoreError by rejection
   */
  async publish(channel: string, bytes: Uint8Array): Promise<number | undefined> {
    const life = this.living()
    const name = this.channelOf(channel)
    const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const count = await this.calls
      .run(name.length + message.length, () => life.route.call(name, [this.command, name, message]))
      .catch((error: unknown) => {
        life.isTroubled = true
        throw error
      })
    if (!this.countsListeners || typeof count !== 'number') return undefined
    return count === 0 && this.isDoubted(life) ? undefined : count
  }

  /** What this node has listened to is back no later than what others have, or so it is taken. */
  private isDoubted({ subscriptions, isDoubtedUntilMs }: Life): boolean {
    return performance.now() < Math.max(isDoubtedUntilMs, subscriptions.unsettledUntilMs + DOUBT_MS)
  }

  private get command(): string {
    return this.#settings.sharded ? 'SPUBLISH' : 'PUBLISH'
  }

  private channelOf(channel: string): string {
    const { prefix, channels } = this.#settings
    return channels === 'shared' ? `${prefix}all` : `${prefix}to:${encodeName(channel)}`
  }

  private living(): Life {
    if (this.#life === undefined) throw unavailable(this.place, 'is not asked: this is not started')
    return this.#life
  }

  /** Whether it may be done, on a channel of which nobody knows. @throws StoreError by rejection */
  private async try(life: Life, channel: string): Promise<void> {
    // Nobody listens yet, so that it comes to nobody.
    await life.route.call(channel, [this.command, channel, 'try'])
    await this.subscribe(life, channel)
    await life.subscriptions.unlisten(channel)
  }

  private async subscribe({ subscriptions }: Life, channel: string): Promise<void> {
    try {
      await subscriptions.listen(channel, (place) => this.calls.run(channel.length, place))
    } catch (error) {
      throw storeError(error, this.place)
    }
  }

  private begin(onMessage: OnMessage): Life {
    const { place, timeoutMs, tls, sharded } = this.#settings
    const ending = new AbortController()
    const { signal } = ending
    const onOpen = (): void => {
      if (life.isStarted && life.isTroubled) life.isDoubtedUntilMs = performance.now() + DOUBT_MS
    }
    const onLost = (): void => {
      life.isTroubled = true
    }
    const options = { timeoutMs, tls, signal, onOpen, onLost }
    const listening: Omit<ConnectionOptions, 'mustLead'> = {
      timeoutMs,
      tls,
      signal,
      onPush: (channel, bytes) => {
        if (!signal.aborted && subscriptions.isWanted(channel)) onMessage(bytes)
      },
      onLost: (connection) => {
        onLost()
        subscriptions.onLost(connection)
      },
      onMoved: (channel, connection) => subscriptions.onMoved(channel, connection),
    }
    let route: Route
    let where: Pick<SubscriptionsOptions, 'home' | 'redirected' | 'refresh'>
    if (place.type === 'cluster' && sharded) {
      const cluster = new ClusterRoute(place.roots, options)
      route = cluster
      where = inCluster(cluster, new Nodes(listening))
      const timer = setInterval(() => {
        cluster
          .refresh()
          .then(() => subscriptions.check())
          .catch(() => undefined)
      }, CHECK_MS)
      signal.addEventListener('abort', () => clearInterval(timer))
    } else {
      route = new OneRoute(connectionTo(place, options), this.place)
      const node = connectionTo(place, listening)
      where = { home: () => node, redirected: () => undefined, refresh: () => Promise.resolve() }
    }
    const subscriptions = new Subscriptions({ isSharded: sharded, signal, ...where })
    const life: Life = {
      route,
      subscriptions,
      ending,
      isStarted: false,
      isTroubled: false,
      isDoubtedUntilMs: -Infinity,
    }
    return life
  }
}

function inCluster(cluster: ClusterRoute, nodes: Nodes): Pick<SubscriptionsOptions, 'home' | 'redirected' | 'refresh'> {
  return {
    home: (channel) => nodes.to(cluster.ownerOf(channel)),
    redirected: (error, { server }) => {
      const redirection = redirectionOf(error)
      return redirection === undefined ? undefined : nodes.to(cluster.redirected(redirection, server))
    },
    refresh: () => cluster.refresh(),
  }
}
