/**
 * Which channels are listened to, and the connections on which they are.
 *
 *   listen ─▶ wanted ─▶ subscribed at its home ─▶ pushes ─▶ onPush
 *               ▲            │
 *               └── settle ◀─┴─ connection lost, channel moved
 *
 * - What is wanted is subscribed again by itself, some at a time, with pauses that grow while nothing comes of it, as long as it is wanted.
 * - A listen that has failed wants nothing, unless the channel was wanted before.
 * - What comes on a channel that nobody wants any more is passed to nobody.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Connection } from './connection.ts'
import { pauseMs, type OnDemand } from './on-demand.ts'

export interface SubscriptionsOptions {
  readonly isSharded: boolean
  readonly signal: AbortSignal
  /** Where a channel is subscribed to. */
  readonly home: (channel: string) => OnDemand
  /** Where else, if that says so. */
  readonly redirected: (error: unknown, from: Connection) => OnDemand | undefined
  /** Before it is tried again. */
  readonly refresh: () => Promise<void>
}

interface Subscription {
  readonly channel: string
  connection: Connection | undefined
  placing: Promise<void> | undefined
  /** A listen has succeeded. */
  isHeld: boolean
  /** Listens that are under way. */
  listens: number
}

const MAX_REDIRECTIONS = 8
/** Subscribed to at once: the last of them has to be answered in time, too. */
const AT_ONCE = 1_000

export class Subscriptions {
  private readonly options: SubscriptionsOptions
  private readonly wanted = new Map<string, Subscription>()
  private isSettling = false
  private settledAtMs = -Infinity

  constructor(options: SubscriptionsOptions) {
    this.options = options
  }

  /** Until when something that was listened to was not, as far as is known: `Infinity` while it is so. */
  get unsettledUntilMs(): number {
    return this.isSettling ? Infinity : this.settledAtMs
  }

  isWanted(channel: string): boolean {
    return this.wanted.has(channel)
  }

  /**
   * Resolves as soon as what is published comes.
   * @param inTime Ends it in time
   */
  async listen(channel: string, inTime: (place: () => Promise<void>) => Promise<void>): Promise<void> {
    const fresh = { channel, connection: undefined, placing: undefined, isHeld: false, listens: 0 }
    const subscription = this.wanted.get(channel) ?? fresh
    this.wanted.set(channel, subscription)
    subscription.listens++
    try {
      await inTime(() => this.place(subscription))
      subscription.isHeld = true
      // Its connection may have been lost in the same moment, when it was not held yet.
      if (subscription.connection?.isOpen !== true) void this.settle()
    } finally {
      subscription.listens--
      if (!subscription.isHeld && subscription.listens === 0) this.forget(subscription)
    }
  }

  /** Never rejects: with the connection, what is subscribed is gone as well. */
  async unlisten(channel: string): Promise<void> {
    const subscription = this.wanted.get(channel)
    this.wanted.delete(channel)
    if (subscription !== undefined) await this.leave(subscription)
  }

  onLost(connection: Connection): void {
    for (const subscription of this.wanted.values())
      if (subscription.connection === connection) subscription.connection = undefined
    void this.settle()
  }

  onMoved(channel: string, connection: Connection): void {
    const subscription = this.wanted.get(channel)
    if (subscription?.connection !== connection) return
    subscription.connection = undefined
    void this.settle()
  }

  /** Looks whether each channel is where it belongs. */
  check(): void {
    const { home } = this.options
    for (const subscription of this.wanted.values()) {
      const { connection, channel, placing } = subscription
      if (placing !== undefined || connection === undefined || home(channel).has(connection)) continue
      subscription.connection = undefined
      connection.unsubscribe(channel, this.options.isSharded).catch(() => undefined)
    }
    void this.settle()
  }

  private place(subscription: Subscription): Promise<void> {
    if (subscription.connection?.isOpen === true) return Promise.resolve()
    subscription.placing ??= this.placeAnew(subscription).finally(() => {
      subscription.placing = undefined
    })
    return subscription.placing
  }

  private async placeAnew(subscription: Subscription): Promise<void> {
    const { channel } = subscription
    const { home, isSharded, redirected } = this.options
    let node = home(channel)
    for (let redirections = 0; ; redirections++) {
      const connection = await node.get()
      try {
        await connection.subscribe(channel, isSharded)
      } catch (error) {
        const other = redirections < MAX_REDIRECTIONS ? redirected(error, connection) : undefined
        if (other === undefined) throw error
        node = other
        continue
      }
      if (this.wanted.has(channel)) subscription.connection = connection
      // Given up meanwhile.
      else await connection.unsubscribe(channel, isSharded)
      return
    }
  }

  private forget(subscription: Subscription): void {
    if (this.wanted.get(subscription.channel) === subscription) this.wanted.delete(subscription.channel)
  }

  private async leave({ channel, connection }: Subscription): Promise<void> {
    try {
      await connection?.unsubscribe(channel, this.options.isSharded)
    } catch {
      // The connection is lost.
    }
  }

  private async settle(): Promise<void> {
    if (this.isSettling || this.homeless().length === 0) return
    this.isSettling = true
    const { signal, refresh } = this.options
    for (let failures = 1; !signal.aborted; failures++) {
      await wait(pauseMs(failures, Math.random()), undefined, { signal }).catch(() => undefined)
      await refresh().catch(() => undefined)
      if (await this.placeThose(this.homeless())) failures = 0
      if (this.homeless().length === 0) break
    }
    this.isSettling = false
    this.settledAtMs = performance.now()
  }

  /** Those that are listened to, and are nowhere. */
  private homeless(): readonly Subscription[] {
    return [...this.wanted.values()].filter(({ isHeld, connection }) => isHeld && connection?.isOpen !== true)
  }

  /** Some at a time, until of some none succeeds. Says whether any has. */
  private async placeThose(homeless: readonly Subscription[]): Promise<boolean> {
    let isAnyPlaced = false
    for (let start = 0; start < homeless.length; start += AT_ONCE) {
      const some = homeless.slice(start, start + AT_ONCE).filter(({ channel }) => this.wanted.has(channel))
      const outcomes = await Promise.allSettled(some.map((one) => this.place(one)))
      const failed = some.filter((_, index) => outcomes[index]?.status === 'rejected')
      for (const one of failed) this.putLast(one)
      if (failed.length < some.length) isAnyPlaced = true
      else if (some.length > 0) break
    }
    return isAnyPlaced
  }

  /** So that what can't be listened to keeps nobody else waiting. */
  private putLast(subscription: Subscription): void {
    const { channel } = subscription
    if (this.wanted.get(channel) !== subscription) return
    this.wanted.delete(channel)
    this.wanted.set(channel, subscription)
  }
}
