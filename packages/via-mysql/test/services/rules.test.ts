import type { MysqlLocations } from '@pidmesh/via-mysql'
import { expect, it, vi } from 'vitest'
import { describeServers, row, textOf, useServer } from './servers.ts'

async function found(store: MysqlLocations, ...names: string[]): Promise<(string | undefined)[]> {
  return (await store.find(names)).map(textOf)
}

describeServers('names in a table', (server) => {
  const fixture = useServer(server)

  it('a name is its first owner’s, who may write it again; another is told false, and writes nothing', async () => {
    const store = await fixture.startStore()
    expect(await store.put([row('a', '1', 'first')])).toEqual([true])
    expect(await store.put([row('a', '2', 'second')])).toEqual([false])
    expect(await found(store, 'a')).toEqual(['first'])
    expect(await store.put([row('a', '1', 'third')])).toEqual([true])
    expect(await found(store, 'a')).toEqual(['third'])
  })

  it('a name is nobody’s when its time is over, and whoever puts it then has it', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table, ttlMs: 30_000 })
    await store.put([row('a', '1'), row('b', '1')])
    await fixture.age(table, 29_000)
    expect(await found(store, 'a')).toEqual(['a of 1'])
    expect(await store.put([row('a', '2')])).toEqual([false])
    await fixture.age(table, 1_000)
    expect(await found(store, 'a', 'b')).toEqual([undefined, undefined])
    expect(await store.put([row('a', '2', 'new')])).toEqual([true])
    expect(await found(store, 'a', 'b')).toEqual(['new', undefined])
    expect(await store.put([row('a', '1')])).toEqual([false])
  })

  it('each put begins the time anew, and a put that was told false does not', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table, ttlMs: 30_000 })
    await store.put([row('a', '1'), row('b', '1')])
    await fixture.age(table, 20_000)
    expect(await store.put([row('a', '1'), row('b', '2')])).toEqual([true, false])
    await fixture.age(table, 20_000)
    expect(await found(store, 'a', 'b')).toEqual(['a of 1', undefined])
  })

  it('its owner puts a name whose time is over as before', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table, ttlMs: 30_000 })
    await store.put([row('a', '1')])
    await fixture.age(table, 40_000)
    expect(await store.put([row('a', '1', 'again')])).toEqual([true])
    expect(await found(store, 'a')).toEqual(['again'])
  })

  it('the time is the server’s: a node whose clock is days off sees what all see', async () => {
    const store = await fixture.startStore({ ttlMs: 30_000 })
    try {
      for (const days of [3, -6]) {
        vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * 86_400_000 })
        expect(await store.put([row('a', '1')])).toEqual([true])
        expect(await store.put([row('a', '2')])).toEqual([false])
        expect(await found(store, 'a')).toEqual(['a of 1'])
      }
    } finally {
      vi.useRealTimers()
    }
  })

  it('time zones of connections make no difference', async () => {
    const table = fixture.freshTable()
    const before = await fixture.startStore({ table })
    await before.put([row('a', '1')])
    await fixture.admin.query("SET GLOBAL time_zone = '+09:00'")
    try {
      const after = await fixture.startStore({ table })
      expect(await found(after, 'a')).toEqual(['a of 1'])
      expect(await after.put([row('b', '1')])).toEqual([true])
      expect(await found(before, 'a', 'b')).toEqual(['a of 1', 'b of 1'])
      await fixture.age(table, 30_000)
      expect(await found(after, 'a', 'b')).toEqual([undefined, undefined])
    } finally {
      await fixture.admin.query("SET GLOBAL time_zone = 'SYSTEM'")
    }
  })

  it('a take has the name, whoever had it, and tells whose it was', async () => {
    const store = await fixture.startStore()
    await store.put([row('a', '1', 'first')])
    const [taken] = await store.take([row('a', '2', 'second')])
    expect(textOf(taken?.former)).toBe('first')
    expect(await found(store, 'a')).toEqual(['second'])
    expect(await store.put([row('a', '1')])).toEqual([false])
    expect(await store.put([row('a', '2', 'third')])).toEqual([true])
  })

  it('there is no former of a name that was nobody’s, this owner’s already, or whose time was over', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table, ttlMs: 30_000 })
    await store.put([row('old', '1')])
    await fixture.age(table, 40_000)
    await store.put([row('mine', '2')])
    const taken = await store.take([row('old', '2'), row('mine', '2'), row('new', '2')])
    expect(taken.map(({ former }) => former)).toEqual([undefined, undefined, undefined])
    expect(await found(store, 'old', 'mine', 'new')).toEqual(['old of 2', 'mine of 2', 'new of 2'])
  })

  it('each take has a larger epoch than all before, also after puts, the end of a time, and a release', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table, ttlMs: 30_000 })
    const epochs: number[] = []
    const take = async (owner: string): Promise<void> => {
      const [taken] = await store.take([row('a', owner)])
      epochs.push(taken?.epoch ?? 0)
    }
    await take('1')
    await take('1')
    await take('2')
    await store.put([row('a', '2')])
    await take('3')
    await fixture.age(table, 40_000)
    await store.put([row('a', '4')])
    await take('5')
    await store.release([row('a', '5')])
    await take('6')
    await fixture.age(table, 40_000)
    await store.sweep()
    await take('7')
    expect(epochs.every((epoch) => Number.isSafeInteger(epoch))).toBe(true)
    expect(epochs).toEqual([...new Set(epochs)].toSorted((a, b) => a - b))
  })

  it('a row whose epoch is none that a take has given is no harm to others, nor to its name', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table })
    await fixture.admin.query(
      `INSERT INTO ${table} (name, owner, value, epoch, last_active_at) VALUES ('odd', 'x', 'v', 9223372036854775807, '2000-01-01')`,
    )
    const [odd, even] = await store.take([row('odd', 'one'), row('even', 'one')])
    expect([odd?.former, even?.former]).toEqual([undefined, undefined])
    expect([odd?.epoch, even?.epoch].every((epoch) => Number.isSafeInteger(epoch))).toBe(true)
  })

  it('a release removes what is this owner’s and nothing else', async () => {
    const store = await fixture.startStore()
    await store.put([row('a', '1'), row('b', '2'), row('c', '1')])
    await store.release([row('a', '1'), row('b', '1'), row('nobody', '1')])
    expect(await found(store, 'a', 'b', 'c')).toEqual([undefined, 'b of 2', 'c of 1'])
    expect(await store.put([row('a', '2')])).toEqual([true])
  })

  it('rows of one name in a call are written in their order', async () => {
    const store = await fixture.startStore()
    expect(await store.put([row('b', '1'), row('a', '1', 'x'), row('a', '2', 'y'), row('a', '1', 'z')])).toEqual([
      true,
      true,
      false,
      true,
    ])
    expect(await found(store, 'a')).toEqual(['z'])
    const taken = await store.take([row('a', '2', 'two'), row('b', '2'), row('a', '3', 'three'), row('a', '3', 'four')])
    expect(taken.map(({ former }) => textOf(former))).toEqual(['z', 'b of 1', 'two', undefined])
    const [first, , third, fourth] = taken.map(({ epoch }) => epoch)
    expect([third, fourth]).toEqual([(first ?? 0) + 1, (first ?? 0) + 2])
    const [after] = await store.take([row('a', '4')])
    expect(textOf(after?.former)).toBe('four')
    expect(after?.epoch).toBeGreaterThan(fourth ?? Infinity)
  })

  it('the same row twice in a call has two answers', async () => {
    const store = await fixture.startStore()
    const one = row('a', '1')
    expect(await store.put([one, one])).toEqual([true, true])
    const [first, second] = await store.take([one, one])
    expect(second?.epoch).toBe((first?.epoch ?? 0) + 1)
  })

  it('answers come in the order of what was asked, unsorted and twice', async () => {
    const store = await fixture.startStore()
    await store.put([row('c', '1'), row('a', '1')])
    expect(await store.put([row('z', '2'), row('c', '2'), row('b', '2'), row('a', '2')])).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(await found(store, 'c', 'none', 'a', 'c')).toEqual(['c of 1', undefined, 'a of 1', 'c of 1'])
  })

  it('a call has as many rows as batchSize, none at all, and no more', async () => {
    const store = await fixture.startStore()
    const rows = Array.from({ length: store.batchSize }, (_, at) => row(`${at}`, '1'))
    expect(await store.put(rows)).toEqual(rows.map(() => true))
    expect((await store.take(rows)).map(({ former }) => former)).toEqual(rows.map(() => undefined))
    expect(await found(store, ...rows.map(({ name }) => name))).toEqual(rows.map(({ name }) => `${name} of 1`))
    await store.release(rows)
    expect((await store.find(rows.map(({ name }) => name))).every((value) => value === undefined)).toBe(true)
    expect([await store.put([]), await store.take([]), await store.find([])]).toEqual([[], [], []])
    expect(await store.release([])).toEqual([])
    const tooMany = [...rows, row('more', '1')]
    await expect(store.put(tooMany)).rejects.toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
    await expect(store.find(tooMany.map(({ name }) => name))).rejects.toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
  })

  it('names are bytes: those that some collation takes for equal are others', async () => {
    const store = await fixture.startStore()
    const names = ['a', 'A', 'á', 'a ', ' a', 'a\0', 'a\u0301', 'ss', 'ß', "a'; --", '`a`', 'a\\', '😀', '%', '_', '?']
    expect(await store.put(names.map((name, at) => row(name, `${at}`)))).toEqual(names.map(() => true))
    expect(await found(store, ...names)).toEqual(names.map((name, at) => `${name} of ${at}`))
  })

  it('a name of 256 bytes and an owner of 200 are kept whole, and longer or impossible names are refused', async () => {
    const store = await fixture.startStore()
    const long = 'é'.repeat(127)
    const rows = [row(`${long}ab`, 'x'.repeat(200)), row(`${long}ac`, `${'x'.repeat(199)}y`)]
    expect(await store.put(rows)).toEqual([true, true])
    expect(await store.put([row(`${long}ab`, `${'x'.repeat(199)}y`)])).toEqual([false])
    for (const name of ['', `${long}abc`, '\ud800', 'a\udc00b']) {
      await expect(store.put([row(name, '1')])).rejects.toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
      await expect(store.find([name])).rejects.toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
    }
    await expect(store.put([row('a', 'x'.repeat(201))])).rejects.toMatchObject({ code: 'ERR_STORE_UNFIT' })
    expect(await store.find(['a'])).toEqual([undefined])
  })

  it('a value is any bytes, also many of them, and part of a larger buffer', async () => {
    const store = await fixture.startStore()
    const all = Uint8Array.from({ length: 256 }, (_, at) => at)
    const large = new Uint8Array(700_000).fill(7)
    const rows = [all, all.subarray(250), new Uint8Array(0), large, large, large].map((value, at) => ({
      name: `${at}`,
      owner: '1',
      value,
    }))
    expect(await store.put(rows)).toEqual(rows.map(() => true))
    const values = await store.find(rows.map(({ name }) => name))
    expect(values.every((value, at) => value && Buffer.compare(value, rows[at]?.value ?? all) === 0)).toBe(true)
    const taken = await store.take(rows.map((each) => ({ ...each, owner: '2' })))
    expect(taken.map(({ former }) => former?.length)).toEqual(rows.map(({ value }) => value.length))
  })

  it('a sweep removes rows whose time is over, a bounded number of them, and no others', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table, ttlMs: 30_000 })
    for (let batch = 0; batch < 5; batch++)
      await store.put(Array.from({ length: store.batchSize }, (_, at) => row(`${batch}:${at}`, '1')))
    await fixture.age(table, 30_000)
    await store.put([row('alive', '1'), row('0:0', '2')])
    const dead = 5 * store.batchSize - 1
    expect(await store.sweep()).toBe(500)
    expect(await store.sweep()).toBe(dead - 500)
    expect(await store.sweep()).toBe(0)
    expect(await fixture.count(table)).toBe(2)
    expect(await found(store, 'alive', '0:0')).toEqual(['alive of 1', '0:0 of 2'])
  })

  it('what one store has written another one finds, and what is in the table outlives both', async () => {
    const table = fixture.freshTable()
    const [one, other] = [await fixture.startStore({ table }), await fixture.startStore({ table })]
    await one.put([row('a', '1')])
    expect(await found(other, 'a')).toEqual(['a of 1'])
    await fixture.stopStores()
    expect(await found(await fixture.startStore({ table }), 'a')).toEqual(['a of 1'])
  })

  it('tables keep their names apart', async () => {
    const [one, other] = [await fixture.startStore(), await fixture.startStore()]
    expect(await one.put([row('a', '1')])).toEqual([true])
    expect(await other.put([row('a', '2')])).toEqual([true])
  })

  it('a take leaves no row behind of which nobody knows, and no row that is dead', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table })
    await store.take([row('a', '1'), row('b', '1')])
    expect(await fixture.count(table)).toBe(2)
    expect(await store.sweep()).toBe(0)
  })
})
