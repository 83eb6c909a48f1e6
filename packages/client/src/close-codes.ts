/**
 * What the client does when a socket has been closed, by code, in one table. docs/gateway.md says why the gateway closes with each.
 */

/** `renew`: once more, if a fresh token can be had. */
export type AfterClose = 'retry' | 'renew' | 'end'

/** Of those that are not here, 4000 to 4999 end it: killed, replaced, name taken and the like; or the application's own, and it knows why. All others are retried. */
const AFTER: { readonly [code: number]: AfterClose } = {
  /** normal */
  1000: 'end',
  /** Not a frame of WebSocket. */
  1002: 'end',
  /** wrong_frame_type */
  1003: 'end',
  /** Text that isn't UTF-8. */
  1007: 'end',
  /** Too many fragments. */
  1008: 'end',
  /** A message that is too large: it would be again. */
  1009: 'end',
  /** token_expired: a function gives a fresh one for each connection. */
  4001: 'retry',
  /** auth_timeout */
  4002: 'retry',
  /** not_authenticated */
  4003: 'renew',
  /** rate_limited */
  4005: 'retry',
  /** slow_consumer */
  4008: 'retry',
  /** ping_timeout */
  4010: 'retry',
  /** name_conflict */
  4011: 'retry',
}

export function afterClose(code: number): AfterClose {
  return AFTER[code] ?? (code >= 4_000 && code <= 4_999 ? 'end' : 'retry')
}
