/**
 * Keys of tables: what can be one, when two are the same, and in which order they stand.
 *
 * Order, as Erlang's where it has a counterpart:
 *
 *   numbers < booleans < references < pids < lists < texts
 *
 * - numbers and bigints by their value; `false` before `true` (Erlang's atoms)
 * - references and pids by the name of their node, its incarnation, their id
 * - lists item by item; one that is the beginning of another stands before it
 * - texts by code unit (Erlang's binaries are ordered by byte: the same but for characters beyond the basic plane)
 *
 * An `ordered_set` takes two keys for one if neither is before the other, so 1 and 1n are one key, as 1 and 1.0 are in Erlang. In the other types they are two. 0 and -0
 * are one key everywhere. NaN is none.
 */
import { PidmeshError, Pid, Ref } from '@pidmesh/runtime'

export type EtsKey = string | number | bigint | boolean | Pid | Ref | readonly EtsKey[]

/** Lists within lists. */
const MOST_LEVELS = 16
/** Items of a list. */
const MOST_ITEMS = 256

/** @throws PidmeshError `ERR_BAD_ARGUMENT` for what can't be a key */
export function checkKey(key: unknown, level: number = 0): EtsKey {
  switch (typeof key) {
    case 'string':
    case 'bigint':
    case 'boolean':
      return key
    case 'number':
      if (!Number.isNaN(key)) return key
      throw badKey('NaN is equal to nothing')
    case 'object':
      if (key instanceof Pid || key instanceof Ref) return key
      if (Array.isArray(key)) return checkList(key, level)
      break
    case 'function':
    case 'symbol':
    case 'undefined':
  }
  throw badKey(`it is ${key === null ? 'null' : `of type ${typeof key}`}`)
}

function checkList(list: readonly unknown[], level: number): readonly EtsKey[] {
  if (level >= MOST_LEVELS) throw badKey(`more than ${MOST_LEVELS} lists within each other`)
  if (list.length > MOST_ITEMS) throw badKey(`a list of more than ${MOST_ITEMS} items`)
  for (let index = 0; index < list.length; index++) checkKey(list[index], level + 1)
  return list as readonly EtsKey[]
}

/** The order of all keys. */
export function compareKeys(a: EtsKey, b: EtsKey): number {
  if (typeof a === 'string' && typeof b === 'string') return ascending(a, b)
  const kinds = kindOf(a) - kindOf(b)
  if (kinds !== 0) return kinds
  if (isList(a) && isList(b)) return compareLists(a, b)
  if (isIdentity(a) && isIdentity(b)) return compareIdentities(a, b)
  return ascending(a as string, b as string)
}

/** A text for a key that no `Map` can have by its value: equal keys give equal texts, and others others. */
export function textOf(key: EtsKey): string {
  if (isList(key)) return `[${key.map(textOf).join('')}]`
  if (typeof key === 'string') return `s${key.length}:${key}`
  // -0 as 0.
  if (typeof key === 'number') return `n${key};`
  if (typeof key === 'bigint') return `i${key};`
  if (typeof key === 'boolean') return key ? 't' : 'f'
  return `${key instanceof Pid ? 'p' : 'r'}${key.toString()};`
}

export function isList(key: unknown): key is readonly EtsKey[] {
  return Array.isArray(key)
}

function kindOf(key: EtsKey): number {
  if (typeof key === 'string') return 5
  if (typeof key === 'boolean') return 1
  if (typeof key !== 'object') return 0
  return key instanceof Ref ? 2 : key instanceof Pid ? 3 : 4
}

function isIdentity(key: EtsKey): key is Pid | Ref {
  return typeof key === 'object' && !isList(key)
}

function compareLists(a: readonly EtsKey[], b: readonly EtsKey[]): number {
  for (let index = 0; index < a.length && index < b.length; index++) {
    const order = compareKeys(a[index] as EtsKey, b[index] as EtsKey)
    if (order !== 0) return order
  }
  return a.length - b.length
}

function compareIdentities(a: Pid | Ref, b: Pid | Ref): number {
  return ascending(a.node, b.node) || a.incarnation - b.incarnation || a.id - b.id
}

function ascending<T extends string | number | bigint | boolean>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function badKey(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', `not a key of a table: ${problem}`)
}
