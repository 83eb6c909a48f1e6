/**
 * Ets: tables of rows in the memory of a node, as Erlang's `ets`.
 *
 *   const rooms = Ets.new<Room, 'name'>(self, 'rooms', { key: 'name', protection: 'public', named: true })
 *   rooms.insert({ name: 'lobby', guests: 0 })
 *   Ets.whereis<Room, 'name'>(another, 'rooms')?.lookup('lobby')       // [{ name: 'lobby', guests: 0 }]
 *
 * A handle acts as the process for which it was made: `table.as(other)` and `Ets.open(other, tid)` make one for another. Protection is judged by that process, at each
 * call. A table belongs to its owner, and ends with it, unless it has an heir.
 *
 * All is done at once: no other process sees a part of it. What rows are copied, and what is shared, is in own-copy.ts; what keys are, in key.ts; the rules of the
 * types, in rows.ts; whose tables are, in tables.ts. Not here: what Erlang has and this hasn't (docs/ets.md).
 *
 * Each method throws `ERR_NO_TABLE` if the table is gone, `ERR_TABLE_ACCESS` if the process may not do that, `ERR_PROCESS_EXITED` if the process has ended,
 * and `ERR_BAD_ARGUMENT` for what is no key, row or pattern.
 */
import { contextOf, shown, type Caller, type Context } from '@pidmesh/runtime'
import { bad } from '../checks.ts'
import { counted, type Counted, type CounterUpdate, type GivenUpdate } from './counter.ts'
import { checkName, EtsHandle, infoOf, type EtsInfo } from './handle.ts'
import { checkKey } from './key.ts'
import { checkEtsOptions, isOfSameNode, type EtsOptions, type KeyField, type KeyOf } from './options.ts'
import { checkPattern, type CheckedPattern, type Pattern } from './pattern.ts'
import { rowsInRange, rowsWithPrefix, type KeyPrefix, type KeyRange } from './range.ts'
import type { Page, ReadableTable } from './readable-table.ts'
import type { EtsType, PageStart, Rows } from './rows.ts'
import { Tables, type Table } from './tables.ts'
import { Tid } from './tid.ts'

/** The types that have one row for each key. */
export type EtsSetType = 'set' | 'ordered_set'

