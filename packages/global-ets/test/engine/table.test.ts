import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { Copy } from '../../src/engine/copy.ts'
import { KeyIndex } from '../../src/engine/key-index.ts'
import { NONE } from '../../src/engine/rows.ts'
import type { Table } from '../../src/engine/table.ts'
import { node, put, tableOf } from './tables.ts'

describe.each(['names', 'groups'] as const)('a new copy in place of an old one (%s)', (kind) => {
  it('is told of as the difference alone, though all of it is another copy’s', () => {
    const { table, told } = tableOf(kind)
    const owner = node('a')
    const [old, fresh] = [table.addCopy(owner), table.addCopy(owner)]
    for (const [key, id] of [
      ['stays', 1],
      ['goes', 2],
      ['changes', 3],
    ] as const)
      put(table, old, key, id)
    table.show(old)
    table.work(100)
    expect(told.splice(0)).toHaveLength(3)
    put(table, fresh, 'stays', 1)
    put(table, fresh, 'changes', 3, 1, 7)
    put(table, fresh, 'comes', 4)
    expect(table.size).toBe(3)
    table.replace(old, fresh)
    expect(table.size).toBe(3)
    expect(told).toEqual([])
    for (let turns = 0; table.hasWork; turns++) {
      table.work(1)
      expect(turns).toBeLessThan(20)
    }
    expect(told.sort()).toEqual(['+ comes 4 a', '- goes 2 a', '~ changes 3 a'])
    expect(table.rowsHeld).toBe(3)
  })
})

describe('a claim', () => {
  it('is found by its process: what one process gives up another one keeps', () => {
    const { table } = tableOf('names')
    const copy = table.addCopy(node('a'))
    const slot = put(table, copy, 'x', 7)
    expect(table.findClaim(copy, 'x', 7, 0)).toBe(slot)
    expect(table.findClaim(copy, 'x', 8, 1)).toBe(-1)
    expect(table.findClaims(copy, 'x', 8)).toEqual([])
  })
})

describe('memberships', () => {
  it('of one process in one group are told apart by their epochs: putting one again changes nothing', () => {
    const { table, told } = tableOf('groups')
    put(table, table.own, 'room', 7, 1)
    put(table, table.own, 'room', 7, 2)
    put(table, table.own, 'room', 7, 2)
    expect(table.size).toBe(2)
    expect(told).toEqual(['+ room 7 m', '+ room 7 m'])
    table.removeRow(table.own, table.findClaim(table.own, 'room', 7, 1))
    expect(table.membersOf('room').map((slot) => table.rows.epochOf(slot))).toEqual([2])
  })

  it('of one process in one group are found all, whether they came one by one or as a snapshot', () => {
    for (const order of [
      [1, 2, 3],
      [3, 2, 1],
      [2, 1, 3],
    ]) {
      const { table } = tableOf('groups')
      const copy = table.addCopy(node('a'))
      for (const epoch of order) put(table, copy, 'room', 7, epoch)
      const epochs = table.findClaims(copy, 'room', 7).map((slot) => table.rows.epochOf(slot))
      expect(epochs.sort((a, b) => a - b)).toEqual([1, 2, 3])
    }
  })

  it('of a process are those that a list has, the newest first, whether they came one by one or as a snapshot', () => {
    const change = fc.record({ id: fc.integer({ min: 1, max: 3 }), act: fc.constantFrom('newer', 'older', 'remove') })
    fc.assert(
      fc.property(fc.array(fc.tuple(change, fc.nat()), { maxLength: 60 }), (changes) => {
        const { table } = tableOf('groups')
        const copy = table.addCopy(node('a'))
        const lists = new Map([1, 2, 3].map((id): [number, number[]] => [id, []]))
        let [newest, oldest] = [1_000, 1_000]
        for (const [{ id, act }, choice] of changes) {
          const list = lists.get(id) ?? []
          if (act === 'newer') {
            list.unshift(++newest)
            put(table, copy, `room:${newest % 3}`, id, newest)
          } else if (act === 'older') {
            list.push(--oldest)
            put(table, copy, `room:${oldest % 3}`, id, oldest)
          } else if (list.length > 0) {
            const [epoch = 0] = list.splice(choice % list.length, 1)
            table.removeRow(copy, table.findClaim(copy, `room:${epoch % 3}`, id, epoch))
          }
          for (const [process, epochs] of lists)
            expect(table.rowsOfProcess(copy, process).map((slot) => table.rows.epochOf(slot))).toEqual(epochs)
        }
      }),
      { numRuns: 30 },
    )
  })
})

/** What a table is, without anything clever: a list of rows for each copy. */
type Model = Map<Copy, { isShown: boolean; rows: Map<string, number> }>

