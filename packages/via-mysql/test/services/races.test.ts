import type { LocationRow } from '@pidmesh/via-kit'
import type { MysqlLocations } from '@pidmesh/via-mysql'
import { expect, it } from 'vitest'
import { isLinearizable, type Call, type Outcome } from './linearizable.ts'
import { describeServers, row, textOf, useServer, type Fixture } from './servers.ts'
import { randomOf, type Random } from './random.ts'

const STORES = 4
const ROUNDS = 60
const CALLS_OF_EACH = 4
const NAMES = ['a', 'b', 'c']

/** Keeps when each call has begun and ended, and what it was told. */
class History {
  readonly calls: Call[] = []
  private now = 0
  private values = 0

  async record(store: MysqlLocations, { owner, random }: { owner: string; random: Random }): Promise<void> {
    const names = random.shuffled(NAMES).slice(0, 1 + random.below(NAMES.length))
    const rows = names.map((name) => row(name, owner, `${owner}/${++this.values}`))
    const begunAt = ++this.now
    const outcomes = await outcomesOf(store, random.of(['put', 'put', 'take', 'release', 'find']), rows)
    const endedAt = ++this.now
    outcomes.forEach((outcome, at) => {
      const { name = '', value } = rows[at] ?? {}
      this.calls.push({ name, owner, value: textOf(value) ?? '', begunAt, endedAt, ...outcome })
    })
  }
}

async function outcomesOf(store: MysqlLocations, op: Outcome['op'], rows: readonly LocationRow[]): Promise<Outcome[]> {
  switch (op) {
    case 'put':
      return (await store.put(rows)).map((isOurs) => ({ op, isOurs }))
    case 'take':
      return (await store.take(rows)).map(({ epoch, former }) => ({ op, epoch, former: textOf(former) }))
    case 'release':
      await store.release(rows)
      return rows.map(() => ({ op }))
    case 'find':
      return (await store.find(rows.map(({ name }) => name))).map((value) => ({ op, found: textOf(value) }))
  }
}

async function startStores(fixture: Fixture, count: number): Promise<MysqlLocations[]> {
  const table = fixture.freshTable()
  return Promise.all(Array.from({ length: count }, () => fixture.startStore({ table })))
}

describeServers('several stores at once', (server) => {
  const fixture = useServer(server)

  it('of those that put a name at once exactly one is told true', async () => {
    const stores = await startStores(fixture, STORES)
    for (let round = 0; round < 50; round++) {
      const told = await Promise.all(stores.map((store, at) => store.put([row(`${round}`, `${at}`)])))
      expect(told.flat().filter(Boolean)).toHaveLength(1)
      const [value] = await (stores[0]?.find([`${round}`]) ?? [])
      expect(textOf(value)).toBe(`${round} of ${told.findIndex(([isOurs]) => isOurs)}`)
    }
  })

  it('of those that put a name at once whose time is over exactly one is told true', async () => {
    const table = fixture.freshTable()
    const stores = await Promise.all(Array.from({ length: STORES }, () => fixture.startStore({ table })))
    for (let round = 0; round < 20; round++) {
      const told = await Promise.all(stores.map((store, at) => store.put([row('a', `${round}/${at}`)])))
      expect(told.flat().filter(Boolean)).toHaveLength(1)
      await fixture.age(table, 40_000)
    }
  })

  it('takes of a name at once are one after the other: each tells who was before it, and has an epoch of its own', async () => {
    const stores = await startStores(fixture, STORES)
    for (let round = 0; round < 30; round++) {
      const taken = (await Promise.all(stores.map((store, at) => store.take([row(`${round}`, `${at}`)])))).flat()
      const inOrder = taken
        .map(({ epoch, former }, at) => ({ epoch, former: textOf(former), value: `${round} of ${at}` }))
        .toSorted((a, b) => a.epoch - b.epoch)
      expect(new Set(inOrder.map(({ epoch }) => epoch)).size).toBe(STORES)
      expect(inOrder.map(({ former }) => former)).toEqual([
        undefined,
        ...inOrder.slice(0, -1).map(({ value }) => value),
      ])
    }
  })

  it('who is told true has the name alone until it gives it up', async () => {
    const stores = await startStores(fixture, STORES)
    const holders = new Map<string, number>()
    let entered = 0
    await Promise.all(
      stores.map(async (store, at) => {
        const random = randomOf(at)
        for (let turn = 0; turn < 60; turn++) {
          const name = random.of(NAMES)
          const [isOurs] = await store.put([row(name, `${at}`)])
          if (isOurs !== true) continue
          expect(holders.get(name)).toBeUndefined()
          holders.set(name, at)
          entered += 1
          if (random.below(2) === 0) await store.put([row(name, `${at}`)])
          holders.delete(name)
          await store.release([row(name, `${at}`)])
        }
      }),
    )
    expect(entered).toBeGreaterThan(STORES)
  })

  it('any puts, takes, releases and finds at once are as if made one after the other', async () => {
    const random = randomOf(Number(process.env['PIDMESH_SEED'] ?? 1))
    const stores = await startStores(fixture, STORES)
    for (let round = 0; round < ROUNDS; round++) {
      const history = new History()
      // Each round begins with what the last one has left: it is put away first.
      for (const at of stores.keys()) await stores[0]?.release(NAMES.map((name) => row(name, `${at}`)))
      await Promise.all(
        stores.map(async (store, at) => {
          for (let call = 0; call < CALLS_OF_EACH; call++) await history.record(store, { owner: `${at}`, random })
        }),
      )
      for (const name of NAMES) {
        const calls = history.calls.filter((call) => call.name === name)
        expect(isLinearizable(calls), `round ${round}, ${name}: ${JSON.stringify(calls)}`).toBe(true)
      }
    }
  })

  it('sweeps in the midst of puts on rows whose time is over fail nobody', async () => {
    const table = fixture.freshTable()
    const stores = await Promise.all(Array.from({ length: STORES }, () => fixture.startStore({ table })))
    const rowsOf = (owner: string): LocationRow[] => Array.from({ length: 60 }, (_, at) => row(`${at}`, owner))
    for (let round = 0; round < 10; round++) {
      const told = await Promise.all(
        stores.map((store, at) => (at === 0 ? store.sweep() : store.put(rowsOf(`${round}/${at}`)))),
      )
      for (let at = 0; at < 60; at++)
        expect(told.filter((answers) => Array.isArray(answers) && answers[at] === true)).toHaveLength(1)
      await fixture.age(table, 40_000)
    }
  })
})
