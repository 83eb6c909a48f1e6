/**
 * `MysqlLocations`: names in a table of MySQL or MariaDB.
 *
 *   call ─▶ checked, sorted, in packets ─▶ a session ─▶ answers in the order of the rows
 *                                           │
 *                                           ├─ deadlock ─▶ again, a few times, while there is time
 *                                           ├─ no table ─▶ made again, once
 *                                           ├─ too late ─▶ the server has said its time: once more, while there is time
 *                                           └─ all else ─▶ StoreError, the session is destroyed
 *
 * - A packet is one transaction: a row, and those beside it, are looked at and written at once.
 * - Rows are sorted by name, those of one name in their order: two calls that want the same rows then want them in the same order, and seldom deadlock.
 * - No call is made again whose answer was lost: it may have been carried out. That is for who has called.
 * - All time is the server's. The deadline of a call is ours, and goes along in the server's time: what comes later is not written.
 */
import { PidmeshError } from '@pidmesh/runtime'
import { StoreError, type LocationRow, type LocationStore, type StoreTime, type TakenLocation } from '@pidmesh/via-kit'
import { Connections } from './connections.ts'
import { DialPause } from './dial-pause.ts'
import { isConflict, isNoTable, isTooLate, storeErrorOf } from './faults.ts'
import { checkOptions, type CheckedOptions, type MysqlOptions } from './options.ts'
import { createTableOf, differences, type FoundTable } from './schema.ts'
import { Session } from './session.ts'
import { Statements, setupOf, TOO_LATE, type Statement } from './statements.ts'

/** Rows are locked until their transaction ends: few at once, and none for long. */
const BATCH_SIZE = 128
/** Of rows in a packet, if they are more than one; in SQL they are about twice that. max_allowed_packet is 16 MiB or more unless it was made smaller. */
const PACKET_BYTES = 1_024 * 1_024
const MAX_TRIES = 8
/** Doubles with each conflict; a random part of it is waited. */
const CONFLICT_PAUSE_MS = 5
const MAX_CONFLICT_PAUSE_MS = 200
const MAX_NAME_BYTES = 256
/** How often what the server has found too late is tried in all: the first time its clock may be unknown, or have been put forward. */
const LATE_TRIES = 3

type Ask = (statement: Statement) => Promise<unknown>
/** Asks for what is written until then at the latest: microseconds since 1970, of the server. The second result is the time. */
type AskInTime = (statement: (latest: number) => Statement) => Promise<unknown>

interface Asks {
  readonly ask: Ask
  readonly askInTime: AskInTime
}

export class MysqlLocations implements LocationStore {
  readonly kind = 'mysql'
  readonly ttlMs: number
  readonly timeoutMs: number
  readonly batchSize: number = BATCH_SIZE
  private readonly options: Omit<CheckedOptions, 'server'>
  private readonly statements: Statements
  /** The server stands in here alone, and in what is made of it, which is hidden: an object that somebody logs has no password in it. */
  private readonly connect: () => Connections
  #connections: Connections | undefined
  /** Host and port, for messages. */
  private readonly place: string

  /**
   * @throws PidmeshError `ERR_BAD_OPTION`
   *
   * @example
   *   const store = new MysqlLocations({ url: 'mysql://pidmesh:secret@db.example/pidmesh' })
   */
  constructor(options: MysqlOptions) {
    const { server, ...rest } = checkOptions(options)
    this.options = rest
    this.ttlMs = rest.ttlMs
    this.timeoutMs = rest.timeoutMs
    this.statements = new Statements(rest.table, rest.ttlMs)
    this.place = `${server.host}:${server.port}`
    const setup = setupOf(rest.timeoutMs)
    const pause = new DialPause(Math.random)
    this.connect = () =>
      new Connections({
        size: rest.connections,
        open: () => new Session(server),
        pause,
        prepare: async (session, untilMs) => {
          const results = (await session.query(setup, untilMs)) as readonly unknown[]
          learn(session.time, results.at(-1))
        },
      })
  }

