/**
 * What went wrong, in words that may be logged: what Redis or the client library say may have users, keys and URLs in it, so that none of it is passed on; neither as a message nor
 * as a cause.
 */
import { certificateProblemOf, StoreError } from '@pidmesh/via-kit'
import { ErrorReply } from 'redis'

/** What Redis says when it can't now, and can later. Redis 6 says what a command of a script has failed with behind the script and the line. */
const LATER =
  /^(?:ERR Error running script .*: -)?(LOADING|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|BUSY|OOM|MISCONF|NOREPLICAS|ASK|MOVED|UNKILLABLE)\b/
const FULL = /^ERR max number of clients/
/** In the middle, as well. */
const READ_ONLY = /\bREADONLY\b/
const WRONG_TYPE = /\bWRONGTYPE\b/
const NO_RIGHT = /^NOPERM\b|\bcan't run this command\b|\bcan't access\b/
const NO_DATABASE = /^ERR (DB index|invalid DB|SELECT is not allowed)/i
const NO_PASSWORD = /^(WRONGPASS|NOAUTH)\b|^ERR (AUTH|invalid password)\b/

/** @param place Host and port, for the message */
export function storeError(error: unknown, place: string): StoreError {
  if (error instanceof StoreError) return error
  if (error instanceof ErrorReply) return replied(error.message, place)
  const code = codeOf(error)
  switch (certificateProblemOf(code)) {
    case 'untrusted':
      return unfit(place, `has no certificate that is trusted: ${code}. See the option tls, and the host in the URL`)
    case 'wanted':
      return unfit(place, 'wants a certificate of who comes, and takes none but one that it trusts: see the option tls')
    case undefined:
      break
  }
  // A server of TLS hangs up on who speaks none.
  const hint = code === 'ECONNRESET' ? '. Is TLS as it wants it?' : ''
  return unavailable(place, `can't be reached${code === undefined ? '' : `: ${code}`}${hint}`)
}

export function unavailable(place: string, problem: string): StoreError {
  return new StoreError('ERR_STORE_UNAVAILABLE', `Redis at ${place} ${problem}`)
}

export function alreadyStarted(what: string): StoreError {
  return new StoreError('ERR_ALREADY_STARTED', `this ${what} is in use: one is for one user, make another`)
}

export function unfit(place: string, problem: string): StoreError {
  return new StoreError('ERR_STORE_UNFIT', `Redis at ${place} ${problem}`)
}

export function isReadOnly(error: unknown): boolean {
  return error instanceof ErrorReply && READ_ONLY.test(error.message)
}

export function isNoScript(error: unknown): boolean {
  return error instanceof ErrorReply && error.message.startsWith('NOSCRIPT')
}

/** The keys of a command are on several nodes of a cluster, or may be. */
export function isCrossSlot(error: unknown): boolean {
  return error instanceof ErrorReply && error.message.startsWith('CROSSSLOT')
}

export interface Redirection {
  readonly type: 'moved' | 'ask'
  readonly slot: number
  /** Empty, or `?`: the host that has said so. */
  readonly host: string
  readonly port: number
}

/** Where a node of a cluster sends the question. */
export function redirectionOf(error: unknown): Redirection | undefined {
  if (!(error instanceof ErrorReply)) return undefined
  const [, word, slot, host, port] = /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(error.message) ?? []
  if (host === undefined) return undefined
  return { type: word === 'ASK' ? 'ask' : 'moved', slot: Number(slot), host, port: Number(port) }
}

function replied(message: string, place: string): StoreError {
  if (READ_ONLY.test(message)) return unfit(place, 'is a replica, which takes no writes')
  if (NO_PASSWORD.test(message)) return unfit(place, 'refuses the user or the password')
  if (NO_DATABASE.test(message)) return unfit(place, 'has no database of that number')
  if (NO_RIGHT.test(message))
    return unfit(place, 'refuses the user a right: commands, keys and channels are listed in the README')
  if (WRONG_TYPE.test(message)) return unfit(place, 'has something else under a key of ours: see the option prefix')
  if (FULL.test(message)) return unavailable(place, 'takes no more connections')
  const later = LATER.exec(message)?.[1]
  if (later !== undefined) return unavailable(place, `can't now: ${later}`)
  const word = /^[A-Z]+\b/.exec(message)?.[0] ?? 'an error'
  return unfit(
    place,
    `refuses a command: ${word}. It must be Redis 6 or later, for sharded channels 7, and no cluster unless it is given as one`,
  )
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^[A-Z_/\d]+$/.test(code) ? code : undefined
}
