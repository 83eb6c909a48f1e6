/**
 * Keeps dialing the addresses that this node wants to be connected to: its seeds for ever, what discovery lists while it is listed, learnt ones until they have
 * been silent too long.
 *
 * One attempt an address at a time, with a backoff that doubles from `backoffMs.first` to `backoffMs.most` and jitter, so that a restarted
 * node is not met by all others in the same moment. An address whose node is connected already is left alone until it is not.
 *
 * Invariants: a seed, or a listed address, is being dialed, or waits for its timer, unless the node that has been found *there* is connected, or left alone. One
 * that is connected from elsewhere may have moved, and another one be there. What is said by who has not proved that it knows the cookie never ends the dialing of an
 * address: it makes the next dial come later, or sooner.
 */
import { sameIdentity, type NodeIdentity, type NodeName } from '../ids.ts'
import type { Clock, Logger, Random } from '../ports.ts'
import type { PeerAddress } from '../wire/frame.ts'
import { AddressBook, renew, type Dial, type Target } from './address-book.ts'
import type { ConnectFailure } from './connection.ts'

/** A learnt address that could not be reached for so long is forgotten. */
const FORGET_AFTER_MS = 10 * 60_000
/** A seed at which no node was found for so long may be a wrong address. */
const MISSED_AFTER_MS = 30_000
/** Dials of both sides that may get in each other's way before a dial on request is given up. */
const MAX_TIES = 3
/** Pause after a refusal that only a human can mend. */
const REFUSED_PAUSE_MS = 5_000
/** The longest pause where a node has stopped that nobody has named but it: if it comes back it dials, too, and mostly one of its kind comes in its place, elsewhere. */
const LEFT_PAUSE_MS = 30_000
/** Pause where who is there says that no dial is wanted: that it is a node that is connected already, or left alone, or this one. It may be lying, or move. */
const NEEDLESS_PAUSE_MS = 30_000

export interface DialerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly backoffMs: { readonly first: number; readonly most: number }
  /** Addresses learnt from peers are dialed as seeds are; if not, only when someone wants to reach their node. */
  readonly dialsLearnt: boolean
  readonly isConnected: (node: NodeName) => boolean
  readonly dial: (address: string, onFailed: (failure: ConnectFailure) => void, onUp: (node: NodeName) => void) => Dial
}

export class Dialer {
  private readonly options: DialerOptions
  private readonly book: AddressBook
  /** Those who wait until a node is connected, and which. */
  private readonly onConnected = new Map<() => void, NodeName>()
  private stopped = false

  constructor(options: DialerOptions) {
    this.options = options
    const { dialsLearnt, isConnected } = options
    this.book = new AddressBook({ dialsLearnt, isConnected, onForgotten: (target) => this.onForgotten(target) })
  }

  /** Dials a seed, now and whenever it is not connected. Resolves with the outcome of the first attempt: `undefined` if it is connected. */
  addSeed(address: string): Promise<ConnectFailure | undefined> {
    return new Promise((resolve) => {
      const target = this.book.find(address)
      target.isSeed = true
      target.onOutcome.push(resolve)
      this.attempt(target)
    })
  }

  learn({ name, address }: PeerAddress): void {
    if (address === '') return
    const target = this.book.learn(address)
    if (target === undefined) return
    if (target.node !== name) {
      if (target.connection !== undefined || this.book.isThere(target)) return
      this.book.found(target, name)
      renew(target)
    }
    if (!this.options.isConnected(name)) target.isProven = true
    // It has moved. Where each is dialed unasked, its old address is forgotten when it has been silent for long enough.
    if (!this.options.dialsLearnt)
      for (const other of this.book.of(name)) if (other !== target) this.book.forgetLearnt(other)
    // Somebody has it, so it is back.
    if (target.hasLeft) {
      target.hasLeft = false
      this.retry(target)
    }
    // One that is known, too, may have been left alone for the node that was there before.
    if (target.timer === undefined && this.book.isDialedUnasked(target)) this.attempt(target)
  }

  /**
   * The addresses that discovery lists now, all of them. One that has vanished is dialed no more, unless it is a seed, or was learnt from a node
   * that is connected, and there.
   */
  list(addresses: ReadonlySet<string>): void {
    if (this.stopped) return
    for (const target of this.book.all) {
      if (!target.isListed || addresses.has(target.address)) continue
      target.isListed = false
      target.isLearnt &&= this.book.isThere(target)
      this.book.forgetUnwanted(target)
    }
    for (const address of addresses) {
      const target = this.book.find(address)
      target.isListed = true
      // One that is known is being dialed already, unless it was only remembered.
      if (target.timer === undefined) this.attempt(target)
      else if (target.hasLeft) this.retry(target)
    }
  }

