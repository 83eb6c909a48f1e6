/**
 * A table of names as it is read: names in order, and rows as simple_global shows them. Changes nothing.
 *
 * State: the references of this node's rows that have been looked at.
 */
import type { NameMeta, Node, Ref } from '@pidmesh/runtime'
import { compareCodeUnits } from './engine/conflict.ts'
import type { ReplicatedTable } from './engine/replicated-table.ts'
import { NONE } from './engine/rows.ts'
import type { ChangeType } from './engine/watches.ts'
import { checkPattern, type NamePattern } from './name-pattern.ts'
import type { NameChange, NameRow } from './names-messages.ts'

export class NamesReader<M extends NameMeta> {
  private readonly owner: Node
  private readonly table: ReplicatedTable<NameChange<M>>
  /** The references of this node's rows that have been looked at, by slot. */
  private readonly refs = new Map<number, { readonly epoch: number; readonly ref: Ref }>()

  constructor(owner: Node, table: ReplicatedTable<NameChange<M>>) {
    this.owner = owner
    this.table = table
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT` */
  select(pattern: NamePattern<M>): NameRow<M>[] {
    const { node, where, limit = Infinity } = checkPattern(pattern)
    const found: NameRow<M>[] = []
    for (const slot of this.rowsInOrder(pattern)) {
      if (found.length >= limit) break
      const row = this.rowOf(slot)
      if (node !== undefined && row.node !== (node === this.owner.name ? 'local' : node)) continue
      if (where === undefined || where(row)) found.push(row)
    }
    return found
  }

  /** This node's rows, in key order. */
  ownSlots(): number[] {
    const { rows } = this.table.replica.table
    const own = [...this.table.replica.table.ownRows()].map((slot) => ({ slot, key: rows.keyOf(slot) }))
    return own.sort((a, b) => compareCodeUnits(a.key, b.key)).map(({ slot }) => slot)
  }

  /** The rows that are seen, from one name to another. */
  *rowsInOrder(pattern: NamePattern<M>): Generator<number> {
    const { table } = this.table.replica
    for (const name of this.namesInOrder(pattern)) {
      const slot = table.visible(name)
      if (slot !== NONE) yield slot
    }
  }

  /** The names of a range that have rows, seen or not. */
  *namesInOrder({ prefix = '', from = '', after, to }: NamePattern<M>): Generator<string> {
    const first = [prefix, from, after ?? ''].reduce((a, b) => (a > b ? a : b))
    const isBefore = (name: string): boolean => name < first || name === after
    const isBehind = (name: string): boolean => (to !== undefined && name >= to) || !name.startsWith(prefix)
    const { keys } = this.table.watches
    if (keys === undefined) {
      const within = this.table.replica.table.keys().filter((name) => !isBefore(name) && !isBehind(name))
      yield* within.sort(compareCodeUnits)
      return
    }
    for (const name of keys.from(first)) {
      if (isBefore(name)) continue
      if (isBehind(name)) return
      yield name
    }
  }

  rowOf(slot: number): NameRow<M> {
    const { table } = this.table.replica
    const [name, pid, meta] = [table.rows.keyOf(slot), this.table.pidOf(slot), table.rows.metaOf(slot) as M]
    if (!this.table.isOwn(slot)) return { name, pid, node: pid.node, ref: undefined, meta }
    return { name, pid, node: 'local', ref: this.refOf(slot), meta }
  }

  /** The reference of a row of this node's own: made when it is looked at. */
  private refOf(slot: number): Ref {
    const epoch = this.table.replica.table.rows.epochOf(slot)
    const known = this.refs.get(slot)
    if (known !== undefined && known.epoch === epoch) return known.ref
    const ref = this.owner.self.makeRef()
    this.refs.set(slot, { epoch, ref })
    return ref
  }
}

/** What is told of a row. */
export function changeOf<M extends NameMeta>(
  table: ReplicatedTable<NameChange<M>>,
  type: ChangeType,
  slot: number,
): NameChange<M> {
  const { rows } = table.replica.table
  return { type, name: rows.keyOf(slot), pid: table.pidOf(slot), meta: rows.metaOf(slot) as M }
}
