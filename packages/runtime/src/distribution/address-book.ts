/**
 * The addresses that this node may dial: why each is dialed, who is there, and since when nobody has been.
 *
 *   seed ────── for ever
 *   listed ──── while discovery lists it                   each may be all three
 *   learnt ──── from peers, until it has been silent too long, or is one too many
 *
 * Invariants: an address is in the book once, and in the index of the node that is there, as far as is known. One that nobody wants is forgotten as soon as no dial of it is under
 * way: that is left to come to its end, so that the tie of two dials is still seen. The address of a node that is left alone is remembered: found again it would be a stranger's.
 *
 * What is under way at an address, its dial, its timer and who waits for it, stands in its entry and is the dialer's (dialer.ts).
 */
import type { NodeName } from '../ids.ts'
import type { TimerHandle } from '../ports.ts'
import type { ConnectFailure, Connection } from './connection.ts'

/** What the dialer needs of a connection that is being made. */
export type Dial = Pick<Connection, 'close' | 'claimedPeer'>

/** Addresses learnt from peers that are remembered at most; and nodes that are left alone. */
const MAX_LEARNT = 1_024

export interface Target {
  readonly address: string
  /** Why it is dialed; one of them is true. */
  isSeed: boolean
  isListed: boolean
  isLearnt: boolean
  /** Who is there, as far as is known. */
  node: NodeName | undefined
  /**
   * `node` was found there by a dial of ours, or wants to be dialed there, and has not been connected from elsewhere since. Otherwise it was there once, or somebody who
   * has proved nothing has said that it is.
   */
  isProven: boolean
  failures: number
  /** Its node was connected, and is not any more. */
  isLost: boolean
  /** Its node has stopped, and said so. */
  hasLeft: boolean
  /** When the last attempt has failed: nobody gets another by a send before the backoff is over. */
  failedAtMs: number | undefined
  unreachableSinceMs: number | undefined
  connection: Dial | undefined
  timer: TimerHandle | undefined
  /** When the timer fires. */
  dueMs: number
  lastRefusal: string | undefined
  /** It is a seed at which no node was ever found, and that has been logged. */
  isMissed: boolean
  /** Dials in turn that have found something else than a node. */
  strangeDials: number
  /** Those who wait for the outcome of the attempt that is under way, or of the next. */
  onOutcome: Array<(failure: ConnectFailure | undefined) => void>
}

export interface AddressBookOptions {
  /** Addresses learnt from peers are dialed as seeds are; if not, only when someone wants to reach their node. */
  readonly dialsLearnt: boolean
  readonly isConnected: (node: NodeName) => boolean
  /** It is in the book no more. */
  readonly onForgotten: (target: Target) => void
}

export class AddressBook {
  private readonly options: AddressBookOptions
  private readonly targets = new Map<string, Target>()
  private readonly byNode = new Map<NodeName, Set<Target>>()
  /** Nodes that were disconnected on purpose, by us or by themselves: left alone until someone wants them back. */
  private readonly held = new Set<NodeName>()

  constructor(options: AddressBookOptions) {
    this.options = options
  }

  /** All of them, as they are now. */
  get all(): readonly Target[] {
    return [...this.targets.values()]
  }

  /** Those at which a node is, as far as is known, as they are now. */
  of(node: NodeName): readonly Target[] {
    return [...(this.byNode.get(node) ?? [])]
  }

  get(address: string): Target | undefined {
    return this.targets.get(address)
  }

  /** The address as a target, a new one if there is none yet: the caller says why it is one. */
  find(address: string): Target {
    const known = this.targets.get(address)
    if (known !== undefined) return known
    const target: Target = {
      address,
      isSeed: false,
      isListed: false,
      isLearnt: false,
      node: undefined,
      isProven: false,
      failures: 0,
      isLost: false,
      hasLeft: false,
      failedAtMs: undefined,
      unreachableSinceMs: undefined,
      connection: undefined,
      timer: undefined,
      dueMs: 0,
      lastRefusal: undefined,
      isMissed: false,
      strangeDials: 0,
      onOutcome: [],
    }
    this.targets.set(address, target)
    return target
  }

