/**
 * Tables without a server, and what is put into them.
 */
import type { NodeIdentity, NodeName } from '@pidmesh/runtime'
import { EMPTY_META } from '../../src/engine/claim.ts'
import { compareBy } from '../../src/engine/conflict.ts'
import type { Copy } from '../../src/engine/copy.ts'
import { KeyWords } from '../../src/engine/key-words.ts'
import { Table } from '../../src/engine/table.ts'

export const node = (name: string): NodeIdentity => ({ name: `${name}@127.0.0.1` as NodeName, incarnation: 1 })

/** A table that writes down what it tells. */
export function tableOf(kind: 'names' | 'groups'): { table: Table; told: string[] } {
  const told: string[] = []
  const shown = (slot: number): string =>
    `${table.rows.keyOf(slot)} ${table.rows.idOf(slot)} ${table.copyOf(slot).owner.name[0]}`
  const table: Table = new Table({
    self: node('m'),
    kind,
    compare: compareBy('smaller_node'),
    prefixes: ['a'],
    multiplier: 0x9e3779b1,
    watcher: {
      joined: (slot) => void told.push(`+ ${shown(slot)}`),
      left: (slot) => void told.push(`- ${shown(slot)}`),
      changed: (slot) => void told.push(`~ ${shown(slot)}`),
      keyAdded: () => undefined,
      keyRemoved: () => undefined,
    },
  })
  return { table, told }
}

export function put(table: Table, copy: Copy, key: string, id: number, epoch = 1, metaHash = 0): number {
  return table.put(copy, { key: KeyWords.of(key), id, epoch, meta: EMPTY_META, metaHash })
}
