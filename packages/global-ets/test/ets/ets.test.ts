import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { handler, type Context, type Node } from '@pidmesh/runtime'
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

  it('a range is read from a key, up to another, backwards, and so many; a prefix is one', () => {
    const table = Ets.new<{ id: readonly [string, number] }, 'id'>(node, 't', { key: 'id', type: 'ordered_set' })
    table.insert([1, 2, 3].flatMap((n) => ['a', 'b', 'c'].map((room) => ({ id: [room, n] as const }))))
    const ids = (rows: readonly { id: readonly [string, number] }[]): string[] => rows.map(({ id }) => id.join(''))
    expect(ids(table.prefix(['b']))).toEqual(['b1', 'b2', 'b3'])
    expect(ids(table.range({ from: ['a', 3], to: ['b', 2] }))).toEqual(['a3', 'b1'])
    expect(ids(table.range({ from: ['a', 3], to: ['b', 2], reverse: true }))).toEqual(['b1', 'a3'])
    expect(ids(table.range({ reverse: true, limit: 2 }))).toEqual(['c3', 'c2'])
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
      return [() => theirs.lookup('a'), () => theirs.delete('a'), () => theirs.setHeir(undefined)].map(may)
    })
    expect(seen).toEqual([
      [true, true, false],
      [true, false, false],
      [false, false, false],
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

  it('giveAway makes another process the owner, whose end is then the table’s', async () => {
    const [owner, next] = [await puppet(), await puppet()]
    const table = Ets.new<Room, 'name'>(owner.self, 't', { key: 'name' })
    expect(() => table.giveAway(owner.self.pid, 1)).toThrow(code('ERR_BAD_ARGUMENT'))
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

  it('deleteTable ends it at once', () => {
    const table = Ets.new<Room, 'name'>(node, 't', { key: 'name' })
    table.deleteTable()
    expect(() => table.lookup('a')).toThrow(code('ERR_NO_TABLE'))
  })
})
