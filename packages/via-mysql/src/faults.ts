/**
 * What an error of the server, of the driver or of the way to them means: a StoreError.
 *
 * Nothing of the original's text goes on, and it is no `cause`: the server's has users, hosts and keys in it, the driver's the whole statement.
 */
import { PidmeshError } from '@pidmesh/runtime'
import { StoreError, type StoreErrorCode } from '@pidmesh/via-kit'

const NO_TABLE = 1146
const DEADLOCK = 1213
const LOCK_WAIT_TIMEOUT = 1205
const SUBQUERY_HAS_ROWS = 1242

/** Of what we know better than by its class. The numbers are the same in MySQL and MariaDB, but for one. */
const KNOWN: ReadonlyMap<number, readonly [StoreErrorCode, string]> = new Map([
  [1040, ['ERR_STORE_UNAVAILABLE', 'it has too many connections']],
  [1044, ['ERR_STORE_UNFIT', 'the user has no right to the database']],
  [1045, ['ERR_STORE_UNFIT', 'the user or the password is wrong']],
  [1049, ['ERR_STORE_UNFIT', 'there is no such database']],
  [1053, ['ERR_STORE_UNAVAILABLE', 'it is about to stop']],
  [1114, ['ERR_STORE_UNFIT', 'it is full']],
  // Handshakes that were broken off, as they took longer than a call: it counts them, and forgets them with one that succeeds.
  [
    1129,
    [
      'ERR_STORE_UNFIT',
      'it has blocked this host, from which too many connections came to nothing: see max_connect_errors',
    ],
  ],
  [1130, ['ERR_STORE_UNFIT', 'it lets nobody in from this host']],
  [1142, ['ERR_STORE_UNFIT', 'the user lacks a right to the table']],
  [1143, ['ERR_STORE_UNFIT', 'the user lacks a right to a column of the table']],
  [NO_TABLE, ['ERR_STORE_UNFIT', 'the table is not there']],
  [1153, ['ERR_STORE_UNFIT', 'a row is larger than its max_allowed_packet']],
  [1203, ['ERR_STORE_UNAVAILABLE', 'the user has too many connections']],
  [LOCK_WAIT_TIMEOUT, ['ERR_STORE_UNAVAILABLE', 'somebody else holds a row, and has not let it go in time']],
  [DEADLOCK, ['ERR_STORE_UNAVAILABLE', 'others wanted the same rows, time and again']],
  [1226, ['ERR_STORE_UNAVAILABLE', 'the user has used up what it may']],
  [1227, ['ERR_STORE_UNFIT', 'the user lacks a right']],
  [1290, ['ERR_STORE_UNFIT', 'it is read-only']],
  [1364, ['ERR_STORE_UNFIT', 'the table has a column without which no row can be written']],
  [1665, ['ERR_STORE_UNFIT', 'its binlog_format is STATEMENT: ROW and MIXED are fine']],
  [1792, ['ERR_STORE_UNFIT', 'it is read-only']],
  [1820, ['ERR_STORE_UNFIT', 'the password of the user has expired']],
  [1836, ['ERR_STORE_UNFIT', 'it is read-only']],
  [1862, ['ERR_STORE_UNFIT', 'the password of the user has expired']],
  [3118, ['ERR_STORE_UNFIT', 'the account of the user is locked']],
  [3159, ['ERR_STORE_UNFIT', 'it wants encrypted connections: see the option ssl']],
  // MariaDB's number of what is 3118 in MySQL.
  [4151, ['ERR_STORE_UNFIT', 'the account of the user is locked']],
])

/**
 * Classes of SQLSTATE of a statement or a login that will fail again: bad data, constraints, authorization, catalogs, access and syntax.
 * See the SQL standard, ISO/IEC 9075-2, 24.1.
 */
const UNFIT_CLASSES: ReadonlySet<string> = new Set(['21', '22', '23', '28', '3D', '42'])
/** Codes of the driver and of TLS: the handshake has shown that it can't be. */
const UNFIT_CODES = /^(HANDSHAKE_|AUTH_SWITCH|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|CERT_)/

/** The error in the form that the seam wants. What is one of ours already stays as it is. */
export function storeErrorOf(error: unknown): StoreError | PidmeshError {
  if (error instanceof PidmeshError) return error
  const { errno, code, sqlState } = fieldsOf(error)
  const known = KNOWN.get(errno ?? 0)
  if (known !== undefined) return new StoreError(known[0], `the database server: ${known[1]} (error ${errno})`)
  if (sqlState !== undefined) {
    const isUnfit = UNFIT_CLASSES.has(sqlState.slice(0, 2))
    const problem = isUnfit ? 'it refuses what it is asked' : 'it has failed'
    return new StoreError(
      isUnfit ? 'ERR_STORE_UNFIT' : 'ERR_STORE_UNAVAILABLE',
      `the database server: ${problem} (error ${errno}, SQLSTATE ${sqlState})`,
    )
  }
  if (code !== undefined && UNFIT_CODES.test(code) && !isOfTheWay(error))
    return new StoreError('ERR_STORE_UNFIT', `the database server: no agreement in the handshake (${code})`)
  return new StoreError('ERR_STORE_UNAVAILABLE', `the database server can't be reached (${code ?? 'no code'})`)
}

/** Nothing has come of it, and it may come to something at another moment. */
export function isConflict(error: unknown): boolean {
  const { errno } = fieldsOf(error)
  return errno === DEADLOCK || errno === LOCK_WAIT_TIMEOUT
}

export function isNoTable(error: unknown): boolean {
  return fieldsOf(error).errno === NO_TABLE
}

/** What is to be written has come when nobody waited for it any more, by what was known of the server's clock: nothing is written (statements.ts). */
export function isTooLate(error: unknown): boolean {
  return fieldsOf(error).errno === SUBQUERY_HAS_ROWS
}

/** The driver gives one code to all that goes wrong with TLS. What the system says, and a connection that is cut off, have these fields. */
function isOfTheWay(error: unknown): boolean {
  return typeof error === 'object' && error !== null && ('syscall' in error || 'localAddress' in error)
}

interface Fields {
  /** Of the server; a negative one is the system's. */
  readonly errno: number | undefined
  readonly code: string | undefined
  readonly sqlState: string | undefined
}

function fieldsOf(error: unknown): Fields {
  if (typeof error !== 'object' || error === null) return { errno: undefined, code: undefined, sqlState: undefined }
  const { errno, code, sqlState } = error as { errno?: unknown; code?: unknown; sqlState?: unknown }
  return {
    errno: typeof errno === 'number' && errno > 0 ? errno : undefined,
    // A code is shown: only what looks like one.
    code: typeof code === 'string' && /^[A-Z0-9_/]{1,64}$/.test(code) ? code : undefined,
    sqlState: typeof sqlState === 'string' && /^[0-9A-Z]{5}$/.test(sqlState) ? sqlState : undefined,
  }
}
