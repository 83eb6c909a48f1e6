/**
 * `RedisLocations`: where names are, in Redis: one server, what Sentinel watches, or a cluster.
 *
 *   put, release, find ─▶ one script for all rows ─▶ the server          one server, or what Sentinel watches
 *                              └─ it fails: it may be for one of them ─┐
 *   all of them, in a cluster; take ──────────────────────────────────┴─▶ a script for each row, all in one go ─▶ the server that has the key
 *
 * - A row is one key, so that it is looked at and written in one step, on whatever node of a cluster (rows.ts).
 * - One script for many rows costs a third of as many scripts. If it fails its rows are done again: that must do no harm, which a take would.
 * - A name that a call has twice is written twice, one after the other.
 * - What is to be written goes with the time, of Redis, until which its caller waits for it: what comes later is not written. A server of which the time is not known refuses it and says its time, and it goes once more.
 * - Redis may lose rows: when it starts again without what it had, or when a replica takes over that did not have them yet. `put` restores them.
 */
import { randomUUID } from 'node:crypto'
import {
  StoreError,
  StoreTime,
  type Answer,
  type LocationRow,
  type LocationStore,
  type TakenLocation,
} from '@pidmesh/via-kit'
import { Calls } from './calls.ts'
import { ClusterRoute } from './cluster-route.ts'
import { listOf, type Argument, type Reply } from './connection.ts'
import { alreadyStarted, isCrossSlot, isNoScript, unavailable, unfit } from './errors.ts'
import { encodeName } from './names.ts'
import { checkLocationsOptions, type RedisLocationsOptions, type Settings } from './options.ts'
import { connectionTo, namePlace, OneRoute, trySome, type Route } from './route.ts'
import { FIND, PUT, RELEASE, TAKE, type Script } from './rows.ts'

const BATCH_SIZE = 256
/** How often what Redis has found too late is tried in all: the first time its clock may be unknown, or have been put forward. */
const TRIES = 3

interface Named {
  readonly name: string
  readonly value?: Uint8Array
}

/** What a script is to do with rows, and what its replies say. */
interface Work<Row, T> {
  readonly script: Script
  readonly rows: readonly Row[]
  readonly args: (row: Row) => readonly Argument[]
  readonly read: (reply: Reply) => T
}

/** For a script, and until when somebody waits for it. */
interface Given {
  readonly keys: readonly string[]
  readonly args: readonly Argument[]
  readonly untilMs: number
}

interface Life {
  readonly route: Route
  readonly ending: AbortController
}

export class RedisLocations implements LocationStore {
  readonly kind = 'redis'
  readonly ttlMs: number
  readonly timeoutMs: number
  readonly batchSize: number = BATCH_SIZE
  /** Of a cluster: the node that has the name. */
  readonly partOf?: (name: string) => string
  /** Hidden from whoever shows or logs the driver, as what is made of it: there are passwords in it, and a key. */
  readonly #settings: Settings & { readonly ttlMs: number }
  #life: Life | undefined
  private readonly place: string
  private readonly calls: Calls
  /** Rows of one script must be of one slot, though this is given as one server: behind it there is a cluster. */
  private isSplit: boolean

  /**
   * @throws PidmeshError `ERR_BAD_OPTION`
   *
   * @example
   *   const store = new RedisLocations({ url: 'redis://127.0.0.1:6379' })
   */
  constructor(options: RedisLocationsOptions) {
    this.#settings = checkLocationsOptions(options)
    this.ttlMs = this.#settings.ttlMs
    this.timeoutMs = this.#settings.timeoutMs
    this.place = namePlace(this.#settings.place)
    this.calls = new Calls(this.place, this.#settings.timeoutMs)
    this.isSplit = this.#settings.place.type === 'cluster'
    if (this.isSplit) this.partOf = (name) => this.#life?.route.partOf(this.keyOf(name)) ?? this.place
  }

  async start(): Promise<void> {
    const { place, timeoutMs, tls } = this.#settings
    if (this.#life !== undefined) throw alreadyStarted('RedisLocations')
    const ending = new AbortController()
    const options = { timeoutMs, tls, signal: ending.signal }
    const route =
      place.type === 'cluster'
        ? new ClusterRoute(place.roots, options)
        : new OneRoute(connectionTo(place, options), this.place)
    const life = { route, ending }
    this.#life = life
    try {
      await this.calls.run(0, async () => {
        await route.start()
        await trySome(
          route,
          () => this.keyOf(`try:${randomUUID()}`),
          (key) => this.try(key),
        )
      })
    } catch (error) {
      ending.abort()
      // It may have been stopped meanwhile, and started anew.
      if (this.#life === life) this.#life = undefined
      throw error
    }
  }

  stop(): Promise<void> {
    this.#life?.ending.abort()
    this.#life = undefined
    return Promise.resolve()
  }

  async put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    return this.together({ script: PUT, rows, args: (row) => this.written(row), read: (reply) => reply === 1 })
  }

  async take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return this.each({ script: TAKE, rows, args: (row) => this.written(row), read: (reply) => this.taken(reply) })
  }

  release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]> {
    return this.together({ script: RELEASE, rows, args: ({ owner }) => [owner], read: () => true })
  }

  async find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
    return this.together({ script: FIND, rows: names.map((name) => ({ name })), args: () => [], read: bytes })
  }

