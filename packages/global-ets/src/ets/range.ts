/**
 * Parts of an `ordered_set` that lie together: the keys between two others, and those that begin alike.
 */
import { shown } from '@pidmesh/runtime'
import { bad } from '../checks.ts'
import { checkKey, compareKeys, isList, type EtsKey } from './key.ts'
import type { Rows } from './rows.ts'

export interface KeyRange<Key> {
  /** The least key, included. @default from the first on */
  readonly from?: Key | undefined
  /** The end, not included. @default to the last */
  readonly to?: Key | undefined
  /** Rows at most. @default all */
  readonly limit?: number | undefined
  /** Begins at the end, and goes down. @default false */
  readonly reverse?: boolean | undefined
}

/** What keys can begin with: a text, or the first items of a list. */
export type KeyPrefix<Key> = Key extends string ? string : Key extends readonly unknown[] ? ListPrefix<Key> : never

type ListPrefix<List extends readonly unknown[]> = List extends readonly [...infer Init, unknown]
  ? Readonly<List> | ListPrefix<Init>
  : Readonly<List>

/** @throws PidmeshError `ERR_BAD_ARGUMENT`, also for a table without order */
export function rowsInRange<Row extends object>(rows: Rows<Row>, range: KeyRange<EtsKey>): Row[] {
  const ordered = orderedOf(rows)
  if (typeof range !== 'object' || range === null) throw bad(`a range is an object, not ${shown(range)}`)
  const { limit = Infinity, reverse = false } = range
  if (typeof limit !== 'number' || !(limit >= 0)) throw bad(`a limit is a number, 0 or more, not ${shown(limit)}`)
  const from = range.from === undefined ? undefined : checkKey(range.from)
  const to = range.to === undefined ? undefined : checkKey(range.to)
  const found: Row[] = []
  const slots = reverse ? ordered.below(to) : from === undefined ? ordered.walk() : ordered.from(from)
  for (const slot of slots) {
    const isOver = reverse
      ? from !== undefined && compareKeys(slot.key, from) < 0
      : to !== undefined && compareKeys(slot.key, to) >= 0
    if (isOver || found.length >= limit) break
    found.push(...slot.rows)
  }
  return found
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` for a table without order */
export function rowsWithPrefix<Row extends object>(rows: Rows<Row>, prefix: EtsKey): Row[] {
  const found: Row[] = []
  for (const { key, rows: own } of orderedOf(rows).from(prefix)) {
    if (!hasPrefix(key, prefix)) break
    found.push(...own)
  }
  return found
}

/** The types keep others away; but of what type a table is that was found by its name is what the caller says. */
function orderedOf<Row extends object>({ ordered }: Rows<Row>): NonNullable<Rows<Row>['ordered']> {
  if (ordered === undefined) throw bad('prefix and range are of an ordered_set')
  return ordered
}

function hasPrefix(key: EtsKey, prefix: EtsKey): boolean {
  if (typeof key === 'string') return typeof prefix === 'string' && key.startsWith(prefix)
  return isList(key) && isList(prefix) && compareKeys(key.slice(0, prefix.length), prefix) === 0
}
