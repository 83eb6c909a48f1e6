/**
 * Why the gateway closes a socket, in one table. The code and the word stand in the close frame; docs/gateway.md lists them for clients.
 */
import type { ExitReason } from '@pidmesh/runtime'

export interface CloseCause {
  readonly code: number
  /** The reason in the close frame: at most 123 bytes. */
  readonly reason: string
}

/** A cause of the gateway's own. */
export interface DocumentedCause extends CloseCause {
  /** What a client should do: connect again (to any node), or not before something has changed. */
  readonly reconnect: boolean
}

const CAUSES = {
  /** The session ended by itself, as it wanted to. */
  normal: { code: 1000, reason: 'normal', reconnect: false },
  /** A text frame where the subprotocol is binary, or the other way round. */
  unsupported: { code: 1003, reason: 'wrong_frame_type', reconnect: false },
  /** The session's code failed. */
  internal: { code: 1011, reason: 'internal_error', reconnect: true },
  /** The node is going down. */
  restart: { code: 1012, reason: 'service_restart', reconnect: true },
  /** The node has too much to do, or the session is just moving: come back a moment later. */
  tryLater: { code: 1013, reason: 'try_again_later', reconnect: true },
  /** The client's token has expired, and it has sent no other. */
  tokenExpired: { code: 4001, reason: 'token_expired', reconnect: true },
  /** No `hello` in time, or its authentication took too long. */
  authTimeout: { code: 4002, reason: 'auth_timeout', reconnect: true },
  /** The client is not who it must be. */
  notAuthenticated: { code: 4003, reason: 'not_authenticated', reconnect: false },
  /** Somebody has revoked the session. */
  revoked: { code: 4004, reason: 'revoked', reconnect: false },
  /** More messages or pings than the client may send. */
  rateLimited: { code: 4005, reason: 'rate_limited', reconnect: true },
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
  /** A newer session has the name now: the same user has connected elsewhere. */
  replaced: { code: 4013, reason: 'replaced', reconnect: false },
  /** The client has resumed this session over another socket. */
  resumedElsewhere: { code: 4014, reason: 'resumed_elsewhere', reconnect: false },
  /** Not a message of the subprotocol, or not one that the session takes. */
  badMessage: { code: 4400, reason: 'bad_message', reconnect: false },
} as const

/** The causes by name. */
export const CLOSE: Readonly<Record<keyof typeof CAUSES, DocumentedCause>> = CAUSES

/*
 * Four more are sent by the WebSocket implementation itself: 1002 for what is no frame, 1007 for text that isn't UTF-8 and for what can't be inflated, 1008 for a message of too
 * many fragments, 1009 for one over `maxPayloadBytes`; all with an empty reason and not to be tried again.
 */

/** Whether a WebSocket may be closed so: 1000, a code of the gateway, or one of 3000 to 4999, and a reason that fits into a close frame. */
export function isCloseCause(value: unknown): value is CloseCause {
  if (typeof value !== 'object' || value === null) return false
  const { code, reason } = value as { code?: unknown; reason?: unknown }
  if (typeof code !== 'number' || typeof reason !== 'string' || Buffer.byteLength(reason) > 123) return false
  return (
    Number.isInteger(code) &&
    ((code >= 3_000 && code <= 4_999) || Object.values(CLOSE).some((cause) => cause.code === code))
  )
}

/** The exit reason of a session that wants its socket closed with this cause. It is a quiet one: no crash is reported. */
export interface CloseReason {
  readonly close: CloseCause
  readonly shutdown: string
  readonly [key: string]: unknown
}

/** Ends a session so that its client is told why, and no crash is reported. */
export function closeReason({ code, reason }: CloseCause): CloseReason {
  return { close: { code, reason }, shutdown: reason }
}

/** Whether a session was ended so that its client is told why. */
export function isCloseReason(reason: ExitReason): reason is CloseReason {
  return typeof reason === 'object' && reason !== null && 'close' in reason && isCloseCause(reason.close)
}