  /** Whether all of it may be done. @throws StoreError by rejection */
  private async try(key: string): Promise<void> {
    const row = { owner: 'try', value: Buffer.from('try') }
    const untilMs = this.deadline()
    await this.run(PUT, { keys: [key], args: this.written(row), untilMs })
    await this.run(TAKE, { keys: [key], args: this.written(row), untilMs })
    const [found] = await this.run(FIND, { keys: [key], args: [], untilMs })
    await this.run(RELEASE, { keys: [key], args: [row.owner], untilMs })
    if (!(found instanceof Buffer)) throw unfit(this.place, 'does not keep what is written')
  }

  private written({ owner, value }: Pick<LocationRow, 'owner' | 'value'>): readonly Argument[] {
    const { buffer, byteOffset, byteLength } = value
    return [owner, Buffer.from(buffer, byteOffset, byteLength), `${this.#settings.ttlMs}`]
  }

  /** All rows by one script, if they may be; for what can be done twice. */
  private async together<Row extends Named, T>(work: Work<Row, T>): Promise<readonly Answer<T>[]> {
    const { script, rows, args, read } = work
    if (this.isSplit || rows.length < 2) return this.each(work)
    try {
      const keys = rows.map(({ name }) => this.keyOf(name))
      const given = { keys, args: rows.flatMap(args), untilMs: this.deadline() }
      const replies = await this.calls.run(sizeOf(rows), () => this.run(script, given))
      return replies.map(read)
    } catch (error) {
      if (isCrossSlot(error)) this.isSplit = true
      // Of one of the rows, perhaps; or it is over by now, as with a server that was a replica for a moment.
      else if (!(error instanceof StoreError && error.code === 'ERR_STORE_UNFIT')) throw error
    }
    return this.each(work)
  }

  /** Of a cluster a node may be away, and what a row stands under may be something else: what is there fails, and nothing else. If all fails, so does the call. */
  private each<Row extends Named, T>({ script, rows, args, read }: Work<Row, T>): Promise<readonly Answer<T>[]> {
    const untilMs = this.deadline()
    const run = async (row: Row): Promise<T> => {
      const [reply = null] = await this.run(script, { keys: [this.keyOf(row.name)], args: args(row), untilMs })
      return read(reply)
    }
    return this.calls.parts(sizeOf(rows), async (inTime) => {
      const answers: Answer<T>[] = []
      for (const group of groupsOf(rows))
        answers.push(...(await Promise.all(group.map((row) => inTime(run(row)).catch(asAnswer)))))
      const [first] = answers
      if (first instanceof StoreError && answers.every((answer) => answer instanceof StoreError)) throw first
      return answers
    })
  }

  /** Replies of as many rows as there are keys. */
  private async run(script: Script, { keys, args, untilMs }: Given): Promise<readonly Reply[]> {
    const life = this.#life
    if (life === undefined) throw unavailable(this.place, 'is not asked: this is not started')
    const { sha, text, canBeLate } = script
    const [first = ''] = keys
    for (let tries = 1; ; tries++) {
      // That of the server that answers: it is sent there last.
      let time = new StoreTime()
      const given = (of: StoreTime): readonly Argument[] => {
        time = of
        const latest = canBeLate ? [`${Math.floor(of.at(untilMs, performance.now()))}`] : []
        return [`${keys.length}`, ...keys, ...args, ...latest]
      }
      const reply = await life.route
        .call(first, (of) => ['EVALSHA', sha, ...given(of)])
        .catch((error: unknown) => {
          if (!isNoScript(error)) throw error
          return life.route.call(first, (of) => ['EVAL', text, ...given(of)])
        })
      const [timeMs, replies] = listOf(reply)
      if (typeof timeMs !== 'number') throw unfit(this.place, 'answers otherwise than Redis')
      time.learn(timeMs, performance.now())
      if (replies === undefined) {
        if (tries === TRIES || performance.now() >= untilMs) throw unavailable(this.place, 'has come to it too late')
        continue
      }
      if (listOf(replies).length !== keys.length) throw unfit(this.place, 'answers otherwise than Redis')
      return listOf(replies)
    }
  }

  private deadline(): number {
    return performance.now() + this.timeoutMs
  }

  private keyOf(name: string): string {
    return `${this.#settings.prefix}at:${encodeName(name)}`
  }

  private taken(reply: Reply): TakenLocation {
    const [epoch, former = null] = listOf(reply)
    if (typeof epoch !== 'number') throw unfit(this.place, 'answers otherwise than Redis')
    return { epoch, former: bytes(former) }
  }
}

function sizeOf(rows: readonly Named[]): number {
  return rows.reduce((sum, { name, value }) => sum + name.length + (value?.length ?? 0), 0)
}

/** The rows in their order; none of two of a name in the same group. */
export function groupsOf<Row extends { readonly name: string }>(rows: readonly Row[]): readonly (readonly Row[])[] {
  const groups: Row[][] = []
  let names = new Set<string>()
  for (const row of rows) {
    if (groups.length === 0 || names.has(row.name)) {
      groups.push([])
      names = new Set()
    }
    names.add(row.name)
    groups.at(-1)?.push(row)
  }
  return groups
}

/** @throws what is no StoreError */
function asAnswer(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  throw error
}

function bytes(reply: Reply): Uint8Array | undefined {
  return reply instanceof Buffer ? new Uint8Array(reply) : undefined
}
