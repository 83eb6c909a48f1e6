/**
 * A session goes from one node to another.
 *
 *   new process                            former process
 *     claim { nonce, seq } ─────────────▶    granted: it freezes, what comes to it is held
 *                          ◀───────────── claimed { claim, snapshot }
 *     commit { claim } ─────────────────▶    still that claim: it has moved; what it holds, and what comes, it forwards
 *                          ◀───────────── committed { late }
 *     tells its client, takes names and rooms, and is the session
 *
 * Invariants: the former process decides, once, in `commit`: nobody is the session before it, and after it only the one that it was granted to. If no commit comes in time, or who has
 * claimed it is no more, the former process goes on. What is sent to the session in between is handled by one of both, in the order in which it has come.
 *
 * Here is what the new process does; the former one's side is in session-departure.ts.
 */
import { call, CallError, type ReplyFor } from '@pidmesh/gen-server'
import type { Context, ExitReason, Pid } from '@pidmesh/runtime'
import type { ClaimCall, ClaimFailure, CommitCall, SessionCall, SessionSnapshot } from './session-protocol.ts'
import type { ResumeFailure } from './session-state.ts'

/** Between a claim and its commit. */
export const MOVE_MS = 5_000
/** For so long a former process forwards: other nodes know of the new one within it. Less than a table waits before it kills who has lost a name. */
export const FORWARD_MS = 4_000
/** So often a session that has moved is followed. */
const MAX_HOPS = 8
/** Of the time that is left a claim has so much at most: what comes after it needs some, too. It may be given up without harm. */
const CLAIM_SHARE = 0.5
/** And a commit: one that was granted and is given up ends the session. Some is left: a process that is not started in time can't say any more why. */
const COMMIT_SHARE = 0.9

/** A session that a client goes on with, which is in another process. */
export interface Former {
  readonly pid: Pid
  readonly nonce: Uint8Array
  /** The number of the last message that the client has. */
  readonly seq: number
  /** It is not where the token says: it was looked for. */
  readonly isFound?: boolean
}

export type Moved =
  | {
      readonly type: 'moved'
      readonly from: Pid
      readonly snapshot: SessionSnapshot
      readonly missed: readonly Buffer[]
    }
  | Exclude<ClaimFailure, { type: 'moved' }>

/** Why a start has failed that was to go on with a session. */
export interface ResumeFailed {
  readonly resume_failed: { readonly why: ResumeFailure | 'busy'; readonly seq: number }
  readonly shutdown: 'resume_failed'
  readonly [key: string]: unknown
}

export function resumeFailed(why: ResumeFailure | 'busy', seq: number): ResumeFailed {
  return { resume_failed: { why, seq }, shutdown: 'resume_failed' }
}

/** Whether a start has failed so. Only a process of this node's own says so of itself. */
export function isResumeFailed(reason: ExitReason): reason is ResumeFailed {
  return typeof reason === 'object' && reason !== null && 'resume_failed' in reason
}

export interface MoveOptions {
  readonly codec: string
  /** Its names are to be given back, since they can't be taken over. */
  readonly release: boolean
  /** Whether its names can be had, as far as that can be known before. */
  readonly canHave: (names: SessionSnapshot['names']) => Promise<boolean>
  /** Whether somebody waits for it still. */
  readonly isWanted: () => boolean
  /** Until when this process has to have begun: on the clock of `self.monotonicMs()`. */
  readonly untilMs: number
}

/** Takes a session over for this process. */
export async function moveFrom(
  self: Context,
  former: Former,
  { codec, release, canHave, isWanted, untilMs }: MoveOptions,
): Promise<Moved> {
  const { nonce, seq } = former
  const request: ClaimCall = { type: 'claim', nonce, seq, codec }
  const gone: Moved = { type: 'failed', why: 'gone', seq }
  let { pid } = former
  const leftMs = (): number => Math.max(0, untilMs - self.monotonicMs())
  let answer = await ask(self, pid, request, leftMs() * CLAIM_SHARE)
  // It may have moved on, more than once: to places of which its client was never told.
  for (let hop = 1; answer.type === 'moved' && hop < MAX_HOPS; hop++) {
    pid = answer.to
    answer = await ask(self, pid, request, leftMs() * CLAIM_SHARE)
  }
  // It is at something that takes long, and calls the claim off when it comes to it: it is not gone.
  if (answer.type === 'timeout' || answer.type === 'moved') return { type: 'busy' }
  if (answer.type === 'noproc' || answer.type === 'noconnection') return gone
  if (answer.type !== 'claimed') return answer
  const { claim, snapshot } = answer
  // After the commit it would be too late: a session that doesn't get its names ends. Its former place learns from this process's end that no commit will come.
  if (!(await canHave(snapshot.names))) return { type: 'busy' }
  // Its client has given up meanwhile, and may have the session already, at its former place.
  if (!isWanted()) return { type: 'busy' }
  const commit: CommitCall = { type: 'commit', claim, to: self.pid, release }
  const committed = await ask(self, pid, commit, leftMs() * COMMIT_SHARE)
  if (committed.type === 'noproc') return gone
  // It goes on where it was, and may be had a moment later. Or that is not known, as the answer is lost, and perhaps the commit: who asks again learns it. This process is not the session in any case.
  if (committed.type !== 'committed') return { type: 'busy' }
  const missed = [...snapshot.missed, ...committed.late].map((frame) => Buffer.from(frame))
  return { type: 'moved', from: pid, snapshot, missed }
}

/** Why there is no answer: it is too late, or lost with the connection, or there is nobody to give one. */
type Unanswered = { readonly type: 'timeout' } | { readonly type: 'noconnection' } | { readonly type: 'noproc' }

async function ask<Request extends SessionCall>(
  self: Context,
  pid: Pid,
  request: Request,
  withinMs: number,
): Promise<ReplyFor<SessionCall, Request> | Unanswered> {
  try {
    return await call<SessionCall, Request>(self, pid, request, Math.min(MOVE_MS, withinMs))
  } catch (thrown) {
    if (!self.isAlive) throw thrown
    self.log.debug({ session: pid.toString(), problem: String(thrown) }, 'a session is not to be had')
    return { type: unanswered(thrown) }
  }
}

function unanswered(thrown: unknown): Unanswered['type'] {
  if (!(thrown instanceof CallError)) return 'noproc'
  if (thrown.code === 'ERR_CALL_TIMEOUT') return 'timeout'
  return thrown.code === 'ERR_CALL_NODEDOWN' ? 'noconnection' : 'noproc'
}
