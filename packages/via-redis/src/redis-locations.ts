/**
 * `RedisLocations`: where names are, in Redis: one server, what Sentinel watches, or a cluster.
 *
 *   put, take, release, find ─▶ a script for each row, all in one go ─▶ the server that has the key
 *
 * - A row is one key, so that it is looked at and written in one step, on whatever node of a cluster (rows.ts).
 * - A name that a call has twice is written twice, one after the other.
 * - Redis may lose rows: when it starts again without what it had, or when a replica takes over that did not have them yet. `put` restores them.
 */
import { randomUUID } from 'node:crypto'
import { StoreError, type Answer, type LocationRow, type LocationStore, type TakenLocation } from '@pidmesh/via-kit'
import { Calls } from './calls.ts'
import { ClusterRoute } from './cluster-route.ts'
import { listOf, type Argument, type Reply } from './connection.ts'
import { alreadyStarted, isNoScript, unavailable, unfit } from './errors.ts'
import { encodeName } from './names.ts'
import { checkLocationsOptions, type RedisLocationsOptions, type Settings } from './options.ts'
import { connectionTo, namePlace, OneRoute, trySome, type Route } from './route.ts'
import { FIND, PUT, RELEASE, TAKE, type Script } from './rows.ts'

const BATCH_SIZE = 256

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
    if (this.#settings.place.type === 'cluster')
      this.partOf = (name) => this.#life?.route.partOf(this.keyOf(name)) ?? this.place
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
        await trySome(place, () => this.try())
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
    return this.each(rows, async (row) => (await this.run(PUT, row.name, this.written(row))) === 1)
  }

  async take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return this.each(rows, async (row) => this.taken(await this.run(TAKE, row.name, this.written(row))))
  }

  release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]> {
    return this.each(rows, async ({ name, owner }) => {
      await this.run(RELEASE, name, [owner])
      return true as const
    })
  }

  async find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
    const rows = names.map((name) => ({ name }))
    return this.each(rows, async ({ name }) => bytes(await this.run(FIND, name, [])))
  }

  /** Whether all of it may be done. @throws StoreError by rejection */
  private async try(): Promise<void> {
    const row = { name: `try:${randomUUID()}`, owner: 'try', value: Buffer.from('try') }
    await this.run(PUT, row.name, this.written(row))
    await this.run(TAKE, row.name, this.written(row))
    const found = await this.run(FIND, row.name, [])
    await this.run(RELEASE, row.name, [row.owner])
    if (!(found instanceof Buffer)) throw unfit(this.place, 'does not keep what is written')
  }

  private written({ owner, value }: LocationRow): readonly Argument[] {
    const { buffer, byteOffset, byteLength } = value
    return [owner, Buffer.from(buffer, byteOffset, byteLength), `${this.#settings.ttlMs}`]
  }

  /** Of a cluster a node may be away: what is there fails, and nothing else. If all fails, so does the call. */
  private each<Row extends { readonly name: string; readonly value?: Uint8Array }, T>(
    rows: readonly Row[],
    run: (row: Row) => Promise<T>,
  ): Promise<readonly Answer<T>[]> {
    const size = rows.reduce((sum, { name, value }) => sum + name.length + (value?.length ?? 0), 0)
    return this.calls.parts(size, async (inTime) => {
      const answers: Answer<T>[] = []
      for (const group of groupsOf(rows))
        answers.push(...(await Promise.all(group.map((row) => inTime(run(row)).catch(asAnswer)))))
      const [first] = answers
      if (first instanceof StoreError && answers.every((answer) => answer instanceof StoreError)) throw first
      return answers
    })
  }

  private async run({ sha, text }: Script, name: string, args: readonly Argument[]): Promise<Reply> {
    const life = this.#life
    if (life === undefined) throw unavailable(this.place, 'is not asked: this is not started')
    const key = this.keyOf(name)
    try {
      return await life.route.call(key, ['EVALSHA', sha, '1', key, ...args])
    } catch (error) {
      if (!isNoScript(error)) throw error
      return life.route.call(key, ['EVAL', text, '1', key, ...args])
    }
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
