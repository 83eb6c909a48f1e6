/**
 * What is said to the server: pure. Names, owners and values go as literals of bytes; the table's name has been checked.
 *
 *   put       START TRANSACTION; SELECT the time, which fails if it is too late; INSERT … ON DUPLICATE KEY UPDATE, where it may; SELECT who has it; COMMIT
 *   take      START TRANSACTION; SELECT the time, as above; INSERT of nobody, which locks each row; SELECT who had it; INSERT … ON DUPLICATE KEY UPDATE, unless it is too late; SELECT the epochs, and
 *             whether it was in time; COMMIT
 *   release   DELETE        find   SELECT        sweep   SELECT some; DELETE those that are dead still
 *
 * - A transaction is one packet. A node that stands still in the midst of a call holds no lock: the server has all that it needs to end it.
 * - A row is dead `ttlMs` after its last_active_at, by the server's clock in UTC: no time zone and no node has a say.
 * - In ON DUPLICATE KEY UPDATE a column that was assigned has its new value in the assignments after it (in MySQL and MariaDB, in the sql_mode that
 *   each connection sets). Thus `owner` is first: after it, `owner = VALUES(owner)` says whether the row is ours to write.
 * - A take's epoch is the server's time in microseconds, if that is larger than the row's by more than 1: larger than those before, also after the row was removed
 *   in between. It is read when the row is locked: a take that has waited for that has begun before others that are over.
 * - Nothing is written from the time on, of the server, after which its caller doesn't wait for it any more. A subquery with a second row is an error, and with it the packet is at its end: before anything is locked. A take looks again
 *   when it has its locks. A put that has waited for one may be later by that wait (innodb_lock_wait_timeout).
 * - VALUES() and not `AS new`, no RETURNING: both servers know them.
 */
import type { LocationRow } from '@pidmesh/via-kit'

export interface Statement {
  readonly sql: string
  readonly values: readonly unknown[]
}

/** How many rows a sweep removes at most. */
export const SWEEP_ROWS = 500
/** Microseconds since 1970. A double holds them without loss until the year 2255. */
const NOW_EPOCH = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))"

/** What nobody of ours has written is not counted on from. */
const MAX_EPOCH = Number.MAX_SAFE_INTEGER - 1

/** What a connection is told the time by. */
const TELL_TIME = `SELECT ${NOW_EPOCH}`

/** The transaction is given up, and the time is asked: the second result. */
export const TOO_LATE: Statement = { sql: `ROLLBACK; ${TELL_TIME}`, values: [] }

/** On each connection, before all else. The last result is the time. What a server's configuration says about these doesn't count then. */
export function setupOf(timeoutMs: number): Statement {
  const seconds = Math.max(1, Math.floor(timeoutMs / 2_000))
  return {
    sql: [
      `SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1`,
      // A client that has given up leaves no statement behind that waits for a lock for ever.
      `SET SESSION innodb_lock_wait_timeout = ${seconds}, lock_wait_timeout = ${seconds}, net_write_timeout = ${seconds}`,
      // No gaps are locked: fewer deadlocks.
      'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
      TELL_TIME,
    ].join('; '),
    values: [],
  }
}

export class Statements {
  private readonly table: string
  private readonly isDead: string

  /** @param table Checked */
  constructor(table: string, ttlMs: number) {
    this.table = `\`${table}\``
    this.isDead = `last_active_at <= UTC_TIMESTAMP(6) - INTERVAL ${ttlMs * 1_000} MICROSECOND`
  }

  /**
   * The second result: the time. The fourth: name and owner of each row.
   * @param latest From then on it is too late: microseconds since 1970
   */
  put(rows: readonly LocationRow[], latest: number): Statement {
    const { table, isDead } = this
    return transaction([
      timeBefore(latest),
      {
        sql:
          `${this.insertOf(rows)} ON DUPLICATE KEY UPDATE ` +
          `owner = IF(${isDead}, VALUES(owner), owner), ` +
          'value = IF(owner = VALUES(owner), VALUES(value), value), ' +
          'last_active_at = IF(owner = VALUES(owner), VALUES(last_active_at), last_active_at)',
        values: rows.flatMap(literals),
      },
      { sql: `SELECT name, owner FROM ${table} WHERE name IN (?)`, values: [namesOf(rows)] },
    ])
  }

