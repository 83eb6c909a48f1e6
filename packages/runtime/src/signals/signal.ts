/**
 * The signals that one node sends to another: the domain form of `Signal` in wire/dist.proto.
 *
 * `from` and `to` are process ids; which node they belong to follows from the direction of the signal, and which life of it from the
 * connection, whose two incarnations were authenticated. An owner that is named inside a frame would not be trusted.
 *
 * All signals of one `from` to one node arrive in the order in which they were sent.
 */
import type { ExitReason } from '../reasons.ts'
import type { Slice } from '../slice.ts'

/** What a signal that is a message holds. */
interface Message {
  readonly from: number
  /** An encoded term. */
  readonly payload: Slice
  /** The context in which it is to be handled, if any: an encoded `Carrier`. At most `MAX_CONTEXT_BYTES`. */
  readonly context?: Slice | undefined
}

export type Signal =
  /** A message to a pid. */
  | ({ readonly type: 'send'; readonly to: number } & Message)
  | ({ readonly type: 'send_name'; readonly name: string } & Message)
  /** A message to an alias: `to` is the id of the reference. */
  | ({ readonly type: 'send_alias'; readonly to: number } & Message)
  /** The same, to the alias of a request, whose monitor the sender's node has ended with it. */
  | ({ readonly type: 'answer'; readonly to: number } & Message)
  /** One message to many pids. */
  | ({ readonly type: 'send_many'; readonly to: readonly number[] } & Message)
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
  | { readonly type: 'demonitor'; readonly from: number; readonly ref: number }
  /**
   * A `monitor`, and the message that the one who is watched is to answer to the alias of the same reference. The node that has it ends it when something is sent
   * there, and says so (`answer`): no `demonitor` follows. What is sent there by others, or before it has come, is a `send_alias`.
   */
  | ({ readonly type: 'request'; readonly ref: number; readonly to: number | string } & Message)
  /** `from` is whose end it is: it comes after all that this process has sent. 0 if there was no such process. */
  | { readonly type: 'down'; readonly from: number; readonly ref: number; readonly reason: ExitReason }

/** Receivers that one `send_many` names at most. */
export const MAX_RECEIVERS = 65_536

/** Of a carrier of 1 KiB, and what is around its texts. */
export const MAX_CONTEXT_BYTES: number = 2 * 1024

/** A larger exit reason goes to other nodes as `unsendable_reason`. */
export const MAX_REASON_BYTES: number = 64 * 1024

/** What happened to a signal at its sender: on its way, on its way but the connection is congested, or dropped for lack of a connection. */
export type SendStatus = 'ok' | 'busy' | 'noconnection'

/** The outcome of a send that has waited while the connection was congested. */
export type SentStatus = Exclude<SendStatus, 'busy'>
