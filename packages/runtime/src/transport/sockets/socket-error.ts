/**
 * What an error of a socket says, for a log line. Of a host with several addresses it is one of several errors, and says nothing of its own.
 */
export function detailOf(error: NodeJS.ErrnoException): string {
  const { message, code } = error
  // OpenSSL's message says in which line of its source, too.
  if ('reason' in error && typeof error.reason === 'string') return error.reason
  return message === '' ? (code ?? 'no connection') : message
}

/** Whether its certificate counts the side that dials is not told: with TLS 1.3 it is done before the other has looked. */
export const MAYBE_REFUSED = 'it may have refused the certificate of this node, and its log says why'