const step = fc.oneof(
  fc.record({
    type: fc.constant('put' as const),
    copy: fc.nat(3),
    key: fc.constantFrom('a1', 'a2', 'b1'),
    id: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ type: fc.constant('remove' as const), copy: fc.nat(3), key: fc.constantFrom('a1', 'a2', 'b1') }),
  fc.record({
    type: fc.constantFrom('show' as const, 'hide' as const, 'discard' as const),
    copy: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ type: fc.constant('work' as const), rows: fc.nat(3) }),
)

describe('a table of names', () => {
  it('shows the first of all claims in copies that are shown, and tells each join and leave in turn', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { table, told } = tableOf('names')
        const copies = [table.own, ...['a', 'b', 'z'].map((name) => table.addCopy(node(name)))]
        const model: Model = new Map(copies.map((copy) => [copy, { isShown: copy === table.own, rows: new Map() }]))
        for (const one of steps) play(table, copies, model, one)
        const seen = (key: string): string | undefined => {
          const holders = copies
            .filter((copy) => model.get(copy)?.isShown === true && model.get(copy)?.rows.has(key) === true)
            .sort((x, y) => (x.owner.name < y.owner.name ? -1 : 1))
          const [first] = holders
          return first === undefined ? undefined : `${key} ${model.get(first)?.rows.get(key)} ${first.owner.name[0]}`
        }
        const keys = ['a1', 'a2', 'b1']
        for (const key of keys) {
          const slot = table.visible(key)
          const shown = slot === -1 ? undefined : `${key} ${table.rows.idOf(slot)} ${table.copyOf(slot).owner.name[0]}`
          expect(shown).toBe(seen(key))
        }
        table.work(10_000)
        const expected = keys.flatMap((key) => seen(key) ?? [])
        expect(table.size).toBe(expected.length)
        expect(table.countOfPrefix(0)).toBe(expected.filter((text) => text.startsWith('a')).length)
        expect(known(told)).toEqual(expected)
        const own = [...(model.get(table.own)?.rows.keys() ?? [])]
        const lost = own.filter((key) => !(seen(key) ?? '').endsWith(' m')).sort()
        const defeats: string[] = []
        for (let next = table.takeDefeat(); next !== undefined; next = table.takeDefeat())
          defeats.push(table.rows.keyOf(next.loser))
        expect(defeats.sort()).toEqual(lost)
        let rows = 0
        for (const [copy, { rows: own }] of model) {
          rows += own.size
          expect(copy.count).toBe(own.size)
        }
        expect(table.rowsHeld).toBe(rows)
      }),
    )
  })
})

function play(
  table: Table,
  copies: readonly Copy[],
  model: Model,
  one: typeof step extends fc.Arbitrary<infer S> ? S : never,
): void {
  if (one.type === 'work') {
    table.work(one.rows)
    return
  }
  const copy = copies[one.copy] as Copy
  const known = model.get(copy)
  if (known === undefined || copy.isDiscarded) return
  if (one.type === 'put') {
    put(table, copy, one.key, one.id)
    known.rows.set(one.key, one.id)
  } else if (one.type === 'remove') {
    const slot = table.find(copy, one.key)
    if (slot !== -1) table.removeRow(copy, slot)
    known.rows.delete(one.key)
  } else if (one.type === 'discard') {
    table.discard(copy)
    known.isShown = false
    known.rows.clear()
  } else {
    if (one.type === 'show') table.show(copy)
    else table.hide(copy)
    known.isShown = one.type === 'show'
  }
}

/** What one knows who was told. Each join is of something that wasn't there, each leave of something that was. */
function known(told: readonly string[]): string[] {
  const rows = new Set<string>()
  const names = new Set<string>()
  for (const line of told) {
    const [sign, row] = [line[0], line.slice(2)]
    const [name = ''] = row.split(' ')
    if (sign === '+') {
      expect(names.has(name), line).toBe(false)
      rows.add(row)
      names.add(name)
    } else if (sign === '-') {
      expect(rows.delete(row), line).toBe(true)
      names.delete(name)
    } else {
      expect(rows.has(row), line).toBe(true)
    }
  }
  return [...rows].sort()
}

it('a text that is longer than a key can be is not looked for, and not kept', () => {
  const { table } = tableOf('groups')
  put(table, table.own, 'x', 1)
  const looks = vi.spyOn(KeyIndex.prototype, 'first')
  const text = 'x'.repeat(257)
  expect([table.visible(text), table.findNewest(table.own, text, 1), table.membersOf(text)]).toEqual([NONE, NONE, []])
  expect(looks).not.toHaveBeenCalled()
  expect(table.visible('x')).not.toBe(NONE)
  expect(looks).toHaveBeenCalledTimes(1)
  looks.mockRestore()
})