  /**
   * The second result: the time. The fourth: name, owner and value of each row as it was, and whether it was alive. The sixth: name and epoch of each row as it is, and whether it was in time: otherwise it may
   * be as it was. Of several rows of a name each has an epoch that is larger by 1.
   * @param latest As of `put`
   */
  take(rows: readonly LocationRow[], latest: number): Statement {
    const { table, isDead } = this
    const names = namesOf(rows)
    const nobody = names.map(() => "(?, '', '', 0, '1970-01-01 00:00:00')")
    const isInTime = `${NOW_EPOCH} < ${latest}`
    const given = ['owner', 'value', 'last_active_at'].map(
      (name) => `${name} = IF(${isInTime}, VALUES(${name}), ${name})`,
    )
    return transaction([
      timeBefore(latest),
      {
        sql:
          `INSERT INTO ${table} (name, owner, value, epoch, last_active_at) VALUES ${nobody.join(', ')} ` +
          'ON DUPLICATE KEY UPDATE epoch = epoch',
        values: names,
      },
      { sql: `SELECT name, owner, value, NOT (${isDead}) FROM ${table} WHERE name IN (?)`, values: [names] },
      {
        sql:
          `${this.insertOf(rows)} ON DUPLICATE KEY UPDATE ` +
          `epoch = IF(${isInTime}, GREATEST(LEAST(epoch, ${MAX_EPOCH}) + 1, VALUES(epoch)), epoch), ${given.join(', ')}`,
        values: rows.flatMap(literals),
      },
      { sql: `SELECT name, epoch, ${isInTime} FROM ${table} WHERE name IN (?)`, values: [names] },
    ])
  }

  release(rows: readonly LocationRow[]): Statement {
    return {
      sql: `DELETE FROM ${this.table} WHERE ${rows.map(() => '(name = ? AND owner = ?)').join(' OR ')}`,
      values: rows.flatMap(({ name, owner }) => [Buffer.from(name), Buffer.from(owner)]),
    }
  }

  /** Name and value of each row that is alive. */
  find(names: readonly string[]): Statement {
    return {
      sql: `SELECT name, value FROM ${this.table} WHERE name IN (?) AND NOT (${this.isDead})`,
      values: [bytesOf(names)],
    }
  }

  /** The name of some rows that are dead. */
  dead(): Statement {
    return { sql: `SELECT name FROM ${this.table} WHERE ${this.isDead} LIMIT ${SWEEP_ROWS}`, values: [] }
  }

  /** Removes those of the names that are dead at that moment. */
  bury(names: readonly Buffer[]): Statement {
    return {
      sql: `DELETE FROM ${this.table} WHERE name IN (?) AND ${this.isDead}`,
      values: [names.toSorted((a, b) => Buffer.compare(a, b))],
    }
  }

  /** Writes and removes a row of no name, and takes it back: whether the user may, and the server does. */
  probe(): Statement {
    const { table } = this
    return {
      sql: [
        'START TRANSACTION',
        `INSERT INTO ${table} (name, owner, value, epoch, last_active_at) VALUES ('', '', '', 0, UTC_TIMESTAMP(6)) ` +
          'ON DUPLICATE KEY UPDATE epoch = epoch',
        `DELETE FROM ${table} WHERE name = ''`,
        `SELECT COUNT(*) FROM ${table} WHERE name = ''`,
        'ROLLBACK',
      ].join('; '),
      values: [],
    }
  }

  private insertOf(rows: readonly LocationRow[]): string {
    const row = `(?, ?, ?, ${NOW_EPOCH}, UTC_TIMESTAMP(6))`
    return `INSERT INTO ${this.table} (name, owner, value, epoch, last_active_at) VALUES ${rows.map(() => row).join(', ')}`
  }
}

/** The time, if it is before then; otherwise an error, `isTooLate`. */
function timeBefore(latest: number): Statement {
  const once = `SELECT ${NOW_EPOCH} UNION ALL SELECT 0 FROM DUAL WHERE ${NOW_EPOCH} >= ${latest}`
  return { sql: `SELECT (${once})`, values: [] }
}

/** All of it in one packet. The first result is that of START TRANSACTION. */
function transaction(statements: readonly Statement[]): Statement {
  return {
    sql: ['START TRANSACTION', ...statements.map(({ sql }) => sql), 'COMMIT'].join('; '),
    values: statements.flatMap(({ values }) => values),
  }
}

function literals({ name, owner, value }: LocationRow): readonly Buffer[] {
  return [Buffer.from(name), Buffer.from(owner), Buffer.from(value.buffer, value.byteOffset, value.byteLength)]
}

/** Each once, in order. */
function namesOf(rows: readonly LocationRow[]): readonly Buffer[] {
  return bytesOf(rows.map(({ name }) => name))
}

function bytesOf(names: readonly string[]): readonly Buffer[] {
  return [...new Set(names)].map((name) => Buffer.from(name))
}
