/**
 * What decides about a session: which numbers its messages have, whether it has a socket, who may go on with it. Pure: no socket, no clock, no chance.
 *
 *              attach                       claim by another node
 *   attached ◀─────────▶ detached ─────────────────────────────▶ moving ──commit──▶ moved
 *      │        detach      ▲                                      │
 *      └── claim ───────────┴──────────────── thaw ────────────────┘
 *
 * State: the ring of messages not acknowledged, the count of the client's, the nonce of the token, the number of the last claim.
 *
 * Invariants:
 * - A nonce is good for one resume: the next one takes its place. The one that the client has come with stays good until it has shown that it has the next, by an acknowledgement:
 *   what told it the next may have been lost with the socket, more than once.
 * - A session moves to one place only: `commit` is granted to the last claim, once, and to none after `thaw`. Who isn't granted it must not act as the session.
 * - What can't be replayed is said: a claim fails with the last number that was used.
 */
import { timingSafeEqual } from 'node:crypto'
import { ReplayRing, type RingLimits } from './replay-ring.ts'

export type SessionPhase = 'attached' | 'detached' | 'moving' | 'moved'

/** Why a session can't be gone on with. */
export type ResumeFailure = 'gap' | 'gone' | 'refused'

export type ClaimVerdict =
  | { readonly type: 'granted'; readonly missed: readonly Buffer[] }
  | { readonly type: 'failed'; readonly why: ResumeFailure; readonly seq: number }
  /** It is just being moved by another claim. */
  | { readonly type: 'busy' }

/** A session as it was at another place. */
export interface RestoredState {
  /** The number of the last message that the client has. */
  readonly seq: number
  /** Those after it. */
  readonly missed: readonly Buffer[]
  readonly received: number
  /** The nonce that the client has come with. */
  readonly nonce: Buffer
}

export class SessionState {
  readonly ring: ReplayRing
  /** How many of the client's messages have been taken. */
  received: number
  phase: SessionPhase
  /** The client has acknowledged something: it knows that it has this session. */
  isConfirmed = false
  /** The number of the claim that is under way, or was the last. */
  claims = 0
  private nonce: Buffer | undefined = undefined
  /** The one that the client has come with, until it has shown that it has the next. */
  private former: Buffer | undefined

  constructor(limits: RingLimits, restored?: RestoredState) {
    this.ring = new ReplayRing(limits, restored?.seq ?? 0)
    this.received = restored?.received ?? 0
    this.former = restored?.nonce
    this.phase = 'detached'
    for (const frame of restored?.missed ?? []) this.ring.add(frame)
  }

  /** A socket is there, and its client will be told this nonce. `shown`: the one that it has come with, if it has. */
  attach(nonce: Buffer, shown?: Uint8Array): void {
    this.phase = 'attached'
    if (shown !== undefined) this.former = Buffer.from(shown)
    this.nonce = nonce
  }

  detach(): void {
    if (this.phase === 'attached') this.phase = 'detached'
  }

  /** The client has all messages up to a number. `false` if there is no such number. */
  ack(number: number): boolean {
    if (!this.ring.ack(number)) return false
    this.isConfirmed = true
    this.former = undefined
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
  get token(): Buffer {
    if (this.nonce === undefined) throw new TypeError('a session has no token before it has a socket')
    return this.nonce
  }

  /** Whether a nonce is that of this session's token. */
  knows(nonce: Uint8Array): boolean {
    return isSame(this.nonce, nonce) || isSame(this.former, nonce)
  }
}

function isSame(known: Buffer | undefined, nonce: Uint8Array): boolean {
  return known !== undefined && known.length === nonce.length && timingSafeEqual(known, nonce)
}
