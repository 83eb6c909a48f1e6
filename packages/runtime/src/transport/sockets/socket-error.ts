/**
 * What an error of a socket says, for a log line. Of a host with several addresses it is one of several errors, and says nothing of its own.
 */
export function detailOf({ message, code }: NodeJS.ErrnoException): string {
  return message === '' ? (code ?? 'no connection') : message
}
