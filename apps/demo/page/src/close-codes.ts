// How the page puts into words that a connection has ended. What is done about it the client decides.

/** For the line about a connection that is made anew. */
export function closeCause(code: number, reason: string): string {
  switch (code) {
    case 1001:
    case 1012:
      return 'is shutting down'
    case 1011:
      return 'had an error'
    case 1013:
      return 'is overloaded'
    case 4005:
      return 'was sent too much at once'
    case 4008:
      return 'found this connection too slow'
    case 4011:
      return 'found the name on two nodes at once'
    default:
      // The client gives a reason where it has given up by itself; a socket that just broke has none.
      return code === 1006 && reason !== '' ? 'does not answer' : 'is gone'
  }
}

/** Why somebody who wanted in, or was in, is out. */
export type Notice = { code: 'name-taken' | 'name-lost' | 'elsewhere' | 'refused'; detail: string }

/** Of a connection that has ended for good. */
export function noticeOf({ code, reason }: { code: number; reason: string }, user: string, wasIn: boolean): Notice {
  switch (code) {
    case 4009:
      return { code: wasIn ? 'name-lost' : 'name-taken', detail: user }
    case 4013:
      return { code: 'name-lost', detail: user }
    case 4014:
      return { code: 'elsewhere', detail: user }
    default:
      return { code: 'refused', detail: reason }
  }
}
