/**
 * PURPOSE: a store in parts, one of which is away, slow, or stands still: what is in the others doesn't notice. And names that go from one part to another.
 */
import type { Answer, LocationRow, LocationVia, TakenLocation } from '@pidmesh/via-kit'
import { FakeStore } from '@pidmesh/via-kit/testing'
import { describe, expect, it } from 'vitest'
import { alive, away, locationLab, registerMany, storesLab, type Lab } from './lab.ts'

const TTL_MS = 3_000
const TIMEOUT_MS = 1_000

/** What a part does, for so long, before it answers as it should. */
interface Fault {
  readonly ms: number
  readonly isAway: boolean
}

/** Names are in the part that is before their colon; those without one in `x`. */
class Parted extends FakeStore {
  readonly faults = new Map<string, Fault>()
  /** Names that are elsewhere now. */
  readonly moved = new Map<string, string>()
  readonly asked: string[] = []

  partOf(name: string): string {
    return this.moved.get(name) ?? (name.includes(':') ? name.slice(0, name.indexOf(':')) : 'x')
  }

  override put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    return this.faulty('put', rows, () => super.put(rows))
  }

  override take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return this.faulty('take', rows, () => super.take(rows))
  }

  override release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]> {
    return this.faulty('release', rows, () => super.release(rows))
  }

  override find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
    const rows = names.map((name) => ({ name }))
    return this.faulty('find', rows, () => super.find(names))
  }

  private async faulty<T>(
    what: string,
    rows: readonly { readonly name: string }[],
    call: () => Promise<T>,
  ): Promise<T> {
    this.asked.push(...rows.map(({ name }) => `${what} ${name}`))
    const fault = this.faults.get(this.partOf(rows[0]?.name ?? ''))
    if (fault === undefined) return call()
    await new Promise<void>((resolve) => this.server.clock.setTimer(fault.ms, resolve))
    if (fault.isAway) throw away()
    return call()
  }
}

/** Stands still: each call fails when its time is over. */
const STILL: Fault = { ms: TIMEOUT_MS, isAway: true }

async function partedLab(): Promise<{ readonly lab: Lab<LocationVia>; readonly stores: readonly Parted[] }> {
  return storesLab((server) => new Parted(server))
}

function set(stores: readonly Parted[], part: string, fault?: Fault): void {
  for (const { faults } of stores)
    if (fault === undefined) faults.delete(part)
    else faults.set(part, fault)
}

async function registerIn(lab: Lab<LocationVia>, parts: readonly string[], count: number): Promise<readonly string[]> {
  const [one] = lab.members
  const pid = lab.spawn(one)
  const names = parts.flatMap((part) => Array.from({ length: count }, (_, n) => `${part}:${n}`))
  const answers = await lab.run(Promise.all(names.map((name) => one.names.registerName(name, pid))))
  expect(answers).toEqual(names.map(() => 'yes'))
  return names
}

