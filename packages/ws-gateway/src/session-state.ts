/**
 * What decides about a session: which numbers its messages have, whether it has a socket, who may go on with it. Pure: no socket, no clock, no chance.
 *
 *              attach                       claim by another node
 *   attached ◀─────────▶ detached ─────────────────────────────▶ moving ──commit──▶ moved
 *      │        detach      ▲                                      │
 *      └── claim ───────────┴──────────────── thaw ────────────────┘
 *
 * State: the ring of messages not acknowledged, the count of the client's, the nonces of tokens that are good, the number of the last claim.
 *
 * Invariants:
 * - A nonce is good for one resume: the next one takes its place. The one that the client has come with stays good, and so do those that it was told since, until it has shown which
 *   it has, by an acknowledgement or by coming with it: what told it the next may have been lost with the socket, more than once; and who has come with its nonce may have been late,
 *   so that the client has a newer one.
 * - A session moves to one place only: `commit` is granted to the last claim, once, and to none after `thaw`. Who isn't granted it must not act as the session.
 * - What can't be replayed is said: a claim fails with the last number that was used.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Frame } from './frame.ts'
import { ReplayRing, type RingLimits } from './replay-ring.ts'

export type SessionPhase = 'attached' | 'detached' | 'moving' | 'moved'

/** Why a session can't be gone on with. */
export type ResumeFailure = 'gap' | 'gone' | 'refused'

export type ClaimVerdict =
  | { readonly type: 'granted'; readonly missed: readonly Frame[] }
  | { readonly type: 'failed'; readonly why: ResumeFailure; readonly seq: number }
  /** It is just being moved by another claim. */
  | { readonly type: 'busy' }

/** A session as it was at another place. */
export interface RestoredState {
  /** The number of the last message that the client has. */
  readonly seq: number
  /** Those after it. */
  readonly missed: readonly Frame[]
  readonly received: number
  readonly isConfirmed: boolean
  /** The nonces that were good there, the oldest first. */
  readonly nonces: readonly Buffer[]
}

/** Of more resumes than that, one after the other, the client would have to lose the answer. */
const MAX_NONCES = 8

export class SessionState {
  readonly ring: ReplayRing
  /** How many of the client's messages have been taken. */
  received: number
  phase: SessionPhase
  /** The client has acknowledged something: it knows that it has this session. */
  isConfirmed: boolean
  /** The number of the claim that is under way, or was the last. */
  claims = 0
  /** Those that are good, the oldest first: the last one is what the client was told last. */
  private good: readonly Buffer[]

  constructor(limits: RingLimits, restored?: RestoredState) {
    this.ring = new ReplayRing(limits, restored?.seq ?? 0)
    this.received = restored?.received ?? 0
    this.isConfirmed = restored?.isConfirmed ?? false
    this.good = restored?.nonces ?? []
    this.phase = 'detached'
    for (const frame of restored?.missed ?? []) this.ring.add(frame)
  }

  /** A socket is there, and its client will be told this nonce. `shown`: the one that it has come with, if it has. */
  attach(nonce: Buffer, shown?: Uint8Array): void {
    this.phase = 'attached'
    const [first, ...others] = shown === undefined ? this.good : this.good.slice(this.indexOf(shown))
    const kept = first === undefined ? [] : [first, ...others.slice(-(MAX_NONCES - 2))]
    this.good = [...kept, nonce]
  }

  detach(): void {
    if (this.phase === 'attached') this.phase = 'detached'
  }

  /** The client has all messages up to a number. `false` if there is no such number. */
  ack(number: number): boolean {
    if (!this.ring.ack(number)) return false
    this.isConfirmed = true
    this.good = this.good.slice(-1)
    return true
  }

  /** Somebody comes with a nonce, and has all messages up to a number. */
  claim(nonce: Uint8Array, seq: number): ClaimVerdict {
    if (!this.knows(nonce) || this.phase === 'moved') return { type: 'failed', why: 'refused', seq: this.ring.last }
    if (this.phase === 'moving') return { type: 'busy' }
    const missed = this.ring.after(seq)
    return missed === undefined ? { type: 'failed', why: 'gap', seq: this.ring.last } : { type: 'granted', missed }
  }

  /** A claim of another node has been granted: until `commit` or `thaw` nothing is pushed. Gives the claim's number. */
  freeze(): number {
    this.phase = 'moving'
    return ++this.claims
  }

  /** The claim has come to nothing. `false` if it is another one that is under way, or none. */
  thaw(claim: number): boolean {
    if (this.phase !== 'moving' || claim !== this.claims) return false
    this.phase = 'detached'
    return true
  }

  /** From now on the session is where the claim came from. `false` if that claim isn't under way any more. */
  commit(claim: number): boolean {
    if (this.phase !== 'moving' || claim !== this.claims) return false
    this.phase = 'moved'
    return true
  }

  /** The nonce that the client has been told last. @throws TypeError before the first `attach` */
  get nonce(): Buffer {
    const last = this.good.at(-1)
    if (last === undefined) throw new TypeError('a session has no token before it has a socket')
    return last
  }

  /** All that are good, the oldest first. */
  get nonces(): readonly Buffer[] {
    return this.good
  }

  /** Whether a nonce is that of this session's token. */
  knows(nonce: Uint8Array): boolean {
    return this.indexOf(nonce) >= 0
  }

  /** Whether a nonce is the one that the client was told last. */
  isNewest(nonce: Uint8Array): boolean {
    return this.good.length > 0 && this.indexOf(nonce) === this.good.length - 1
  }

  private indexOf(nonce: Uint8Array): number {
    return this.good.findIndex((known) => known.length === nonce.length && timingSafeEqual(known, nonce))
  }
}
