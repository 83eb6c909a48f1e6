import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Copy } from '../../src/engine/copy.ts'
import { KEPT_FROM, type MemberPids } from '../../src/engine/member-pids.ts'
import type { Table } from '../../src/engine/table.ts'
import { node, put, tableOf } from './tables.ts'

/** A table with a room of this node's processes 1 … count. */
function tableWithRoom(count: number): Table {
  const { table } = tableOf('groups')
  for (let id = 1; id <= count; id++) put(table, table.own, 'room', id)
  return table
}

/** What is to be told of a group, from its rows. */
function fromRows(table: Table, group: string): { all: string[]; own: string[]; others: string[] } {
  const rows = table.membersOf(group).map((slot) => ({ copy: table.copyOf(slot), id: table.rows.idOf(slot) }))
  const texts = (some: typeof rows): string[] => some.map(({ copy, id }) => `${id} ${copy.owner.name}`).sort()
  const names = new Set(rows.filter(({ copy }) => copy !== table.own).map(({ copy }) => copy.owner.name))
  return { all: texts(rows), own: texts(rows.filter(({ copy }) => copy === table.own)), others: [...names].sort() }
}

function shown({ all, own, others }: MemberPids): ReturnType<typeof fromRows> {
  const texts = (pids: typeof all): string[] => pids.map((pid) => `${pid.id} ${pid.node}`).sort()
  return { all: texts(all), own: texts(own), others: [...others].sort() }
}

describe('the processes of a group', () => {
  it('are read once, as long as it stays as it is', () => {
    const table = tableWithRoom(KEPT_FROM)
    const first = table.pidsOf('room')
    expect(first.all.map(({ id }) => id).sort((a, b) => a - b)).toEqual(
      Array.from({ length: KEPT_FROM }, (_, n) => n + 1),
    )
    expect(table.pidsOf('room')).toBe(first)
    put(table, table.own, 'another room', 1)
    expect(table.pidsOf('room')).toBe(first)
  })

  it('of which there are few are not kept', () => {
    const table = tableWithRoom(KEPT_FROM - 1)
    expect(table.pidsOf('room')).not.toBe(table.pidsOf('room'))
    expect(table.pidsOf('room').all).toHaveLength(KEPT_FROM - 1)
  })

  it('are kept once, and no longer than it has members', () => {
    const table = tableWithRoom(KEPT_FROM)
    table.pidsOf('room')
    put(table, table.own, 'room', KEPT_FROM + 1)
    expect(table.pidsOf('room').all).toHaveLength(KEPT_FROM + 1)
    expect(table.groupsKept).toBe(1)
    for (const slot of table.membersOf('room')) table.removeRow(table.own, slot)
    expect(table.groupsKept).toBe(0)
    expect(table.pidsOf('room')).toEqual({ all: [], own: [], others: [] })
  })

  it('are those that its rows say, whatever has come, gone, been shown, hidden, replaced or discarded', () => {
    const copies = fc.nat({ max: 2 })
    const groups = fc.constantFrom('room', 'hall')
    const ids = fc.integer({ min: 1, max: 2 * KEPT_FROM })
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ type: fc.constant('join' as const), copy: copies, group: groups, id: ids }) },
      {
        weight: 4,
        arbitrary: fc.record({ type: fc.constant('leave' as const), copy: copies, group: groups, at: fc.nat() }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          type: fc.constantFrom(
            'show' as const,
            'hide' as const,
            'replace' as const,
            'discard' as const,
            'work' as const,
          ),
          copy: copies,
        }),
      },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { table } = tableOf('groups')
        const others = ['a', 'b'].map((name) => table.addCopy(node(name)))
        const copyAt = (at: number): Copy => (at === 0 ? table.own : (others[at - 1] as Copy))
        let epoch = 0
        for (const copy of [0, 1, 2])
          for (let id = 1; id <= KEPT_FROM; id++)
            for (const group of ['room', 'hall']) put(table, copyAt(copy), group, id, ++epoch)
        for (const step of steps) {
          const copy = copyAt(step.copy)
          if (step.type === 'join') put(table, copy, step.group, step.id, ++epoch)
          else if (step.type === 'leave') {
            const slots = [...table.rowsOf(step.group)].filter((slot) => table.copyOf(slot) === copy)
            const slot = slots[step.at % slots.length]
            if (slot !== undefined) table.removeRow(copy, slot)
          } else if (step.type === 'work') table.work(20)
          else if (copy === table.own) continue
          else if (step.type === 'show') table.show(copy)
          else if (step.type === 'hide') table.hide(copy)
          else {
            const fresh = table.addCopy(copy.owner)
            for (let id = 1; id <= KEPT_FROM; id++) put(table, fresh, 'room', id, ++epoch)
            if (step.type === 'replace') table.replace(copy, fresh)
            else table.discard(copy)
            others[step.copy - 1] = fresh
          }
          for (const group of ['room', 'hall']) expect(shown(table.pidsOf(group))).toEqual(fromRows(table, group))
        }
      }),
      { numRuns: 60 },
    )
  })
})