describe('while a part of the store stands still', () => {
  it('calls of names in others are answered before the first call there', async () => {
    const { lab, stores } = await partedLab()
    await registerIn(lab, ['a', 'b', 'c'], 60)
    set(stores, 'c', STILL)
    const [, other] = lab.members
    const settled: unknown[] = []
    for (let n = 0; n < 60; n++) {
      void other.names.send(`c:${n}`, 1).then((status) => settled.push(status))
      void other.names.registerName(`c:new${n}`, lab.spawn(other)).catch(() => settled.push('rejected'))
    }
    for (let round = 0; round < 30; round++) {
      const statuses = [`a:${round}`, `b:${round}`].map((name) => other.names.send(name, 1))
      expect(await lab.run(Promise.all(statuses))).toEqual(['ok', 'ok'])
      expect(await lab.run(other.names.registerName(`a:new${round}`, lab.spawn(other)))).toBe('yes')
      expect(await lab.run(other.names.takeover(`b:new${round}`, lab.spawn(other)))).toBeDefined()
      expect(await lab.run(other.names.unregisterName(`a:new${round}`))).toBe('ok')
    }
    expect(settled).toEqual([])
    await lab.pass(3 * TIMEOUT_MS)
    expect(settled.filter((status) => status === 'noconnection').length).toBe(60)
    expect(settled.filter((status) => status === 'rejected').length).toBe(60)
  })

  it('no more than half of the room is taken by calls that wait for it, and by calls for all parts no more than there is', async () => {
    const stores: Parted[] = []
    const lab = await locationLab(
      (server) => {
        const store = new Parted(server)
        stores.push(store)
        return store
      },
      { maxPending: 1_000 },
    )
    await registerIn(lab, ['b'], 1)
    set(stores, 'c', STILL)
    const [, other] = lab.members
    const { names } = other
    const sendMany = (part: string): void => {
      for (let n = 0; n < 5_000; n++) void names.send(`${part}:${n}`, 1)
    }
    sendMany('c')
    expect(names.stats.pending).toBe(500)
    expect(await lab.run(names.send('b:0', 1))).toBe('ok')
    for (const part of ['a', 'b', 'd', 'e', 'f']) {
      set(stores, part, STILL)
      sendMany(part)
      await lab.pass(1)
      expect(names.stats.pending).toBeLessThanOrEqual(1_000)
    }
    await lab.pass(10 * TIMEOUT_MS)
    expect(names.stats.pending).toBe(0)
  })

  it.each([
    { what: 'stands still', fault: STILL },
    { what: 'is slow', fault: { ms: TIMEOUT_MS * 0.9, isAway: false } },
  ])('and has many names, those in others are refreshed in time: it $what', async ({ fault }) => {
    const { lab, stores } = await partedLab()
    await registerIn(lab, ['a', 'b'], 100)
    await registerIn(lab, ['c'], 500)
    set(stores, 'c', fault)
    const inOthers = (): number =>
      [...lab.server.rows.keys()].filter((name) => !name.startsWith('c') && lab.server.rowOf(name) !== undefined).length
    for (let ms = 0; ms < 5 * TTL_MS; ms += 100) {
      await lab.pass(100)
      expect(inOthers()).toBe(200)
    }
    set(stores, 'c')
    await lab.pass(2 * TTL_MS)
    expect(alive(lab)).toBe(700)
  })

  it('names in others that are given up are nobody’s at once, and those there when it is back', async () => {
    const { lab, stores } = await partedLab()
    await registerIn(lab, ['a', 'c'], 100)
    set(stores, 'c', STILL)
    const [one] = lab.members
    for (let n = 0; n < 100; n++) void one.names.unregisterName(`c:${n}`)
    await lab.run(Promise.all(Array.from({ length: 100 }, (_, n) => one.names.unregisterName(`a:${n}`))))
    expect([...lab.server.rows.keys()].filter((name) => name.startsWith('a'))).toEqual([])
    await lab.pass(TTL_MS / 2)
    set(stores, 'c')
    await lab.pass(TTL_MS / 2 + TIMEOUT_MS)
    expect(one.names.stats.unreleased).toBe(0)
    expect(lab.server.rows.size).toBe(0)
  })

  it('its last name, of which nobody knows yet whether it is given back, is not forgotten', async () => {
    const { lab, stores } = await partedLab()
    await registerIn(lab, ['c'], 1)
    const [{ names }] = lab.members
    // Longer than from one look for what there is to refresh to the next.
    set(stores, 'c', { ms: 1.9 * TIMEOUT_MS, isAway: true })
    void names.unregisterName('c:0')
    await lab.pass(2 * TIMEOUT_MS)
    expect(names.stats.unreleased).toBe(1)
    set(stores, 'c')
    await lab.run(names.stop())
    expect(lab.server.rows.size).toBe(0)
  })

  it('a stop gives back what is in others, and does not wait for ever', async () => {
    const { lab, stores } = await partedLab()
    await registerIn(lab, ['a', 'c'], 1_000)
    set(stores, 'c', STILL)
    // It takes longer than it takes to find out that the other part is away.
    set(stores, 'a', { ms: 100, isAway: false })
    const startMs = lab.cluster.clock.monotonicMs()
    await lab.run(lab.members[0].names.stop())
    expect(lab.cluster.clock.monotonicMs() - startMs).toBeLessThanOrEqual(10_000)
    expect([...lab.server.rows.keys()].filter((name) => name.startsWith('a'))).toEqual([])
  })

  it('the log says once which one it is, and once that it is back, however often others answer', async () => {
    const { lab, stores } = await partedLab()
    await registerIn(lab, ['a', 'c'], 2)
    set(stores, 'c', STILL)
    const [, other] = lab.members
    const { names } = other
    const lines = (): unknown[] =>
      lab.cluster.log.lines
        .filter(({ message }) => message.includes('part of the store of names'))
        .map(({ message, fields }) => [message, fields?.['part']])
    for (let n = 0; n < 5; n++) {
      expect(await lab.run(names.send('c:0', 1))).toBe('noconnection')
      for (let more = 0; more < 20; more++) expect(await lab.run(names.send('a:0', 1))).toBe('ok')
      expect(names.stats.isAvailable).toBe(false)
    }
    const told = ['a part of the store of names does not answer', 'c']
    // Both nodes have said so.
    expect(lines()).toEqual([told, told])
    set(stores, 'c')
    await lab.pass(2 * TTL_MS)
    expect(await lab.run(names.send('c:0', 1))).toBe('ok')
    expect(names.stats.isAvailable).toBe(true)
    expect(lines().slice(2)).toEqual([
      ['a part of the store of names is back', 'c'],
      ['a part of the store of names is back', 'c'],
    ])
  })
})

