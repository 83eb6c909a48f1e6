/**
 * How a session leaves its process for another one: the former process's side of session-move.ts.
 *
 *   claim ─▶ packed ─▶ Departure: what comes is held ─┬─ commit ──▶ it is forwarded
 *                                                     └─ callOff ─▶ it is handled here
 *
 * State: who has claimed the session, what is held for it, and where it is after the commit. The session's own state (session-state.ts) says which claim counts.
 *
 * Invariants: a commit is granted once, and to the claim that is under way; what is held is handled or forwarded once, in the order in which it has come.
 */
import { encodedBytes, hasType, type Pid, type Ref } from '@pidmesh/runtime'
import { bytesOf } from './frame.ts'
import { PresenceChange } from './presence-server.ts'
import { FORWARD_MS, MOVE_MS } from './session-move.ts'
import {
  Deadline,
  SocketRefreshed,
  type ClaimCall,
  type ClaimFailure,
  type CommitCall,
  type Committed,
  type SessionSnapshot,
} from './session-protocol.ts'
import type { Seat } from './session-seat.ts'
import type { SessionState } from './session-state.ts'
import type { AnySession } from './session.ts'

/** What comes to a frozen session. More than that, and the move is called off. */
const MAX_HELD = 1_000

/** What is asked for can't be this session's: its token, or the subprotocol that its frames are of. */
export function refusedBy({ ring }: SessionState): ClaimFailure & { readonly type: 'failed' } {
  return { type: 'failed', why: 'refused', seq: ring.last }
}

export type Packed = { readonly type: 'packed'; readonly snapshot: SessionSnapshot } | ClaimFailure

export interface Traveller {
  readonly seat: Seat
  readonly session: AnySession
  readonly state: SessionState
}

/** What goes along with a claim, if the session may go. Nothing has changed by it. */
export async function packed({ seat, session, state }: Traveller, request: ClaimCall): Promise<Packed> {
  const { client, self } = seat
  const isWellFormed = request.nonce instanceof Uint8Array && request.codec === client.outbox.codec.name
  if (isWellFormed && client.isPast(request.nonce)) return { type: 'busy' }
  const claim = () => (isWellFormed ? state.claim(request.nonce, request.seq) : refusedBy(state))
  const handedOver = claim().type === 'granted' ? await session.handOver() : undefined
  // Once more: what was pushed meanwhile is missed, too.
  const verdict = claim()
  if (verdict.type !== 'granted') return verdict
  const snapshot: SessionSnapshot = {
    missed: verdict.missed.map(bytesOf),
    received: state.received,
    isConfirmed: state.isConfirmed,
    nonces: state.nonces,
    ...seat.belongings,
    state: handedOver,
  }
  try {
    encodedBytes(snapshot)
  } catch (thrown) {
    seat.hub.faults.error(
      { session: self.pid.toString(), problem: String(thrown) },
      'a session can not go to another node: what its handOver gives is not sendable',
    )
    return { type: 'failed', why: 'gone', seq: state.ring.last }
  }
  return { type: 'packed', snapshot }
}

/** What comes to a process while its session goes, and after it has gone. */
export class Departure {
  /** Of the claim. */
  readonly number: number
  /** Where the session is now. */
  to: Pid | undefined = undefined
  private readonly seat: Seat
  private readonly state: SessionState
  /** The number of the last message to the client that the claim was told of. */
  private readonly seq: number
  private readonly monitor: Ref
  private held: unknown[] = []

  /** From now on the session is frozen. */
  constructor(seat: Seat, state: SessionState, claimer: Pid) {
    this.seat = seat
    this.state = state
    this.seq = state.ring.last
    this.number = state.freeze()
    this.monitor = seat.self.monitor(claimer)
    this.remindMe(MOVE_MS, 'move')
  }

  /** Whether it says that who has claimed the session is no more: no commit will come, or the session has ended there. */
  isEndOfClaimer(message: unknown): boolean {
    return hasType(message, 'DOWN') && this.monitor.equals(message.ref)
  }

  /** Keeps a message, or forwards it. `false` if it is one too many to be kept. */
  take(message: unknown): boolean {
    if (this.to === undefined) return this.held.push(message) <= MAX_HELD
    this.forward(this.to, message)
    return true
  }

  /** The session is there from now on, if the claim still counts. */
  async commit({ claim, release, to }: CommitCall): Promise<Committed | { readonly type: 'fenced' }> {
    const { seat, state } = this
    const { outbox } = seat.client
    const pushed = state.ring.after(this.seq)
    // More was pushed meanwhile than it keeps: who comes later is told of the gap.
    if (pushed === undefined || !state.commit(claim)) return { type: 'fenced' }
    const late = [...pushed, ...outbox.heldFrames].map(bytesOf)
    outbox.isClosed = true
    seat.hub.hasGone(seat.pid)
    if (release) await seat.ownNames.release()
    this.to = to
    for (const message of this.takeBack()) this.forward(to, message)
    seat.hub.components.counters.countResume('moved')
    this.remindMe(FORWARD_MS, 'forward')
    return { type: 'committed', late }
  }

  /** The session stays: what was held is for it to handle itself. `undefined` if it is too late for that. */
  callOff(): readonly unknown[] | undefined {
    if (!this.state.thaw(this.number)) return undefined
    this.seat.self.demonitor(this.monitor, { flush: true })
    return this.takeBack()
  }

  private remindMe(afterMs: number, of: 'move' | 'forward'): void {
    const { self } = this.seat
    self.sendAfter(afterMs, self.pid, new Deadline(of, this.number))
  }

  private forward(to: Pid, message: unknown): void {
    // Of its own gateway, which tells the new one by itself what there is to say.
    if (message instanceof PresenceChange || message instanceof SocketRefreshed) return
    const { self, hub } = this.seat
    try {
      self.send(to, message)
    } catch (thrown) {
      // What comes after it goes on.
      hub.faults.warn(
        { session: self.pid.toString(), problem: String(thrown) },
        'a message was lost with which a session can not move',
      )
    }
  }

  private takeBack(): readonly unknown[] {
    const { held } = this
    this.held = []
    return held
  }
}
