/**
 * Who watches a table, and what they are still to be told.
 *
 *   table ─ joined, left, changed ─▶ each watcher whose filter the key passes ─ flush ─▶ one message a watcher and turn
 *
 * A watcher is told first what there is, as far as the table has told it; then each change, in turn: no gap, and nothing twice. It ends with its process.
 */
import type { Pid, Ref } from '@pidmesh/runtime'
import { SortedKeys } from '../collections/sorted-keys.ts'
import { compareCodeUnits } from './conflict.ts'
import type { TableWatcher } from './table.ts'

export type ChangeType = 'joined' | 'left' | 'changed'

/** Which keys one watches. */
export type KeyFilter =
  | { readonly type: 'all' }
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'prefix'; readonly prefix: string }

interface Watcher<Change> {
  readonly ref: Ref
  readonly pid: Pid
  readonly filter: KeyFilter
  pending: Change[]
}

export interface WatchesOptions<Change> {
  /** What is told of a row. */
  readonly changeOf: (type: ChangeType, slot: number) => Change
  readonly keyOf: (slot: number) => string
  /** Keeps the keys in order. */
  readonly isOrdered: boolean
}

/** Watches of one process at most: each change of a table is compared with each watch for a prefix. */
export const MAX_WATCHES = 10_000

export class Watches<Change> implements TableWatcher {
  /** All keys that have rows, in order, if that is wanted. */
  readonly keys: SortedKeys<string> | undefined
  private readonly options: WatchesOptions<Change>
  private readonly byRef = new Map<string, Watcher<Change>>()
  private readonly byKey = new Map<string, Set<Watcher<Change>>>()
  private readonly broad = new Set<Watcher<Change>>()
  private readonly byProcess = new Map<number, Set<Watcher<Change>>>()
  private readonly due = new Set<Watcher<Change>>()

  constructor(options: WatchesOptions<Change>) {
    this.options = options
    this.keys = options.isOrdered ? new SortedKeys(compareCodeUnits) : undefined
  }

  get size(): number {
    return this.byRef.size
  }

  /** Whether somebody is to be told something. */
  get isDue(): boolean {
    return this.due.size > 0
  }

  /** Says whether the process may watch once more. */
  add(ref: Ref, pid: Pid, filter: KeyFilter): boolean {
    const own = this.byProcess.get(pid.id) ?? new Set()
    if (own.size >= MAX_WATCHES) return false
    const watcher: Watcher<Change> = { ref, pid, filter, pending: [] }
    this.byRef.set(ref.toString(), watcher)
    this.setOf(watcher).add(watcher)
    this.byProcess.set(pid.id, own.add(watcher))
    return true
  }

  /** Says whether it was there. What it has not been told yet it isn't told any more. */
  remove(ref: Ref): boolean {
    const watcher = this.byRef.get(ref.toString())
    if (watcher === undefined) return false
    this.byRef.delete(ref.toString())
    this.due.delete(watcher)
    const set = this.setOf(watcher)
    set.delete(watcher)
    if (watcher.filter.type === 'key' && set.size === 0) this.byKey.delete(watcher.filter.key)
    const own = this.byProcess.get(watcher.pid.id)
    own?.delete(watcher)
    if (own?.size === 0) this.byProcess.delete(watcher.pid.id)
    return true
  }

  processEnded(id: number): void {
    for (const watcher of this.byProcess.get(id) ?? []) this.remove(watcher.ref)
  }

  /** What is to be told, and whom. */
  *takeDue(): Generator<{ readonly ref: Ref; readonly pid: Pid; readonly changes: readonly Change[] }> {
    for (const watcher of this.due) {
      this.due.delete(watcher)
      const changes = watcher.pending
      watcher.pending = []
      yield { ref: watcher.ref, pid: watcher.pid, changes }
    }
  }

  joined(slot: number): void {
    if (this.byRef.size > 0) this.note('joined', slot)
  }

  left(slot: number): void {
    if (this.byRef.size > 0) this.note('left', slot)
  }

  changed(slot: number): void {
    if (this.byRef.size > 0) this.note('changed', slot)
  }

  keyAdded(slot: number): void {
    this.keys?.add(this.options.keyOf(slot))
  }

  keyRemoved(slot: number): void {
    this.keys?.delete(this.options.keyOf(slot))
  }

  private note(type: ChangeType, slot: number): void {
    const key = this.options.keyOf(slot)
    let change: Change | undefined
    const tell = (watcher: Watcher<Change>): void => {
      watcher.pending.push((change ??= this.options.changeOf(type, slot)))
      this.due.add(watcher)
    }
    for (const watcher of this.byKey.get(key) ?? []) tell(watcher)
    for (const watcher of this.broad)
      if (watcher.filter.type !== 'prefix' || key.startsWith(watcher.filter.prefix)) tell(watcher)
  }

  private setOf({ filter }: Watcher<Change>): Set<Watcher<Change>> {
    if (filter.type !== 'key') return this.broad
    const set = this.byKey.get(filter.key) ?? new Set()
    this.byKey.set(filter.key, set)
    return set
  }
}