describe('a name that goes to another part', () => {
  it('is not asked for there before what was asked of it is answered', async () => {
    const { lab, stores } = await partedLab()
    const [one, other] = lab.members
    const pid = lab.spawn(one)
    await registerIn(lab, ['a', 'b'], 1)
    // In the other part, too, calls are under way.
    set(stores, 'a', { ms: 500, isAway: false })
    const order: unknown[] = []
    void one.names.registerName('a:x', pid).then((answer) => order.push(answer))
    await lab.pass(10)
    for (const { moved } of stores) moved.set('a:x', 'b')
    void one.names.unregisterName('a:x')
    void one.names.takeover('a:x', pid).then((epoch) => order.push(epoch))
    await lab.pass(2_000)
    expect(order).toEqual(['no', expect.any(Number)])
    const asked = (stores[0]?.asked ?? []).filter((call) => call.endsWith(' a:x'))
    expect(asked[0]).toBe('put a:x')
    expect((await lab.run(other.names.resolveName('a:x')))?.equals(pid)).toBe(true)
  })

  it('is found there as soon as what was under way has ended, though it is sent to without a pause, and its former part stands still', async () => {
    const { lab, stores } = await partedLab()
    await registerIn(lab, ['a', 'b'], 2)
    const [, { names }] = lab.members
    set(stores, 'a', STILL)
    const settled: string[] = []
    const sendFor = async (ms: number): Promise<void> => {
      for (let passedMs = 0; passedMs < ms; passedMs += 100) {
        // What stays there is asked first.
        void names.send('a:1', 1)
        void names.send('a:0', 1).then((status) => settled.push(status))
        await lab.pass(100)
      }
    }
    await sendFor(2.5 * TIMEOUT_MS)
    for (const { moved } of stores) moved.set('a:0', 'b')
    await sendFor(TIMEOUT_MS)
    const failed = settled.length
    expect(settled).toContain('noconnection')
    await sendFor(2 * TIMEOUT_MS)
    expect(settled.slice(failed)).toEqual(Array.from({ length: 20 }, () => 'ok'))
    await lab.pass(3 * TIMEOUT_MS)
    expect(names.stats.pending).toBe(0)
  })

  it('is refreshed there, and what has gone away with its part is forgotten', async () => {
    const { lab, stores } = await partedLab()
    const names = await registerIn(lab, ['a', 'b'], 50)
    const [one, other] = lab.members
    set(stores, 'a', STILL)
    await lab.pass(TIMEOUT_MS * 1.5)
    // Another server has its rows, and takes its place.
    for (const { moved } of stores) for (const name of names) moved.set(name, name.startsWith('a') ? 'd' : 'b')
    for (let ms = 0; ms < 310_000; ms += 1_000) {
      await lab.pass(1_000)
      if (ms > TTL_MS) expect(alive(lab)).toBe(100)
      await lab.run(other.names.send('a:0', 1))
    }
    expect(one.names.stats).toMatchObject({ isAvailable: true, unreleased: 0, pending: 0 })
    const gone = lab.cluster.log.lines.filter(({ message }) => message.includes('is not asked any more'))
    expect(gone.length).toBeGreaterThan(0)
    // Its names are given back by who has them now.
    await lab.run(one.names.stop())
    expect(lab.server.rows.size).toBe(0)
  })
})