  /** As `find`, of an address that was learnt: `undefined` if there are too many, of which none can be forgotten. */
  learn(address: string): Target | undefined {
    const known = this.targets.get(address)
    if (known === undefined && this.countLearnt() >= MAX_LEARNT && !this.forgetOldest()) return undefined
    const target = known ?? this.find(address)
    target.isLearnt = true
    return target
  }

  /** Who is at the address, as far as is known. That it is proven is for the caller to say. */
  found(target: Target, node: NodeName): void {
    if (target.node === node) return
    this.lose(target)
    target.node = node
    target.isProven = false
    const targets = this.byNode.get(node)
    if (targets === undefined) this.byNode.set(node, new Set([target]))
    else targets.add(target)
  }

  clear(): void {
    this.targets.clear()
    this.byNode.clear()
  }

  // Nodes that are left alone.

  /** It is left alone from now on. */
  hold(node: NodeName): void {
    this.held.add(node)
  }

  /** It is left alone no longer. `false` if it wasn't. */
  unhold(node: NodeName): boolean {
    return this.held.delete(node)
  }

  isLeftAlone(node: NodeName): boolean {
    return this.held.has(node)
  }

  /** Of those that are left alone the one that has to make room for another, if one has to. */
  get oneTooManyHeld(): NodeName | undefined {
    const [oldest] = this.held
    return this.held.size >= MAX_LEARNT ? oldest : undefined
  }

  // What follows from what is known of an address.

  /** Its node is connected, and that is where it is. */
  isThere({ node, isProven }: Target): boolean {
    return node !== undefined && isProven && this.options.isConnected(node)
  }

  /** No dial is wanted. An address that is only learnt is dialed for its node, wherever that is; a seed and what is listed for whoever is there. */
  isSettled(target: Target): boolean {
    if (this.isThere(target) || this.isHeld(target)) return true
    const { node, isSeed, isListed } = target
    return node !== undefined && !isSeed && !isListed && (this.options.isConnected(node) || this.held.has(node))
  }

  isInUse({ connection, node }: Target): boolean {
    return connection !== undefined || (node !== undefined && this.options.isConnected(node))
  }

  /** Whether it is dialed without being asked for. */
  isDialedUnasked({ isSeed, isListed }: Target): boolean {
    return isSeed || isListed || this.options.dialsLearnt
  }

  /** Its node has been disconnected on purpose, and that is where it was. */
  private isHeld({ node, isProven }: Target): boolean {
    return node !== undefined && isProven && this.held.has(node)
  }

  // Forgetting.

  /** Forgets the address if nobody wants it. Says whether it has. */
  forgetUnwanted(target: Target): boolean {
    if (target.isSeed || target.isListed || target.isLearnt || target.connection !== undefined) return false
    if (this.isHeld(target)) return false
    this.targets.delete(target.address)
    this.lose(target)
    this.options.onForgotten(target)
    return true
  }

  /** Forgets the address if it is one that was learnt, and nothing else. Says whether it has. */
  forgetLearnt(target: Target): boolean {
    if (!target.isLearnt || this.isInUse(target)) return false
    target.isLearnt = false
    return this.forgetUnwanted(target)
  }

  private forgetOldest(): boolean {
    for (const target of this.targets.values()) if (this.forgetLearnt(target)) return true
    return false
  }

  private countLearnt(): number {
    let count = 0
    for (const { isLearnt } of this.targets.values()) if (isLearnt) count++
    return count
  }

  private lose(target: Target): void {
    const { node } = target
    if (node === undefined) return
    const targets = this.byNode.get(node)
    targets?.delete(target)
    if (targets?.size === 0) this.byNode.delete(node)
  }
}

/** What was tried there before says nothing any more. */
export function renew(target: Target): void {
  target.failures = 0
  target.isLost = false
  target.hasLeft = false
  target.failedAtMs = undefined
  target.unreachableSinceMs = undefined
  target.lastRefusal = undefined
  target.strangeDials = 0
}