  /** A dial of ours is under way that has led to this node, or to one that says it is. */
  isDialing(node: NodeIdentity): boolean {
    for (const { connection } of this.book.all) {
      const claimed = connection?.claimedPeer
      if (claimed !== undefined && sameIdentity(claimed, node)) return true
    }
    return false
  }

  /** The node has been disconnected on purpose. */
  hold(node: NodeName): void {
    const oldest = this.book.oneTooManyHeld
    if (oldest !== undefined) this.release(oldest)
    this.book.hold(node)
  }

  /** The node has been disconnected on purpose, and nobody has wanted it back. */
  isLeftAlone(node: NodeName): boolean {
    return this.book.isLeftAlone(node)
  }

  /** There is a connection to the node, whoever has dialed: it wants to be dialed at `address`. Other addresses of it may be another node's by now. */
  onUp({ name, address }: PeerAddress): void {
    this.release(name)
    for (const [tell, wanted] of this.onConnected) if (wanted === name) tell()
    const there = this.book.get(address)
    if (there !== undefined && there.node !== name) {
      this.book.found(there, name)
      renew(there)
    }
    for (const target of this.book.of(name)) {
      target.isProven = target === there
      if (!this.book.isSettled(target)) this.retry(target)
    }
  }

  /**
   * Whether what is sent to a node may wait for a dial: its address is known, and is being dialed for the first time, or isn't dialed without being
   * asked for. One that was lost, or that the last dial hasn't found, is a node that can't be reached.
   */
  canReach(node: NodeName): boolean {
    if (this.book.isLeftAlone(node)) return false
    for (const target of this.book.of(node)) {
      if (target.isLost) continue
      if (target.connection !== undefined && target.failures === 0) return true
      if (!this.book.isDialedUnasked(target) && !this.isPaused(target)) return true
    }
    return false
  }

  /** Dials a node whose addresses are known, now. Resolves with whether it is connected: as soon as it is, or when no dial has come to anything. */
  async redial(node: NodeName): Promise<boolean> {
    this.book.unhold(node)
    let stopWaiting = (): void => undefined
    const connected = new Promise<void>((resolve) => {
      this.onConnected.set(resolve, node)
      stopWaiting = () => this.onConnected.delete(resolve)
    })
    const outcomes = this.book.of(node).map((target) => this.outcomeOf(target))
    await Promise.race([connected, Promise.all(outcomes)])
    stopWaiting()
    return this.options.isConnected(node)
  }

  /** The connection to a node was lost, or the node `hasLeft`: dials it again soon. */
  onDown(node: NodeName, hasLeft: boolean): void {
    for (const target of this.book.of(node)) {
      if (!this.book.isDialedUnasked(target)) continue
      target.isLost = true
      target.hasLeft = hasLeft
      this.retry(target)
    }
  }

  stop(): void {
    this.stopped = true
    for (const target of this.book.all) {
      target.timer?.cancel()
      target.connection?.close()
      this.settle(target, { type: 'unreachable', detail: 'this node has been stopped' })
    }
    this.book.clear()
  }

  /** It is left alone no longer. */
  private release(node: NodeName): void {
    if (!this.book.unhold(node)) return
    for (const target of this.book.of(node)) {
      if (this.book.forgetUnwanted(target)) continue
      if (this.book.isDialedUnasked(target)) this.retry(target)
    }
  }

  /** Resolves when an attempt, this one or the next, has come to an end that isn't just the other side's dial getting in its way. */
  private async outcomeOf(target: Target): Promise<void> {
    for (let tries = 0; tries < MAX_TIES; tries++) {
      const failure = await new Promise<ConnectFailure | undefined>((resolve) => {
        target.onOutcome.push(resolve)
        // In a tie the next attempt is on its way.
        if (target.timer === undefined || tries === 0) this.attempt(target)
      })
      if (failure === undefined || !isTie(failure)) return
      // Forgotten since, or this node has stopped: no other try comes.
      if (this.book.get(target.address) !== target) return
    }
  }

  private isPaused({ failedAtMs }: Target): boolean {
    return failedAtMs !== undefined && this.options.clock.monotonicMs() - failedAtMs < this.options.backoffMs.most
  }

  private attempt(target: Target): void {
    if (this.stopped || target.connection !== undefined) return
    if (this.book.isSettled(target)) {
      this.settle(target, undefined)
      return
    }
    target.connection = this.options.dial(
      target.address,
      (failure) => this.onFailed(target, failure),
      (node) => {
        this.book.found(target, node)
        target.isProven = true
        target.connection = undefined
        renew(target)
        this.settle(target, undefined)
        this.book.forgetUnwanted(target)
      },
    )
  }