describe.each<readonly [string, () => unknown]>([
  [
    'throws',
    () => {
      throw new Error('broken')
    },
  ],
  ['answers with no text', () => NaN],
])('a partOf that %s', (_, broken) => {
  it('harms nobody: its names are kept, found and given back, in one part together', async () => {
    const partOf = (name: string): string => (name.startsWith('a') ? (broken() as string) : 'b')
    const { lab } = await storesLab((server) => Object.assign(new FakeStore(server), { partOf }))
    const [one, other] = lab.members
    await registerIn(lab, ['a', 'b'], 5)
    await lab.pass(4 * TTL_MS)
    expect(alive(lab)).toBe(10)
    expect(await lab.run(other.names.send('a:0', 1))).toBe('ok')
    await lab.run(one.names.stop())
    expect(lab.server.rows.size).toBe(0)
  })
})

it('a partOf that says another thing at each call leaves no name without upkeep', async () => {
  let calls = 0
  const partOf = (): string => `${calls++ % 7}`
  const { lab } = await storesLab((server) => Object.assign(new FakeStore(server), { partOf }))
  await registerMany(lab, 50)
  for (let ms = 0; ms < 20 * TTL_MS; ms += 500) {
    await lab.pass(500)
    expect(alive(lab)).toBe(50)
  }
  await lab.run(lab.members[0].names.stop())
  expect(lab.server.rows.size).toBe(0)
})

it('a look asks once for each name where it is, and its refresh once more, however many parts there are', async () => {
  let calls = 0
  const partOf = (name: string): string => {
    calls++
    return name.slice(0, name.indexOf(':'))
  }
  const { lab } = await storesLab((server) => Object.assign(new FakeStore(server), { partOf }))
  const parts = Array.from({ length: 20 }, (_, part) => `${part}`)
  const names = await registerIn(lab, parts, 10)
  calls = 0
  await lab.pass(10 * TTL_MS)
  // Each third of the ttl, and a tenth of that more or less.
  expect(calls / names.length).toBeGreaterThan(2 * 27)
  expect(calls / names.length).toBeLessThan(2 * 34)
})

it('a name that ends while a round of its part waits for the one before is not written by it', async () => {
  const { lab, stores } = await partedLab()
  const names = await registerIn(lab, ['a'], 200)
  const [one, other] = lab.members
  // A round takes longer than the time from one to the next.
  set(stores, 'a', { ms: 500, isAway: false })
  await lab.pass(2 * TTL_MS)
  set(stores, 'a', { ms: 100, isAway: false })
  const ended = names.filter((_, index) => index % 2 === 0)
  await lab.run(Promise.all(ended.map((name) => one.names.unregisterName(name))))
  const asked = stores[0]?.asked ?? []
  asked.splice(0)
  for (let ms = 0; ms < 2 * TTL_MS; ms += 100) {
    await lab.pass(100)
    expect(alive(lab)).toBe(100)
  }
  expect(asked.filter((call) => ended.some((name) => call === `put ${name}`))).toEqual([])
  expect(await lab.run(other.names.resolveName(ended[0] ?? ''))).toBeUndefined()
})

it('a sweep that hangs keeps no names from being refreshed', async () => {
  const { lab, stores } = await partedLab()
  for (const store of stores) store.sweep = () => new Promise(() => undefined)
  await registerIn(lab, ['a', 'b'], 5)
  await lab.pass(6 * TTL_MS)
  expect(alive(lab)).toBe(10)
})

it('names without parts are as ever: all of the room is theirs', async () => {
  const lab = await locationLab((server) => new FakeStore(server), { maxPending: 1_000 })
  await registerMany(lab, 1)
  const [, other] = lab.members
  for (let n = 0; n < 5_000; n++) void other.names.send(`m${n}`, 1)
  expect(other.names.stats.pending).toBe(1_000)
  await lab.pass(TIMEOUT_MS)
})
