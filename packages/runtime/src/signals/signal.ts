/**
 * The signals that one node sends to another: the domain form of `Signal` in wire/dist.proto.
 *
 * `from` and `to` are process ids; which node they belong to follows from the direction of the signal, and which life of it from the
 * connection, whose two incarnations were authenticated. An owner that is named inside a frame would not be trusted.
 */
import { isErrorReason, trimReason, type ExitReason } from '../reasons.ts'

export type Signal =
  /** A message to a pid; `payload` is an encoded term. */
  | { readonly type: 'send'; readonly from: number; readonly to: number; readonly payload: Uint8Array }
  | { readonly type: 'send_name'; readonly from: number; readonly name: string; readonly payload: Uint8Array }
  /** A message to an alias: `to` is the id of the reference. */
  | { readonly type: 'send_alias'; readonly from: number; readonly to: number; readonly payload: Uint8Array }
  /** `exit(pid, reason)`. */
  | { readonly type: 'exit'; readonly from: number; readonly to: number; readonly reason: ExitReason }
  | { readonly type: 'link'; readonly from: number; readonly to: number }
  /** A linked process has ended, or there was none to link to (`noproc`). */
  | { readonly type: 'link_exit'; readonly from: number; readonly to: number; readonly reason: ExitReason }
  /** `id` tells it from other `unlink`s of the same two. */
  | { readonly type: 'unlink'; readonly from: number; readonly to: number; readonly id: number }
  /** The other side has seen the `unlink` of this id: from here on a `link` between the two counts again. */
  | { readonly type: 'unlink_ack'; readonly from: number; readonly to: number; readonly id: number }
  /** `ref` is the id of the watcher's reference and names the monitor on this connection. */
  | { readonly type: 'monitor'; readonly from: number; readonly ref: number; readonly to: number | string }
  | { readonly type: 'demonitor'; readonly ref: number }
  | { readonly type: 'down'; readonly ref: number; readonly reason: ExitReason }

/** A larger exit reason goes to other nodes as `unsendable_reason`. */
export const MAX_REASON_BYTES: number = 64 * 1024

/** What a signal takes on the wire beside its payload, reason or name. */
const OVERHEAD_BYTES = 32

/** An upper bound of what a signal takes on the wire: what a batch is measured by. */
export function signalBytes(signal: Signal): number {
  if ('payload' in signal)
    return OVERHEAD_BYTES + signal.payload.length + ('name' in signal ? signal.name.length * 3 : 0)
  if ('reason' in signal) return OVERHEAD_BYTES + reasonBytes(signal.reason)
  return OVERHEAD_BYTES + ('to' in signal && typeof signal.to === 'string' ? signal.to.length * 3 : 0)
}

function reasonBytes(reason: ExitReason): number {
  // A character takes three bytes of UTF-8 at most.
  if (typeof reason === 'string') return Math.min(MAX_REASON_BYTES, 8 + reason.length * 3)
  // Read once: a getter may say something else each time.
  const trimmed = trimReason(reason)
  if (!isErrorReason(trimmed)) return MAX_REASON_BYTES
  const { name, message, stack = '', code = '', causes } = trimmed.error
  if (causes !== undefined) return MAX_REASON_BYTES
  return Math.min(MAX_REASON_BYTES, 64 + (name.length + message.length + stack.length + code.length) * 3)
}

/** What happened to a signal at its sender: on its way, on its way but the connection is congested, or dropped for lack of a connection. */
export type SendStatus = 'ok' | 'busy' | 'noconnection'

/** The outcome of a send that has waited while the connection was congested. */
export type SentStatus = Exclude<SendStatus, 'busy'>
