/**
 * What an error of a socket says, for a log line. Of a host with several addresses it is one of several errors, and says nothing of its own.
 */
export function detailOf(error: NodeJS.ErrnoException): string {
  const { message, code } = error
  // OpenSSL's message says in which line of its source, too.
  if ('reason' in error && typeof error.reason === 'string') return error.reason
  return message === '' ? (code ?? 'no connection') : otherTransport(message)
}

/** What OpenSSL says of a handshake that was refused since the sides speak no common protocol (ALPN, RFC 7301), in plain words; anything else as it is. */
export function otherTransport(said: string): string {
  return said.includes('alert no application protocol') ? OTHER_TRANSPORT : said
}

const OTHER_TRANSPORT = 'the transport is another there, over TLS'

/** Whether its certificate counts the side that dials is not told: with TLS 1.3 it is done before the other has looked. */
export const MAYBE_REFUSED = 'it may have refused the certificate of this node, and its log says why'
