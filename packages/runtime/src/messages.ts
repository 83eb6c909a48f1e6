/**
 * The messages that the runtime itself puts into a mailbox. All are plain objects with a `type`.
 */
import type { NameOnNode, NodeName, Pid, Ref } from './ids.ts'
import type { ExitReason } from './reasons.ts'

/** To a process that traps exits: a linked process ended, or someone called `exit(pid, reason)`. */
export interface ExitMessage {
  readonly type: 'EXIT'
  readonly from: Pid
  readonly reason: ExitReason
}

/** The one message of a monitor: what it watched has ended, never was, or can't be reached any more. */
export interface DownMessage {
  readonly type: 'DOWN'
  readonly ref: Ref
  /** What was monitored: the pid, or the name if it was monitored by name. */
  readonly pid: Pid | NameOnNode
  readonly reason: ExitReason
}

/** A node has been connected. Comes before any signal of that connection. */
export interface NodeUpMessage {
  readonly type: 'nodeup'
  readonly node: NodeName
  readonly nodeType: NodeType
}

/** A hidden node is not told to other nodes and counts as none of the cluster: for tools that look at one node. */
export type NodeType = 'visible' | 'hidden'

/** Why a connection ended, spelt as in Erlang's `net_kernel`. */
export type NodeDownReason =
  | 'connection_closed'
  | 'disconnect'
  | 'net_tick_timeout'
  | 'shutdown'
  /** More than 16 MiB waited to be sent. */
  | 'buffer_limit'
  /** Something waited to be sent, and nothing was taken for 10 s. */
  | 'no_progress'
  /** The other side has sent what no node sends. */
  | 'protocol_error'

/** A connection has ended. Comes after all signals of that connection, the `DOWN`s and `EXIT`s with `noconnection` included. */
export interface NodeDownMessage {
  readonly type: 'nodedown'
  readonly node: NodeName
  readonly nodeType: NodeType
  readonly reason: NodeDownReason
}

/** A timer of `startTimer` has fired. */
export interface TimeoutMessage {
  readonly type: 'timeout'
  readonly ref: Ref
  readonly message: unknown
}

/** The runtime's messages by their `type`. */
export interface SystemMessages {
  EXIT: ExitMessage
  DOWN: DownMessage
  nodeup: NodeUpMessage
  nodedown: NodeDownMessage
  timeout: TimeoutMessage
}

export type SystemMessage = SystemMessages[keyof SystemMessages]

/**
 * Whether a message is an object with this `type`: the usual way to tell messages apart. One of the runtime's types is taken to be the runtime's
 * message; whoever can send to the process could have made it up. A message whose `type` can't be read has none.
 */
export function hasType<M extends { readonly type: string }, T extends M['type']>(
  message: M,
  type: T,
): message is Extract<M, { readonly type: T }>
export function hasType<T extends keyof SystemMessages>(message: unknown, type: T): message is SystemMessages[T]
export function hasType<T extends string>(message: unknown, type: T): message is { readonly type: T }
export function hasType(message: unknown, type: string): boolean {
  if (typeof message !== 'object' || message === null) return false
  try {
    return (message as { type?: unknown }).type === type
  } catch {
    return false
  }
}