  /** Makes the table, or looks whether it is fit, and tries to write. May be called again after `stop`. */
  async start(): Promise<void> {
    if (this.#connections !== undefined)
      throw new StoreError('ERR_ALREADY_STARTED', 'this MysqlLocations is in use: one is for one user, make another')
    const connections = this.connect()
    this.#connections = connections
    try {
      await this.call(async ({ ask }) => {
        await this.checkTable(ask)
        await ask(this.statements.probe())
      })
    } catch (error) {
      // It may have been stopped meanwhile, and started anew.
      if (this.#connections === connections) this.#connections = undefined
      await connections.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    const connections = this.#connections
    this.#connections = undefined
    await connections?.stop()
  }

  async put(rows: readonly LocationRow[]): Promise<readonly boolean[]> {
    const owners = new Map<string, string>()
    await this.inPackets(rows, async ({ askInTime }, packet) => {
      const [, , , found] = (await askInTime((latest) => this.statements.put(packet, latest))) as PutResults
      for (const [name, owner] of found) owners.set(name.toString(), owner.toString())
    })
    // Who has it after all rows had it after each of them that could be written: no put takes a name from a living owner.
    return rows.map(({ name, owner }) => owners.get(name) === owner)
  }

  async take(rows: readonly LocationRow[]): Promise<readonly TakenLocation[]> {
    const taken = new Map<string, TakenLocation[]>()
    await this.inPackets(rows, async ({ askInTime }, packet) => {
      const results = (await askInTime((latest) => this.statements.take(packet, latest))) as TakeResults
      const [, , , found, , epochs] = results
      if (!epochs.every(([, , isInTime]) => isInTime === 1)) throw tooLate()
      for (const [name, location] of takenOf(packet, found, epochs)) {
        const ofName = taken.get(name)
        if (ofName === undefined) taken.set(name, [location])
        else ofName.push(location)
      }
    })
    // The rows of a name are taken in their order.
    return rows.map(({ name }) => {
      const location = taken.get(name)?.shift()
      if (location === undefined)
        throw new StoreError('ERR_STORE_UNFIT', 'the database server answers what it is not asked')
      return location
    })
  }

  async release(rows: readonly LocationRow[]): Promise<readonly true[]> {
    await this.inPackets(rows, ({ ask }, packet) => ask(this.statements.release(packet)))
    return rows.map(() => true)
  }

  async find(names: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    checkBatch(names)
    if (names.length === 0) return []
    const found = (await this.call(({ ask }) => ask(this.statements.find(names)))) as readonly [Buffer, Buffer][]
    const values = new Map(found.map(([name, value]) => [name.toString(), value]))
    return names.map((name) => values.get(name))
  }

  /** Rows whose time is over take no part in anything; this makes the table smaller, by 500 at most. */
  async sweep(): Promise<number> {
    return this.call(async ({ ask }) => {
      // By their names: a deletion by time would lock rows in another order than all others do.
      const dead = ((await ask(this.statements.dead())) as readonly [Buffer][]).map(([name]) => name)
      if (dead.length === 0) return 0
      const { affectedRows } = (await ask(this.statements.bury(dead))) as { affectedRows: number }
      return affectedRows
    })
  }

  private async inPackets(
    rows: readonly LocationRow[],
    send: (asks: Asks, packet: readonly LocationRow[]) => Promise<unknown>,
  ): Promise<void> {
    checkBatch(rows.map(({ name }) => name))
    const untilMs = this.deadline()
    for (const packet of packetsOf(rows)) await this.call((asks) => send(asks, packet), untilMs)
  }

  private deadline(): number {
    return performance.now() + this.options.timeoutMs
  }

  /** Rejects with StoreError. The task is made again where nothing of it has remained, and must not mind. */
  private async call<Result>(
    task: (asks: Asks) => Promise<Result>,
    untilMs: number = this.deadline(),
  ): Promise<Result> {
    const connections = this.#connections
    if (connections === undefined) throw new StoreError('ERR_STORE_UNAVAILABLE', 'the store has not been started')
    try {
      return await connections.use(untilMs, (session) => {
        const ask: Ask = (statement) => session.query(statement, untilMs)
        const askInTime: AskInTime = (statement) => inTime({ ask, untilMs, time: session.time }, statement)
        return this.withTable(ask, () => withoutConflict(ask, untilMs, () => task({ ask, askInTime })))
      })
    } catch (error) {
      throw at(this.place, storeErrorOf(error))
    }
  }

  /** A table that is lost is as one that is empty, if it may be made: LocationVia puts anew what it has. */
  private async withTable<Result>(ask: Ask, task: () => Promise<Result>): Promise<Result> {
    try {
      return await task()
    } catch (error) {
      if (!isNoTable(error)) throw error
      await ask(ROLLBACK)
      await this.checkTable(ask)
      return await task()
    }
  }

  private async checkTable(ask: Ask): Promise<void> {
    const { table, createTable } = this.options
    let found = await findTable(ask, table)
    if (found === undefined && createTable) {
      await ask({ sql: createTableOf(table), values: [] })
      found = await findTable(ask, table)
    }
    if (found === undefined)
      throw new StoreError('ERR_STORE_UNFIT', `the table ${table} is not there, or the user has no right to it`)
    const different = differences(found)
    if (different.length > 0)
      throw new StoreError('ERR_STORE_UNFIT', `the table ${table} is not as it must be: ${different.join('; ')}`)
  }
}

/** Which server it was: a program may have several. */
function at(place: string, error: StoreError | PidmeshError): StoreError | PidmeshError {
  return error instanceof StoreError ? new StoreError(error.code, `MySQL at ${place}: ${error.message}`) : error
}

const ROLLBACK: Statement = { sql: 'ROLLBACK', values: [] }

/** Of a deadlock one has the damage, and tries again: after a pause of random length, so that they don't meet again. */
async function withoutConflict<Result>(ask: Ask, untilMs: number, task: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await task()
    } catch (error) {
      const pauseMs = Math.random() * Math.min(CONFLICT_PAUSE_MS * 2 ** tries, MAX_CONFLICT_PAUSE_MS)
      if (!isConflict(error) || tries === MAX_TRIES || performance.now() + pauseMs > untilMs) throw error
      await ask(ROLLBACK)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
}

/** What is written by then. Where the server finds that too late it has done nothing, and its clock may not be as it was known: it says its time. */
async function inTime(
  { ask, untilMs, time }: { readonly ask: Ask; readonly untilMs: number; readonly time: StoreTime },
  statement: (latest: number) => Statement,
): Promise<unknown> {
  for (let tries = 1; ; tries++) {
    try {
      const latest = Math.floor(time.at(untilMs, performance.now()) * 1_000)
      const results = (await ask(statement(latest))) as readonly unknown[]
      learn(time, results[1])
      return results
    } catch (error) {
      if (!isTooLate(error)) throw error
      if (tries === LATE_TRIES) throw tooLate()
      const [, told] = (await ask(TOO_LATE)) as readonly unknown[]
      learn(time, told)
    }
  }
}

/** @param told One row of one column: the server's time, in microseconds */
function learn(time: StoreTime, told: unknown): void {
  const [[micros]] = told as [[number]]
  time.learn(micros / 1_000, performance.now())
}

function tooLate(): StoreError {
  return new StoreError('ERR_STORE_UNAVAILABLE', 'the database server has come to it too late')
}

type PutResults = [unknown, unknown, unknown, readonly (readonly [Buffer, Buffer])[], unknown]
type TakeResults = [unknown, unknown, unknown, readonly WasThere[], unknown, readonly IsThere[], unknown]
/** Name, owner, value, and whether it was alive. */
type WasThere = readonly [Buffer, Buffer, Buffer, number]
/** Name, epoch, and whether it was in time. */
type IsThere = readonly [name: Buffer, epoch: number, isInTime?: number]

/** What each row has found, if one after the other is taken. */
export function* takenOf(
  rows: readonly LocationRow[],
  found: readonly WasThere[],
  epochs: readonly IsThere[],
): Generator<readonly [name: string, TakenLocation]> {
  const holders = new Map<string, { readonly owner: string; readonly value: Uint8Array }>()
  for (const [name, owner, value, isAlive] of found)
    if (isAlive === 1) holders.set(name.toString(), { owner: owner.toString(), value })
  // The last row of a name has the epoch that is there, and each before it one less.
  const next = new Map(epochs.map(([name, epoch]) => [name.toString(), epoch + 1]))
  for (const { name } of rows) next.set(name, (next.get(name) ?? 0) - 1)
  for (const { name, owner, value } of rows) {
    const holder = holders.get(name)
    const epoch = next.get(name) ?? 0
    yield [name, { epoch, former: holder === undefined || holder.owner === owner ? undefined : holder.value }]
    holders.set(name, { owner, value })
    next.set(name, epoch + 1)
  }
}

/** By name, those of one name in their order, and not too many bytes in one. */
export function* packetsOf(rows: readonly LocationRow[]): Generator<readonly LocationRow[]> {
  const keyed = rows.map((row) => ({ row, key: Buffer.from(row.name) }))
  let packet: LocationRow[] = []
  let bytes = 0
  for (const { row } of keyed.toSorted((a, b) => Buffer.compare(a.key, b.key))) {
    if (packet.length > 0 && bytes + row.value.byteLength > PACKET_BYTES) {
      yield packet
      packet = []
      bytes = 0
    }
    packet.push(row)
    bytes += row.value.byteLength
  }
  if (packet.length > 0) yield packet
}

function checkBatch(names: readonly string[]): void {
  if (names.length > BATCH_SIZE)
    throw new PidmeshError('ERR_BAD_ARGUMENT', `a call has ${BATCH_SIZE} rows at most, not ${names.length}`)
  for (const name of names) {
    const bytes = Buffer.from(name)
    // Half a surrogate has no bytes of its own: two such names would be one.
    if (bytes.length < 1 || bytes.length > MAX_NAME_BYTES || bytes.toString() !== name)
      throw new PidmeshError('ERR_BAD_ARGUMENT', `a name must be of 1 to ${MAX_NAME_BYTES} bytes of UTF-8`)
  }
}

/** As information_schema shows it: only what the user has a right to. Names of columns are given: MySQL would have them in capitals. */
async function findTable(ask: Ask, table: string): Promise<FoundTable | undefined> {
  const where = 'FROM information_schema'
  const here = 'table_schema = DATABASE() AND table_name = ?'
  const [tables, columns, indexColumns] = (await ask({
    sql: [
      `SELECT engine ${where}.tables WHERE ${here}`,
      `SELECT column_name, LOWER(data_type), is_nullable = 'YES', character_octet_length, datetime_precision ${where}.columns WHERE ${here}`,
      `SELECT index_name, non_unique = 0, column_name, sub_part ${where}.statistics WHERE ${here} ORDER BY index_name, seq_in_index`,
    ].join('; '),
    values: [table, table, table],
  })) as [readonly [string | null][], readonly ColumnRow[], readonly IndexRow[]]
  const [first] = tables
  if (first === undefined) return undefined
  return {
    engine: first[0] ?? undefined,
    columns: columns.map(([name, type, isNullable, length, precision]) => ({
      name,
      type: String(type),
      isNullable: isNullable === 1,
      length: length ?? undefined,
      precision: precision ?? undefined,
    })),
    indexColumns: indexColumns.map(([index, isUnique, column, prefix]) => ({
      index,
      isUnique: isUnique === 1,
      column,
      prefix: prefix ?? undefined,
    })),
  }
}

type ColumnRow = readonly [string, string, number, number | null, number | null]
type IndexRow = readonly [string, number, string, number | null]
