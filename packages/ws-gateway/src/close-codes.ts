/**
 * Why the gateway closes a socket, in one table. The code and the word stand in the close frame; docs/close-codes.md is made for clients from it.
 */
export interface CloseCause {
  readonly code: number
  /** The reason in the close frame. */
  readonly reason: string
  /** What a client should do: connect again (to any node), or not before something has changed. */
  readonly reconnect: boolean
}

const CAUSES = {
  /** The session ended by itself, as it wanted to. */
  normal: { code: 1000, reason: 'normal', reconnect: false },
  /** A binary frame, where the codec is text. */
  unsupported: { code: 1003, reason: 'text_frames_only', reconnect: false },
  /** The session's code failed. */
  internal: { code: 1011, reason: 'internal_error', reconnect: true },
  /** The node is going down. */
  restart: { code: 1012, reason: 'service_restart', reconnect: true },
  /** Not JSON, or not a message that the session takes. */
  badMessage: { code: 4400, reason: 'bad_message', reconnect: false },
  /** The client does not read what it is sent. */
  slowConsumer: { code: 4008, reason: 'slow_consumer', reconnect: true },
  /** The session's name is held by another. */
  nameTaken: { code: 4009, reason: 'name_taken', reconnect: false },
  /** No pong, and nothing else, within the deadline. */
  pingTimeout: { code: 4010, reason: 'ping_timeout', reconnect: true },
  /** Two parts of the cluster have met, and the other part's session keeps the name. */
  nameConflict: { code: 4011, reason: 'name_conflict', reconnect: true },
  /** Somebody ended the session's process. */
  killed: { code: 4012, reason: 'killed', reconnect: false },
} as const

/** The causes by name. */
export const CLOSE: Readonly<Record<keyof typeof CAUSES, CloseCause>> = CAUSES

/*
 * Two more are sent by the WebSocket implementation itself: 1007 for text that isn't UTF-8, 1009 for a message over `maxPayloadBytes`, both with an
 * empty reason and not to be tried again.
 */

/** The exit reason of a session that wants its socket closed with this cause. */
export interface CloseReason {
  readonly close: CloseCause
  readonly [key: string]: unknown
}
