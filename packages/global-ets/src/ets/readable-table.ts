/**
 * What any table of rows can be asked, whoever writes it: tables of `Ets`, and views of tables that are written otherwise.
 */
import type { EtsKey } from './key.ts'
import type { Pattern } from './pattern.ts'

/** A part of what was selected. */
export interface Page<Row> {
  readonly rows: Readonly<Row>[]
  /** Gives the next page; `undefined` if this was the last. */
  readonly more: (() => Page<Row>) | undefined
}

export interface ReadableTable<Row, Key extends EtsKey = string> {
  /** How many rows there are. */
  readonly size: number
  /** Whether there is a row with the key. */
  member(key: Key): boolean
  /** The rows that have the key: none, one, or, in a bag, several. */
  lookup(key: Key): Readonly<Row>[]
  /** The rows that match, all of them or page by page. */
  select(pattern: Pattern<Row>): Readonly<Row>[]
  select(pattern: Pattern<Row>, limit: number): Page<Row>
  selectCount(pattern: Pattern<Row>): number
  fold<Acc>(step: (acc: Acc, row: Readonly<Row>) => Acc, initial: Acc): Acc
  tab2list(): Readonly<Row>[]
  first(): Key | undefined
  next(key: Key): Key | undefined
}
