/**
 * What callbacks return, as data. The methods of GenServer make them.
 */
import type { ExitReason } from '@pidmesh/runtime'

export type InitResult = void | StopResult
export type CallResult = ReplyResult | NoReplyResult | StopResult
export type CastResult = void | NoReplyResult | StopResult
export type InfoResult = CastResult

export interface ReplyResult {
  readonly type: 'reply'
  readonly value: unknown
}

export interface NoReplyResult {
  readonly type: 'noreply'
}

export interface StopResult {
  readonly type: 'stop'
  readonly reason: ExitReason
  /** Sent to the caller before `terminate` runs, if the stop answers a call. */
  readonly reply: { readonly value: unknown } | undefined
}

export const NOREPLY: NoReplyResult = { type: 'noreply' }
