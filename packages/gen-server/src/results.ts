/**
 * What callbacks return, as data. The methods of GenServer make them; which callback may return which stands at the top of gen-server.ts.
 */
import type { ExitReason } from '@pidmesh/runtime'

export type InitResult = void | OkResult | StopResult | IgnoreResult
export type CallResult = ReplyResult | NoReplyResult | StopResult | StopReplyResult
export type CastResult = void | NoReplyResult | StopResult
export type InfoResult = CastResult
export type ContinueResult = CastResult

/** What a server does next, after what a callback returned: one of the three, or just waits for a message. */
export type Next<Continues = unknown> =
  /** Calls `handleContinue` with it, before any other message. */
  | { readonly continue: Continues; readonly timeoutMs?: never; readonly hibernate?: never }
  /** Gives `handleInfo` an `IdleTimeoutMessage` if no message has come after so many milliseconds; 0: if none waits. */
  | { readonly timeoutMs: number; readonly continue?: never; readonly hibernate?: never }
  /** Says that no message is expected soon. Nothing follows from it here: JavaScript offers nothing that it could do. */
  | { readonly hibernate: true; readonly continue?: never; readonly timeoutMs?: never }

/** The server has started. */
export interface OkResult {
  readonly type: 'ok'
  readonly next: Next | undefined
}

/** The caller gets `value`, and the server goes on. */
export interface ReplyResult {
  readonly type: 'reply'
  readonly value: unknown
  readonly next: Next | undefined
}

/** The server goes on. The caller of a call waits for somebody's `reply`. */
export interface NoReplyResult {
  readonly type: 'noreply'
  readonly next: Next | undefined
}

/** The server ends. A caller that waits is told the reason. */
export interface StopResult {
  readonly type: 'stop'
  readonly reason: ExitReason
}

/** The server runs `terminate`, the caller gets `value`, and the server ends: `{stop, Reason, Reply, State}`. */
export interface StopReplyResult {
  readonly type: 'stop_reply'
  readonly value: unknown
  readonly reason: ExitReason
}

/** There is to be no server, and that is no failure: `start` resolves with `undefined`. */
export interface IgnoreResult {
  readonly type: 'ignore'
}

/**
 * No message has come for as long as a callback has asked: see `timeoutMs` of `Next`. Unlike the `timeout` of `self.startTimer` it has a type of its own, so
 * that the two can't be taken for each other.
 */
export interface IdleTimeoutMessage {
  readonly type: 'idle_timeout'
}

export const IGNORE: IgnoreResult = { type: 'ignore' }
export const NOREPLY: NoReplyResult = { type: 'noreply', next: undefined }

/** Whether a callback that isn't held to its types has asked for something that there is. */
export function isNext(next: unknown): next is Next | undefined {
  if (next === undefined) return true
  if (typeof next !== 'object' || next === null) return false
  const { continue: continuation, timeoutMs, hibernate } = next as { readonly [key in keyof Next]?: unknown }
  if (continuation !== undefined) return timeoutMs === undefined && hibernate === undefined
  if (timeoutMs !== undefined) return typeof timeoutMs === 'number' && timeoutMs >= 0 && hibernate === undefined
  return hibernate === true
}