export class Ets<Row extends object, Key extends KeyField<Row>, Type extends EtsType = 'set'>
  extends EtsHandle<Row, Key, Type>
  implements ReadableTable<Row, KeyOf<Row, Key>>
{
  private constructor(self: Context, table: Table) {
    super(self, table)
  }

  /** With a type. The most general one is last: of a call that fits none the compiler says what it lacks for that. */
  static new<Row extends object, Key extends KeyField<Row>>(
    caller: Caller,
    name: string,
    options: EtsOptions<Key, 'ordered_set'> & { readonly type: 'ordered_set' },
  ): Ets<Row, Key, 'ordered_set'>
  static new<Row extends object, Key extends KeyField<Row>>(
    caller: Caller,
    name: string,
    options: EtsOptions<Key, 'bag'> & { readonly type: 'bag' },
  ): Ets<Row, Key, 'bag'>
  static new<Row extends object, Key extends KeyField<Row>>(
    caller: Caller,
    name: string,
    options: EtsOptions<Key, 'duplicate_bag'> & { readonly type: 'duplicate_bag' },
  ): Ets<Row, Key, 'duplicate_bag'>
  /**
   * Makes a table, whose owner is the process that acts. As `ets:new/2`. Without a type it is a set.
   * @throws PidmeshError `ERR_NAME_TAKEN` if it is to be named as another is; `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`
   */
  static new<Row extends object, Key extends KeyField<Row>>(
    caller: Caller,
    name: string,
    options: EtsOptions<Key, 'set'>,
  ): Ets<Row, Key>
  /** Of a type that isn't known here: it has what tables of all types have. */
  static new<Row extends object, Key extends KeyField<Row>>(
    caller: Caller,
    name: string,
    options: EtsOptions<Key, EtsType>,
  ): Ets<Row, Key, EtsType>
  static new<Row extends object, Key extends KeyField<Row>>(
    caller: Caller,
    name: string,
    options: EtsOptions<Key, EtsType>,
  ): Ets<Row, Key, EtsType> {
    const self = contextOf(caller)
    checkName(name)
    const checked = checkEtsOptions(self, options)
    return new Ets(self, self.perNode(Tables).create(self.pid, name, checked))
  }

  /** A handle of a table for a process of its node. @throws PidmeshError `ERR_BAD_ARGUMENT` for a table of another node */
  static open<Row extends object, Key extends KeyField<Row>, Type extends EtsType>(
    caller: Caller,
    tid: Tid<Row, Key, Type>,
  ): Ets<Row, Key, Type> {
    const self = contextOf(caller)
    const table = Tid.tableOf(tid)
    if (table === undefined || !isOfSameNode(table.owner, self.pid))
      throw bad(`not a table of this node: ${shown(tid)}`)
    return new Ets(self, table)
  }

  /** A handle of the table that has this name. Of what type its rows are you say: nothing checks it. */
  static whereis<Row extends object, Key extends KeyField<Row>, Type extends EtsType = 'set'>(
    caller: Caller,
    name: string,
  ): Ets<Row, Key, Type> | undefined {
    const self = contextOf(caller)
    const table = self.perNode(Tables).whereis(name)
    return table === undefined ? undefined : new Ets(self, table)
  }

  /** What can be seen of all tables of the node. */
  static all(caller: Caller): EtsInfo[] {
    return contextOf(caller).perNode(Tables).all().map(infoOf)
  }

  /** A handle that acts as another process. @throws PidmeshError `ERR_BAD_ARGUMENT` for one of another node */
  as(caller: Caller): Ets<Row, Key, Type> {
    return Ets.open(caller, this.tid)
  }

  /**
   * Inserts a row, or all rows of a list, or none of them if one is refused. In a set a row takes the place of that which has its key.
   * @throws PidmeshError `ERR_TABLE_FULL`
   */
  insert(rows: Row | readonly Row[]): true {
    const copies = this.copiesOf(rows)
    this.writing().insert(copies)
    return true
  }

  /** As `insert`, if the table has none of the keys; else nothing is inserted, and the answer is `false`. */
  insertNew(rows: Row | readonly Row[]): boolean {
    const copies = this.copiesOf(rows)
    const table = this.writing()
    if (table.hasAnyOf(copies)) return false
    table.insert(copies)
    return true
  }

  member(key: KeyOf<Row, Key>): boolean {
    return this.reading().member(checkKey(key))
  }

  /** The rows that have the key; of a bag in the order in which they were inserted. */
  lookup(key: KeyOf<Row, Key>): Readonly<Row>[] {
    return this.reading().lookup(checkKey(key))
  }

  /**
   * A field of the row that has the key, or `absent` if none has it. Of sets.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if none has it, and there is no `absent`; for a bag
   */
  lookupElement<Field extends keyof Row>(
    this: Ets<Row, Key, EtsSetType>,
    key: KeyOf<Row, Key>,
    field: Field,
    ...absent: [] | [Row[Field]]
  ): Row[Field] {
    const [row] = setOf(this.reading()).lookup(checkKey(key))
    if (row !== undefined) return row[field]
    if (absent.length === 0) throw bad('the table has no such key')
    return absent[0]
  }

  /** Removes the rows that have the key, and gives them. */
  take(key: KeyOf<Row, Key>): Readonly<Row>[] {
    return this.writing().take(checkKey(key))
  }

  delete(key: KeyOf<Row, Key>): true {
    this.writing().take(checkKey(key))
    return true
  }

  /** Deletes the rows that are equal to this one, in all fields. */
  deleteObject(row: Row): true {
    const table = this.writing()
    table.deleteObject(table.copyOf(row))
    return true
  }

  deleteAllObjects(): true {
    this.writing().clear()
    return true
  }

  /**
   * Changes fields of the row that has the key. Says whether there is one; with `absent`, that with the changes is inserted if there is none. Of sets.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if the key is among the fields, for a bag; `ERR_TABLE_FULL`
   */
  updateElement(
    this: Ets<Row, Key, EtsSetType>,
    key: KeyOf<Row, Key>,
    changes: Partial<Omit<Row, Key>>,
    absent?: Omit<Row, Key>,
  ): boolean {
    const table = setOf(this.writing())
    const [row] = table.lookup(checkKey(key))
    if (typeof changes !== 'object' || changes === null || Object.hasOwn(changes, table.keyField))
      throw bad('what is changed are fields other than the key')
    const base = row ?? (absent && { ...absent, [table.keyField]: key })
    if (base === undefined) return false
    const changed = table.copyOf({ ...base, ...changes } as Row)
    this.writing().insert([changed])
    return true
  }

  /**
   * Counts: changes a field, or several one after the other, and gives what they have become. If no row has the key it begins with `absent`. Of sets.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for a field that is no integer, a key that isn't there and no `absent`, a bag; `ERR_TABLE_FULL`
   */
  updateCounter<Update extends CounterUpdate<Row, Key> | readonly CounterUpdate<Row, Key>[]>(
    this: Ets<Row, Key, EtsSetType>,
    key: KeyOf<Row, Key>,
    update: Update,
    absent?: Omit<Row, Key>,
  ): Counted<Row, Update>
  updateCounter(
    this: Ets<Row, Key, EtsSetType>,
    key: KeyOf<Row, Key>,
    updates: GivenUpdate | readonly GivenUpdate[],
    absent?: Omit<Row, Key>,
  ): unknown {
    const table = setOf(this.writing())
    const [known] = table.lookup(checkKey(key))
    const base = known ?? (absent && table.copyOf({ ...absent, [table.keyField]: key } as Row))
    if (base === undefined) throw bad('the table has no such key')
    const { row, results } = counted(base, isList(updates) ? updates : [updates], table.keyField)
    this.writing().insert([row])
    return isList(updates) ? results : results[0]
  }

  /** The rows that match. With a limit, page by page: a page has that many rows, and in a bag those besides that share the last one's key. */
  select(pattern: Pattern<Row>): Readonly<Row>[]
  select(pattern: Pattern<Row>, limit: number): Page<Row>
  select(pattern: Pattern<Row>, limit?: number): Readonly<Row>[] | Page<Row> {
    const table = this.reading()
    const checked = checkPattern(pattern, table.keyField)
    if (limit === undefined) return [...table.matching(checked)]
    if (!Number.isInteger(limit) || limit < 1) throw bad(`a limit is an integer, 1 or more, not ${shown(limit)}`)
    return this.page(checked, limit, undefined)
  }

  selectCount(pattern: Pattern<Row>): number {
    return this.select(pattern).length
  }

  /** Deletes the rows that match, and says how many. */
  selectDelete(pattern: Pattern<Row>): number {
    const table = this.writing()
    return table.deleteMatching(checkPattern(pattern, table.keyField))
  }

  /** Goes through all rows; `step` may change the table. */
  fold<Acc>(step: (acc: Acc, row: Readonly<Row>) => Acc, initial: Acc): Acc {
    let acc = initial
    for (const row of this.reading().walk()) acc = step(acc, row)
    return acc
  }

  tab2list(): Readonly<Row>[] {
    return [...this.reading().walk()]
  }

  /** The first key: the least of an `ordered_set`, else any. */
  first(): KeyOf<Row, Key> | undefined {
    return this.reading().firstKey() as KeyOf<Row, Key> | undefined
  }

  last(): KeyOf<Row, Key> | undefined {
    return this.reading().lastKey() as KeyOf<Row, Key> | undefined
  }

  /**
   * The key behind this one: of an `ordered_set` the least that is above it, whether it is there or not.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if another table has no such key
   */
  next(key: KeyOf<Row, Key>): KeyOf<Row, Key> | undefined {
    return this.reading().neighbour(checkKey(key), 'after') as KeyOf<Row, Key> | undefined
  }

  prev(key: KeyOf<Row, Key>): KeyOf<Row, Key> | undefined {
    return this.reading().neighbour(checkKey(key), 'before') as KeyOf<Row, Key> | undefined
  }

  /** The rows of an `ordered_set` whose keys are from `from` on, and before `to`. */
  range(this: Ets<Row, Key, 'ordered_set'>, range: KeyRange<KeyOf<Row, Key>>): Readonly<Row>[] {
    return rowsInRange(this.reading(), range)
  }

  /** The rows of an `ordered_set` whose keys begin with a text, or with the items of a list. */
  prefix(this: Ets<Row, Key, 'ordered_set'>, prefix: KeyPrefix<KeyOf<Row, Key>>): Readonly<Row>[] {
    return rowsWithPrefix(this.reading(), checkKey(prefix))
  }

  /** Before anything is changed: what is read of the rows may run code of theirs. */
  private copiesOf(rows: Row | readonly Row[]): Row[] {
    const table = this.writing()
    return isList(rows) ? rows.map((row) => table.copyOf(row)) : [table.copyOf(rows)]
  }

  private page(pattern: CheckedPattern<Row>, limit: number, start: PageStart<Row> | undefined): Page<Row> {
    const { rows, next } = this.reading().page(pattern, limit, start)
    return { rows, more: next === undefined ? undefined : () => this.page(pattern, limit, next) }
  }
}

/** The types keep bags away; but of what type a table is that was found by its name is what the caller says. */
function setOf<Row extends object>(rows: Rows<Row>): Rows<Row> {
  if (rows.isBag) throw bad(`this is of sets: in a ${rows.type} a key has several rows`)
  return rows
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}
