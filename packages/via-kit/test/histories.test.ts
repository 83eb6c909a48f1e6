/**
 * PURPOSE: whatever a store does, and whatever two nodes ask of it: when it is well again a name has one holder at most, who is alive, and the row in the store is that one's.
 *
 *   PIDMESH_SEED=7 PIDMESH_HISTORIES=1000 npx vitest run --project unit packages/via-kit/test/histories.test.ts
 */
import { LocationVia, StoreError, type Answer, type LocationRow, type TakenLocation } from '@pidmesh/via-kit'
import { FakeStore, type FakeServer } from '@pidmesh/via-kit/testing'
import { PidmeshError, type Pid, type Random } from '@pidmesh/runtime'
import { seededRandom } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'
import { startLab } from './lab.ts'

const SEED = Number(process.env['PIDMESH_SEED'] ?? 1)
const HISTORIES = Number(process.env['PIDMESH_HISTORIES'] ?? 40)
const STEPS = 150
const NAMES = ['a', 'b', 'c', 'd']
/** A ttl until ghosts are gone, and a round or two. */
const QUIET_MS = 9_000
/** A call to a driver takes 1 s; it waits for one, and is one. Some take two: a name in the way is looked at. */
const SETTLED_MS = 8_000

interface Weather {
  isBad: boolean
}

/** Fails now and then: what it was asked is done, or is not, or is done later; or it takes its time. */
class Faulty extends FakeStore {
  protected readonly random: Random
  protected readonly weather: Weather

  constructor(server: FakeServer, random: Random, weather: Weather) {
    super(server)
    this.random = random
    this.weather = weather
  }

  override put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    return this.faulty(() => super.put(rows))
  }

  override take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return this.faulty(() => super.take(rows))
  }

  override release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]> {
    return this.faulty(() => super.release(rows))
  }

  override find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
    return this.faulty(() => super.find(names))
  }

  private async faulty<T>(call: () => Promise<T>): Promise<T> {
    const { random, weather } = this
    const what = random.fraction()
    if (!weather.isBad || what > 0.3) return call()
    const away = new StoreError('ERR_STORE_UNAVAILABLE', 'it is away')
    if (what < 0.1) {
      await call()
      await this.wait(900 * random.fraction())
      throw away
    }
    if (what < 0.2) {
      void this.wait(2_000 * random.fraction())
        .then(call)
        .catch(() => undefined)
      await this.wait(900 * random.fraction())
      throw away
    }
    await this.wait(what < 0.25 ? 990 : 900 * random.fraction())
    if (what < 0.25) throw away
    return call()
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.server.clock.setTimer(ms, resolve))
  }
}

/** In parts, and names go from one to another now and then. */
class Moving extends Faulty {
  private readonly places = new Map<string, string>()

  partOf(name: string): string {
    const place = this.places.get(name)
    if (place !== undefined && !(this.weather.isBad && this.random.fraction() < 0.05)) return place
    const next = `${Math.floor(3 * this.random.fraction())}`
    this.places.set(name, next)
    return next
  }
}

/** Says another thing whenever it is asked. */
class Fickle extends Faulty {
  partOf(): string {
    return `${Math.floor(3 * this.random.fraction())}`
  }
}

async function play(seed: number, Store: typeof Faulty): Promise<readonly string[]> {
  const random = seededRandom(seed)
  const chance = (): number => random.fraction()
  const pick = <T>(all: readonly [T, ...T[]]): T => all[Math.floor(chance() * all.length)] ?? all[0]
  const weather: Weather = { isBad: false }
  const lab = await startLab((node, server) => LocationVia.start(node, { store: new Store(server, random, weather) }))
  const { cluster, server, members } = lab
  const problems: string[] = []
  let open = 0
  const track = (call: Promise<unknown>): void => {
    const startMs = cluster.clock.monotonicMs()
    open++
    void call
      .catch((error: unknown) => {
        if (!(error instanceof PidmeshError)) problems.push(`failed with ${String(error)}`)
      })
      .then(() => {
        open--
        const tookMs = cluster.clock.monotonicMs() - startMs
        if (tookMs > SETTLED_MS) problems.push(`a call has taken ${tookMs} ms`)
      })
  }
  try {
    weather.isBad = true
    const spawned: { readonly pid: Pid; readonly member: (typeof members)[number] }[] = []
    let older = new Map(server.rows)
    for (let step = 0; step < STEPS; step++) {
      const member = pick(members)
      const { names, node } = member
      const name = pick(['a', 'b', 'c', 'd'])
      const own = spawned.filter((one) => one.member === member && node.isProcessAlive(one.pid))
      const [first, ...others] = own.map(({ pid }) => pid)
      const pid = first === undefined || chance() < 0.3 ? lab.spawn(member) : pick([first, ...others])
      spawned.push({ pid, member })
      const what = chance()
      if (what < 0.3) track(names.registerName(name, pid, { step }))
      else if (what < 0.5) track(names.takeover(name, pid, { meta: { step } }))
      else if (what < 0.65) track(names.unregisterName(name, ...(chance() < 0.5 ? [pid] : [])))
      else if (what < 0.75) track(names.setMeta(name, { step }))
      else if (what < 0.85) node.exit(pid, 'kill')
      else if (what < 0.95) track(names.send(name, 1))
      else if (what < 0.965) server.lose()
      else if (what < 0.98) older = new Map(server.rows)
      else {
        server.lose()
        for (const [key, row] of older) server.rows.set(key, row)
      }
      await lab.pass(chance() < 0.5 ? Math.floor(chance() * 5) : Math.floor(chance() * 800))
    }
    weather.isBad = false
    await lab.pass(QUIET_MS)
    if (open > 0) problems.push(`${open} calls have not ended`)
    for (const name of NAMES) {
      const holders = members.flatMap(({ names, node }) => {
        const pid = names.whereisName(name)
        if (pid !== undefined && !node.isProcessAlive(pid)) problems.push(`${name} is held by a dead process`)
        return pid === undefined ? [] : [pid]
      })
      const owner = server.rowOf(name)?.owner
      const [holder] = holders
      if (holders.length > 1) problems.push(`${name} has ${holders.length} holders`)
      if ((owner === undefined) !== (holder === undefined) || (holder && !owner?.startsWith(`${holder.toString()}#`)))
        problems.push(`${name} is held by ${String(holder)}, and in the store ${owner}’s`)
    }
    for (const { names } of members) {
      const { pending, unreleased } = names.stats
      if (pending + unreleased > 0) problems.push(`${pending} calls wait, ${unreleased} rows are to be given back`)
    }
    await lab.run(Promise.all(members.map(({ names }) => names.stop())))
    if (NAMES.some((name) => server.rowOf(name) !== undefined)) problems.push('rows are left after a stop')
  } finally {
    await cluster.stop()
  }
  return problems
}

it.each([
  { form: 'one', Store: Faulty },
  { form: 'in parts', Store: Moving },
  { form: 'fickle', Store: Fickle },
])(
  `${HISTORIES} histories from seed ${SEED}: when the store, which is $form, is well again names are what it says`,
  { timeout: 600_000 },
  async ({ Store }) => {
    for (let history = 0; history < HISTORIES; history++) {
      const seed = SEED * 10_000 + history
      expect(await play(seed, Store), `history ${seed}: PIDMESH_SEED=${SEED} PIDMESH_HISTORIES=${history + 1}`).toEqual(
        [],
      )
    }
  },
)