  private onForgotten(target: Target): void {
    target.timer?.cancel()
    this.settle(target, { type: 'unreachable', detail: 'the address is no longer known' })
  }

  private onFailed(target: Target, failure: ConnectFailure): void {
    target.connection = undefined
    target.failures++
    this.settle(target, failure)
    if (this.book.forgetUnwanted(target)) return
    if (failure.type !== 'refused') {
      const { address, isListed } = target
      const detail = 'detail' in failure ? failure.detail : undefined
      const isFirst = isListed && target.failures === 1
      this.options.log[isFirst ? 'info' : 'debug']({ address, failure: failure.type, detail }, 'dial failed')
      // Once may be a node that was just ending.
      target.strangeDials = failure.type === 'no_node' ? target.strangeDials + 1 : 0
      if (target.strangeDials === 2)
        this.options.log.warn(
          { address, detail },
          'what listens there does not answer as a node: are the transport and TLS the same on both sides?',
        )
      const unreachableMs = this.missed(target)
      // Where a node was once, or something else answers, that stands in the log.
      const isMissed = target.isSeed && target.node === undefined && target.strangeDials === 0
      if (isMissed && !target.isMissed && unreachableMs >= MISSED_AFTER_MS) {
        target.isMissed = true
        this.options.log.warn(
          { address, failure: failure.type, detail },
          'seed not reached for half a minute, and dialed on: is the address right?',
        )
      }
      if (!this.book.forgetUnwanted(target) && this.book.isDialedUnasked(target)) this.retry(target)
      return
    }
    // Nothing of it is proven: good enough to try again when that node is lost, or wanted.
    if (failure.peer !== undefined && !target.isLearnt && !this.book.isSettled(target))
      this.book.found(target, failure.peer.name)
    this.onRefused(target, failure)
  }

  /** Its node is not there. Says for how long it has not been. */
  private missed(target: Target): number {
    const nowMs = this.options.clock.monotonicMs()
    target.unreachableSinceMs ??= nowMs
    target.failedAtMs = nowMs
    const unreachableMs = nowMs - target.unreachableSinceMs
    if (unreachableMs > FORGET_AFTER_MS) target.isLearnt = false
    return unreachableMs
  }

  private onRefused(target: Target, failure: ConnectFailure & { type: 'refused' }): void {
    switch (failure.code) {
      case 'self':
        this.missed(target)
        if (!this.book.forgetUnwanted(target)) this.retry(target, NEEDLESS_PAUSE_MS)
        return
      case 'already_connected':
        if (failure.by === 'peer') this.retry(target)
        else if (this.book.isDialedUnasked(target)) this.retry(target, NEEDLESS_PAUSE_MS)
        return
      case 'simultaneous':
        this.retry(target)
        return
      case 'bad_cookie':
      case 'bad_certificate':
      case 'duplicate_name':
      case 'version':
      case 'protocol':
        if (target.lastRefusal !== failure.code) {
          target.lastRefusal = failure.code
          this.options.log.warn({ address: target.address, code: failure.code, by: failure.by }, 'connection refused')
        }
        // Somebody is there, but not the node that was.
        if (!this.book.isInUse(target)) this.missed(target)
        if (!this.book.forgetUnwanted(target)) this.retry(target, REFUSED_PAUSE_MS)
    }
  }

  private retry(target: Target, pauseMs?: number): void {
    if (this.stopped) return
    const { first } = this.options.backoffMs
    const isOnlyLearnt = !target.isSeed && !target.isListed
    const most = target.hasLeft && isOnlyLearnt ? LEFT_PAUSE_MS : this.options.backoffMs.most
    const backoffMs = pauseMs ?? Math.min(most, first * 2 ** Math.min(target.failures, 20))
    const delayMs = backoffMs * (0.5 + this.options.random.fraction() / 2)
    const dueMs = this.options.clock.monotonicMs() + delayMs
    if (target.timer !== undefined && target.dueMs <= dueMs) return
    target.timer?.cancel()
    target.dueMs = dueMs
    target.timer = this.options.clock.setTimer(delayMs, () => {
      target.timer = undefined
      this.attempt(target)
    })
  }

  private settle(target: Target, failure: ConnectFailure | undefined): void {
    for (const tell of target.onOutcome.splice(0)) tell(failure)
  }
}

/** Of two dials, ours and theirs, the other has won, or has come first: there is about to be a connection, or there is one as far as they know. */
function isTie(failure: ConnectFailure): boolean {
  if (failure.type !== 'refused' || failure.by === 'us') return false
  return failure.code === 'simultaneous' || failure.code === 'already_connected'
}
