/**
 * What the client throws: at its caller only, never while it runs. docs/errors.md lists the codes.
 */
export type ClientErrorCode =
  /** An option that is unknown or impossible; the message says which. */
  | 'ERR_BAD_OPTION'
  /** There is no `WebSocket` here, and none was given. */
  | 'ERR_NO_WEBSOCKET'
  /** A message that has no form in the codec. */
  | 'ERR_NOT_SENDABLE'

/** Test `code`, never the message. */
export class ClientError extends Error {
  readonly code: ClientErrorCode

  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ClientError'
    this.code = code
  }
}
