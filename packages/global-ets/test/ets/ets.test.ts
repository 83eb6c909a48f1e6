import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { handler, Pid, type Context, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { Ets, type EtsTransferMessage } from '@pidmesh/global-ets'

interface Room {
  readonly name: string
  readonly guests: number
  readonly tags?: readonly string[]
}

let cluster: TestCluster
let node: Node

beforeEach(async () => {
  cluster = new TestCluster()
  node = await cluster.start('a')
})

afterEach(async () => {
  await cluster.stop()
})

/** A process that does nothing by itself, and what it is sent. */
async function puppet(on: Node = node): Promise<{ self: Context; messages: unknown[] }> {
  const messages: unknown[] = []
  const made: Context[] = []
  on.spawn(
    handler((self) => {
      made.push(self)
      return (message) => void messages.push(message)
    }),
  )
  await cluster.settle()
  const [self] = made
  if (self === undefined) throw new Error('it has not begun')
  return { self, messages }
}

const code = (wanted: string): unknown => expect.objectContaining({ code: wanted })

describe('rows', () => {
  it('are copies: what one does with an object after its insertion, or with a row that was read, is not the table’s', () => {
    const table = Ets.new<Room, 'name'>(node, 'rooms', { key: 'name' })
    const tags = ['old']
    table.insert({ name: 'a', guests: 1, tags })
    tags.push('new')
    const [row] = table.lookup('a')
    expect(row).toEqual({ name: 'a', guests: 1, tags: ['old'] })
    expect([Object.isFrozen(row), Object.isFrozen(row?.tags)]).toEqual([true, true])
  })

  it('come in lists that are the reader’s own', () => {
    for (const type of ['set', 'ordered_set', 'bag'] as const) {
      const table = Ets.new<Room, 'name'>(node, 'rooms', { key: 'name', type } as { key: 'name' })
      table.insert({ name: 'a', guests: 1 })
      for (const read of [() => table.lookup('a'), () => table.tab2list(), () => table.select({ name: 'a' })])
        read().length = 0
      expect(table.lookup('a')).toEqual([{ name: 'a', guests: 1 }])
    }
  })

  it('share what is no plain data', () => {
    const table = Ets.new<{ id: number; socket: object }, 'id'>(node, 't', { key: 'id' })
    const socket = new (class Socket {
      isOpen = true
    })()
    table.insert({ id: 1, socket })
    expect(table.lookupElement(1, 'socket')).toBe(socket)
  })

  it('are refused, all of them, if one is no row, has no key, or can’t be read', () => {
    const table = Ets.new<{ id: number; x?: unknown }, 'id'>(node, 't', { key: 'id' })
    const cycle: Record<string, unknown> = { id: 1 }
    cycle['self'] = cycle
    const trap = {
      get id(): number {
        throw new Error('mine')
      },
    }
    for (const bad of [null, 1, [], new Map(), {}, { id: Number.NaN }, { id: {} }, cycle, trap])
      expect(() => void Reflect.apply(table.insert, table, [[{ id: 7 }, bad]])).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(table.size).toBe(0)
  })

  it('have up to 64 levels below them', () => {
    const nested = (levels: number): object => (levels === 0 ? {} : { in: nested(levels - 1) })
    const table = Ets.new<{ id: number; x: object }, 'id'>(node, 't', { key: 'id' })
    table.insert({ id: 1, x: nested(63) })
    expect(() => table.insert({ id: 2, x: nested(64) })).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(table.size).toBe(1)
  })

  it('are not written to a table that has ended, or is another’s, since code of theirs was run', async () => {
    const { self } = await puppet()
    type Table = Ets<{ id: number; n: number }, 'id'>
    const writes: ((table: Table, row: { id: number; n: number }) => unknown)[] = [
      (table, row) => table.insert(row),
      (table, row) => table.insert([row]),
      (table, row) => table.insertNew(row),
      (table, row) => table.updateElement(1, {}, row),
      (table, row) => table.updateCounter(1, { field: 'n', by: 1 }, row),
    ]
    for (const write of writes) {
      for (const [end, wanted] of [
        [(table: Table) => table.deleteTable(), 'ERR_NO_TABLE'],
        [(table: Table) => table.giveAway(self.pid, 1), 'ERR_TABLE_ACCESS'],
      ] as const) {
        const table: Table = Ets.new<{ id: number; n: number }, 'id'>(node, 't', { key: 'id' })
        const row = {
          id: 1,
          get n() {
            return end(table) ? 1 : 2
          },
        }
        expect(() => write(table, row)).toThrow(code(wanted))
        expect(table.info()?.size ?? 0).toBe(0)
      }
    }
  })

  it('are no more than maxRows; one that takes the place of another is no more', () => {
    const table = Ets.new<Room, 'name'>(node, 't', { key: 'name', maxRows: 2 })
    table.insert([
      { name: 'a', guests: 1 },
      { name: 'b', guests: 1 },
    ])
    table.insert([
      { name: 'a', guests: 2 },
      { name: 'a', guests: 3 },
    ])
    expect(() => table.insert({ name: 'c', guests: 0 })).toThrow(code('ERR_TABLE_FULL'))
    expect(table.tab2list().map(({ guests }) => guests)).toEqual([3, 1])
  })
})

describe('lists as keys', () => {
  it('have up to 256 items, and up to 16 lists within each other', () => {
    type List = readonly (number | List)[]
    const nested = (levels: number): List => (levels === 1 ? [1] : [nested(levels - 1)])
    const long = (items: number): List => new Array<number>(items).fill(1)
    const table = Ets.new<{ id: List }, 'id'>(node, 't', { key: 'id' })
    table.insert([{ id: nested(16) }, { id: long(256) }])
    for (const id of [nested(17), long(257)]) expect(() => table.insert({ id })).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(table.size).toBe(2)
  })

  it('are the same only if their items are, wherever one ends', () => {
    const keys = [['a', 'b'], ['ab'], ['asb'], [['a'], 'b'], [['a', 'b']], [1, 2], [12], ['1', '2'], [1n, 2], []]
    const table = Ets.new<{ id: (typeof keys)[number]; at: number }, 'id'>(node, 't', { key: 'id' })
    table.insert(keys.map((id, at) => ({ id, at })))
    expect(keys.map((id) => table.lookup(id).map(({ at }) => at))).toEqual(keys.map((_, at) => [at]))
  })
})

describe('bags', () => {
  it('have no more than maxRows; what a bag has already is no more, and in a duplicate_bag it is', () => {
    const options = { key: 'name', maxRows: 2 } as const
    const bag = Ets.new<Room, 'name'>(node, 't', { ...options, type: 'bag' })
    const duplicates = Ets.new<Room, 'name'>(node, 't', { ...options, type: 'duplicate_bag' })
    const rows = [1, 2].map((guests) => ({ name: 'a', guests }))
    for (const table of [bag, duplicates]) table.insert(rows)
    bag.insert(rows)
    expect(() => duplicates.insert({ name: 'a', guests: 1 })).toThrow(code('ERR_TABLE_FULL'))
    for (const table of [bag, duplicates]) {
      expect(() => table.insert({ name: 'a', guests: 3 })).toThrow(code('ERR_TABLE_FULL'))
      expect(table.tab2list()).toEqual(rows)
    }
  })

  it('can get rows of a key while those are gone through: they are not waited for', () => {
    const walks: ((bag: Ets<{ id: number; at: number }, 'id', 'duplicate_bag'>, step: () => void) => unknown)[] = [
      (bag, step) => bag.fold(step, undefined),
      (bag, step) => bag.select(() => (step(), true)),
      (bag, step) => bag.select(() => (step(), true), 1),
      (bag, step) => bag.select({ id: 1, at: () => (step(), true) }),
    ]
    for (const walk of walks) {
      const bag = Ets.new<{ id: number; at: number }, 'id'>(node, 't', { key: 'id', type: 'duplicate_bag' })
      bag.insert([1, 2].map((at) => ({ id: 1, at })))
      let steps = 0
      walk(bag, () => {
        if (++steps < 10) bag.insert({ id: 1, at: 2 + steps })
      })
      expect(steps).toBe(2)
    }
  })

  it('have rows that differ in one field, also in one that is there and undefined', () => {
    const rows = [{}, { x: 1 }, { y: 1 }, { x: 1, y: 1 }, { x: undefined }, { y: undefined }, { x: null }].map(
      (fields) => ({ id: 1, ...fields }),
    )
    const bag = Ets.new<{ id: number }, 'id'>(node, 't', { key: 'id', type: 'bag' })
    for (const row of [...rows, ...rows.toReversed()]) bag.insert(row)
    expect(bag.tab2list()).toStrictEqual(rows)
    for (const [index, row] of rows.entries()) {
      bag.deleteObject(row)
      expect(bag.tab2list()).toStrictEqual(rows.slice(index + 1))
    }
  })

  it('lose what was matched before any was deleted: a pattern judges each row once', () => {
    const bag = Ets.new<{ id: number; at: number }, 'id'>(node, 't', { key: 'id', type: 'bag' })
    bag.insert([1, 2, 3].map((at) => ({ id: 1, at })))
    let judged = 0
    expect(bag.selectDelete(() => judged++ > 0)).toBe(2)
    expect([judged, bag.tab2list()]).toEqual([3, [{ id: 1, at: 1 }]])
  })
})

describe('keys', () => {
  it('are equal by value, pids and lists too; a text is never a list, nor 1 a 1n, and 0 is -0', async () => {
    const { self } = await puppet()
    const keys = [
      self.pid,
      [self.pid],
      ['a', 1],
      ['a', '1'],
      [['a'], 1],
      'sa',
      [0],
      0,
      1,
      1n,
      '1',
      true,
      'true',
    ] as const
    const table = Ets.new<{ id: string | number; at: number }, 'id'>(node, 't', { key: 'id' })
    const any: { insert(row: object): true; lookup(key: unknown): object[] } = table
    keys.forEach((id, at) => any.insert({ id, at }))
    expect(table.size).toBe(keys.length)
    keys.forEach((id, at) => expect(any.lookup(Array.isArray(id) ? id.slice() : id)).toEqual([{ id, at }]))
    expect([any.lookup(-0).length, any.lookup([-0]).length]).toEqual([1, 1])
  })
})

describe('counters and elements', () => {
  it('updateCounter adds, holds to a threshold, begins with the row for one that is absent, and is all or nothing', () => {
    const table = Ets.new<{ id: string; a: number; b: bigint }, 'id'>(node, 't', { key: 'id' })
    expect(table.updateCounter('x', { field: 'a', by: 2 }, { a: 1, b: 0n })).toBe(3)
    expect(table.updateCounter('x', { field: 'a', by: 2, threshold: 4, setValue: 0 })).toBe(0)
    expect(table.updateCounter('x', { field: 'a', by: -1, threshold: 0, setValue: 9 })).toBe(9)
    expect(
      table.updateCounter('x', [
        { field: 'a', by: 1 },
        { field: 'b', by: 5n },
        { field: 'a', by: 1 },
      ]),
    ).toEqual([10, 5n, 11])
    const wrong = [
      { field: 'a', by: 1 },
      { field: 'a', by: 0.5 },
    ]
    expect(() => table.updateCounter('x', wrong as { field: 'a'; by: number }[])).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(() => table.updateCounter('y', { field: 'a', by: 1 })).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(table.tab2list()).toEqual([{ id: 'x', a: 11, b: 5n }])
  })

  it('a counter may be at its threshold, and not beyond it: an update by 0 counts as one upwards, as in Erlang', () => {
    const table = Ets.new<{ id: number; n: number }, 'id'>(node, 't', { key: 'id' })
    table.insert({ id: 1, n: 3 })
    const count = (by: number, threshold: number): number =>
      table.updateCounter(1, { field: 'n', by, threshold, setValue: 100 })
    expect([count(1, 4), count(-4, 0), count(0, 0), count(0, -1)]).toEqual([4, 0, 0, 100])
    expect([count(0, 100), count(-1, 100)]).toEqual([100, 100])
  })

  it('a counter is never rounded, and the key is none', () => {
    const table = Ets.new<{ id: number; n: number }, 'id'>(node, 't', { key: 'id' })
    const row = { id: 1, n: Number.MAX_SAFE_INTEGER }
    table.insert(row)
    expect(() => table.updateCounter(1, { field: 'n', by: 1 })).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(() => table.updateCounter(1, { field: 'id' as 'n', by: 1 })).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(table.tab2list()).toEqual([row])
  })

  it('updateElement changes fields but the key, and says whether there is a row; lookupElement gives one', () => {
    const table = Ets.new<Room, 'name'>(node, 't', { key: 'name' })
    expect(table.updateElement('a', { guests: 1 })).toBe(false)
    expect(table.updateElement('a', { guests: 1 }, { guests: 0, tags: ['x'] })).toBe(true)
    expect(table.lookup('a')).toEqual([{ name: 'a', guests: 1, tags: ['x'] }])
    expect(() => table.updateElement('a', { name: 'b' } as object)).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(table.lookupElement('a', 'guests')).toBe(1)
    expect(table.lookupElement('b', 'guests', 0)).toBe(0)
    expect(() => table.lookupElement('b', 'guests')).toThrow(code('ERR_BAD_ARGUMENT'))
  })

  it('updateCounter, updateElement and lookupElement are of sets: a bag that is only said to be one is an error, and stays as it is', () => {
    const bag = Ets.new<Room, 'name'>(node, 'rooms', { key: 'name', type: 'bag', named: true })
    bag.insert({ name: 'a', guests: 1 })
    const said = Ets.whereis<Room, 'name'>(node, 'rooms')
    expect(() => said?.updateCounter('a', { field: 'guests', by: 1 })).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(() => said?.updateElement('a', { guests: 2 })).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(() => said?.lookupElement('a', 'guests')).toThrow(code('ERR_BAD_ARGUMENT'))
    expect(bag.tab2list()).toEqual([{ name: 'a', guests: 1 }])
  })
})

describe('order', () => {
  it('keys of all kinds stand in one order: numbers, booleans, references, pids, lists, texts', async () => {
    const { self } = await puppet()
    const ref = self.alias()
    const keys = ['b', 'a', ['a', 2], ['a'], self.pid, ref, true, false, 3, 2n, 1] as const
    const table = Ets.new<{ id: (typeof keys)[number] }, 'id'>(node, 't', { key: 'id', type: 'ordered_set' })
    table.insert(keys.map((id) => ({ id })))
    expect(table.tab2list().map(({ id }) => id)).toEqual(keys.toReversed())
  })

  it('processes of an earlier life of a node stand before those of a later one', () => {
    const pids = [1, 2].flatMap((incarnation) => [8, 9].map((id) => new Pid({ name: node.name, incarnation }, id)))
    const table = Ets.new<{ id: Pid }, 'id'>(node, 't', { key: 'id', type: 'ordered_set' })
    table.insert(pids.toReversed().map((id) => ({ id })))
    expect(table.tab2list().map(({ id }) => id)).toEqual(pids)
  })

  it('a range is read from a key, up to another, backwards, and so many; a prefix is one', () => {
    const table = Ets.new<{ id: readonly [string, number] }, 'id'>(node, 't', { key: 'id', type: 'ordered_set' })
    table.insert([1, 2, 3].flatMap((n) => ['a', 'b', 'c'].map((room) => ({ id: [room, n] as const }))))
    const ids = (rows: readonly { id: readonly [string, number] }[]): string[] => rows.map(({ id }) => id.join(''))
    expect(ids(table.prefix(['b']))).toEqual(['b1', 'b2', 'b3'])
    expect(ids(table.range({ from: ['a', 3], to: ['b', 2] }))).toEqual(['a3', 'b1'])
    expect(ids(table.range({ from: ['a', 3], to: ['b', 2], reverse: true }))).toEqual(['b1', 'a3'])
    expect(ids(table.range({ reverse: true, limit: 2 }))).toEqual(['c3', 'c2'])
    expect(ids(table.range({ limit: 0 }))).toEqual([])
    const unset = { from: undefined, to: undefined, limit: undefined, reverse: undefined }
    expect(table.range(unset)).toEqual(table.tab2list())
    for (const limit of [-1, NaN]) expect(() => table.range({ limit })).toThrow(code('ERR_BAD_ARGUMENT'))
    const texts = Ets.new<Room, 'name'>(node, 't', { key: 'name', type: 'ordered_set' })
    texts.insert(['user:1', 'user:2', 'users', 'use'].map((name) => ({ name, guests: 0 })))
    expect(texts.prefix('user:').map(({ name }) => name)).toEqual(['user:1', 'user:2'])
  })

  it('a key in a pattern is an exact value: of an ordered set, where 1 and 1n are one key, they are not one pattern', () => {
    const table = Ets.new<{ id: number | bigint | readonly number[] }, 'id'>(node, 't', {
      key: 'id',
      type: 'ordered_set',
    })
    table.insert([{ id: 1 }, { id: [-0] }])
    expect(table.lookup(1n)).toEqual([{ id: 1 }])
    expect(table.select({ id: 1n })).toEqual([])
    expect(table.selectDelete({ id: 1n })).toBe(0)
    expect(table.selectCount({ id: 1 })).toBe(1)
    expect(table.selectCount({ id: [0] })).toBe(1)
  })

  it('prefix and range are of an ordered_set: a table that is only said to be one is an error, not an empty list', () => {
    Ets.new<Room, 'name'>(node, 'rooms', { key: 'name', named: true }).insert({ name: 'a', guests: 1 })
    const said = Ets.whereis<Room, 'name', 'ordered_set'>(node, 'rooms')
    expect(() => said?.prefix('a')).toThrowError(code('ERR_BAD_ARGUMENT'))
    expect(() => said?.range({})).toThrowError(code('ERR_BAD_ARGUMENT'))
  })

  it('a set can change while it is gone through: what stays is seen once, what comes is not waited for', () => {
    const table = Ets.new<{ id: number }, 'id'>(node, 't', { key: 'id' })
    table.insert(Array.from({ length: 10_000 }, (_, id) => ({ id })))
    const seen = table.fold<number[]>((ids, { id }) => {
      table.delete(id)
      table.delete(id + 1)
      table.insert({ id: id + 1_000_000 })
      return [...(ids.length < 3 ? ids : ids.slice(-2)), id]
    }, [])
    expect(seen).toEqual([9_994, 9_996, 9_998])
    expect(table.size).toBe(5_000)
    expect(() => table.next(1)).toThrow(code('ERR_BAD_ARGUMENT'))
  })

  it('pages go on after rows that were deleted, and end with a table that was cleared', () => {
    const table = Ets.new<{ id: number }, 'id'>(node, 't', { key: 'id' })
    table.insert([1, 2, 3, 4, 5].map((id) => ({ id })))
    const page = table.select({}, 2)
    for (const id of [2, 1, 3]) table.delete(id)
    expect(page.more?.().rows).toEqual([{ id: 4 }, { id: 5 }])
    table.deleteAllObjects()
    table.insert({ id: 9 })
    expect(page.more?.()).toEqual({ rows: [], more: undefined })
  })

  it('who goes through a table that is cleared meanwhile sees nothing of what was there', () => {
    const table = Ets.new<{ id: number }, 'id'>(node, 't', { key: 'id' })
    table.insert([1, 2, 3].map((id) => ({ id })))
    const page = table.select({}, 1)
    const seen = table.fold<number[]>((ids, { id }) => {
      table.deleteAllObjects()
      return [...ids, id]
    }, [])
    expect([seen, page.more?.()]).toEqual([[1], { rows: [], more: undefined }])
  })

  it('pages of a set or bag end, whatever comes between them: they are of the keys that were there at the first', () => {
    for (const table of [
      Ets.new<{ id: number }, 'id'>(node, 't', { key: 'id' }),
      Ets.new<{ id: number }, 'id'>(node, 't', { key: 'id', type: 'duplicate_bag' }),
    ]) {
      table.insert([1, 2, 3].map((id) => ({ id })))
      const seen: number[] = []
      for (let page = table.select({}, 1); seen.length < 10; page = page.more()) {
        for (const { id } of page.rows) {
          seen.push(id)
          table.insert({ id: id + 100 })
        }
        if (page.more === undefined) break
      }
      expect(seen).toEqual([1, 2, 3])
      expect(table.size).toBe(6)
    }
  })
})

describe('who may do what', () => {
  it('a public table is everybody’s, a protected one everybody’s to read, a private one its owner’s', async () => {
    const [owner, other] = [await puppet(), await puppet()]
    const may = (work: () => unknown): boolean => {
      try {
        work()
        return true
      } catch (error) {
        expect(error).toEqual(code('ERR_TABLE_ACCESS'))
        return false
      }
    }
    const seen = (['public', 'protected', 'private'] as const).map((protection) => {
      const own = Ets.new<Room, 'name'>(owner.self, 't', { key: 'name', protection })
      own.insert({ name: 'a', guests: 0 })
      const theirs = own.as(other.self)
      expect(theirs.info()?.size).toBe(1)
      return [
        () => theirs.lookup('a'),
        () => theirs.delete('a'),
        () => theirs.rename('u'),
        () => theirs.setHeir(undefined),
        () => theirs.giveAway(owner.self.pid, 1),
        () => theirs.deleteTable(),
      ].map(may)
    })
    expect(seen).toEqual([
      [true, true, true, false, false, true],
      [true, false, false, false, false, false],
      [false, false, false, false, false, false],
    ])
  })

  it('a name is one table’s of a node, and each node has its own', async () => {
    const other = await cluster.start('b')
    const table = Ets.new<Room, 'name'>(node, 'rooms', { key: 'name', named: true })
    expect(() => Ets.new<Room, 'name'>(node, 'rooms', { key: 'name', named: true })).toThrow(code('ERR_NAME_TAKEN'))
    expect(Ets.whereis<Room, 'name'>(node, 'rooms')?.info()).toEqual(table.info())
    expect(Ets.whereis<Room, 'name'>(other, 'rooms')).toBeUndefined()
    expect(() => table.as(other)).toThrow(code('ERR_BAD_ARGUMENT'))
    table.rename('halls')
    expect(Ets.whereis<Room, 'name'>(node, 'rooms')).toBeUndefined()
    expect(Ets.whereis<Room, 'name'>(node, 'halls')?.name).toBe('halls')
  })

  it('a name that is another’s is refused, and one that a table has already is none; a table without one takes none with it', () => {
    const named = { key: 'name', named: true } as const
    const [rooms, halls] = [Ets.new<Room, 'name'>(node, 'rooms', named), Ets.new<Room, 'name'>(node, 'halls', named)]
    expect(() => rooms.rename('halls')).toThrow(code('ERR_NAME_TAKEN'))
    expect(rooms.rename('rooms')).toBe('rooms')
    const other = Ets.new<Room, 'name'>(node, 'rooms', { key: 'name' })
    other.rename('halls')
    other.deleteTable()
    expect(['rooms', 'halls'].map((name) => Ets.whereis(node, name)?.info())).toEqual([rooms.info(), halls.info()])
  })

  it('refuses options that can’t be', () => {
    for (const bad of [
      { key: '' },
      { key: 'name', type: 'tree' },
      { key: 'name', kee: 1 },
      { key: 'name', maxRows: 0 },
      null,
    ])
      expect(() => void Reflect.apply(Ets.new, Ets, [node, 't', bad])).toThrow(code('ERR_BAD_OPTION'))
  })
})

describe('the end of an owner', () => {
  it('is the end of its tables, before anybody is told', async () => {
    const owner = await puppet()
    const table = Ets.new<Room, 'name'>(owner.self, 'rooms', { key: 'name', named: true, protection: 'public' })
    const seen = table.as(node)
    node.exit(owner.self.pid, 'kill')
    expect(() => seen.insert({ name: 'a', guests: 0 })).toThrow(code('ERR_NO_TABLE'))
    expect(() => table.size).toThrow(code('ERR_PROCESS_EXITED'))
    expect([seen.info(), Ets.whereis(node, 'rooms'), Ets.all(node)]).toEqual([undefined, undefined, []])
  })

  it('gives a table to the heir, with a message, and its rows stay', async () => {
    const [owner, heir] = [await puppet(), await puppet()]
    const table = Ets.new<Room, 'name'>(owner.self, 't', { key: 'name', heir: { pid: heir.self.pid, data: 'yours' } })
    table.insert({ name: 'a', guests: 1 })
    node.exit(owner.self.pid, 'kill')
    await cluster.settle()
    const [message] = heir.messages as EtsTransferMessage<Room, 'name'>[]
    expect(message).toEqual({ type: 'ETS-TRANSFER', table: expect.anything(), from: owner.self.pid, data: 'yours' })
    if (message === undefined) return
    const inherited = Ets.open(heir.self, message.table)
    inherited.insert({ name: 'b', guests: 2 })
    expect(inherited.tab2list().map(({ name }) => name)).toEqual(['a', 'b'])
    node.exit(heir.self.pid, 'kill')
    expect(inherited.info()).toBeUndefined()
  })

  it('gives nothing to an heir that has ended, and has none that had ended before, as in Erlang', async () => {
    const [owner, heir] = [await puppet(), await puppet()]
    const table = Ets.new<Room, 'name'>(owner.self, 't', { key: 'name', heir: { pid: heir.self.pid, data: 1 } })
    node.exit(heir.self.pid, 'kill')
    expect(table.info()?.heir).toBe(heir.self.pid)
    expect(
      Ets.new<Room, 'name'>(owner.self, 'later', { key: 'name', heir: { pid: heir.self.pid, data: 1 } }).info()?.heir,
    ).toBeUndefined()
    table.setHeir({ pid: heir.self.pid, data: 2 })
    expect(table.info()?.heir).toBeUndefined()
    node.exit(owner.self.pid, 'kill')
    expect(table.info()).toBeUndefined()
  })

  it('has no heir of another node, or of an earlier life of this one', async () => {
    const other = await cluster.start('b')
    const table = Ets.new<Room, 'name'>(node, 't', { key: 'name' })
    const { name, incarnation, self } = node
    for (const pid of [other.self.pid, new Pid({ name, incarnation: incarnation - 1 }, self.pid.id)]) {
      expect(() => table.setHeir({ pid, data: 1 })).toThrow(code('ERR_BAD_OPTION'))
      expect(() => table.giveAway(pid, 1)).toThrow(code('ERR_BAD_ARGUMENT'))
    }
  })

  it('giveAway makes another process the owner, whose end is then the table’s', async () => {
    const [owner, next] = [await puppet(), await puppet()]
    const table = Ets.new<Room, 'name'>(owner.self, 't', { key: 'name' })
    const [ended, foreign] = [await puppet(), await puppet(await cluster.start('b'))]
    node.exit(ended.self.pid, 'kill')
    for (const { self } of [owner, ended, foreign])
      expect(() => table.giveAway(self.pid, 1)).toThrow(code('ERR_BAD_ARGUMENT'))
    table.giveAway(next.self.pid, 'gift')
    await cluster.settle()
    expect(next.messages).toEqual([
      { type: 'ETS-TRANSFER', table: expect.anything(), from: owner.self.pid, data: 'gift' },
    ])
    expect(() => table.insert({ name: 'a', guests: 0 })).toThrow(code('ERR_TABLE_ACCESS'))
    node.exit(owner.self.pid, 'kill')
    expect(table.info()?.owner).toEqual(next.self.pid)
    node.exit(next.self.pid, 'kill')
    expect(table.info()).toBeUndefined()
  })

  it('is the end of the tables of a node that stops, heirs or not', async () => {
    const heir = await puppet()
    const table = Ets.new<Room, 'name'>(node, 't', { key: 'name', heir: { pid: heir.self.pid, data: 1 } })
    await cluster.run(node.stop())
    expect(table.info()).toBeUndefined()
  })

  it('deleteTable ends it at once, also for who is just going through it', () => {
    const table = Ets.new<Room, 'name'>(node, 't', { key: 'name' })
    table.insert(['a', 'b'].map((name) => ({ name, guests: 0 })))
    const page = table.select({}, 1)
    expect(table.fold((steps) => (steps === 0 && table.deleteTable(), steps + 1), 0)).toBe(1)
    expect(() => table.lookup('a')).toThrow(code('ERR_NO_TABLE'))
    expect(() => page.more?.()).toThrow(code('ERR_NO_TABLE'))
  })
})
