/**
 * Which rows are meant: the fields that they must have, or a function that says so.
 */
import { PidmeshError, shown } from '@pidmesh/runtime'
import { isSameValue } from './own-copy.ts'

/**
 * For each field that is named: the value that it must be equal to, or a function that judges its value. Or a function that judges the whole row. `{}` means all rows.
 * With the key's exact value no other row is looked at.
 * @example { room: 'lobby', age: (age) => age >= 18 }
 */
export type Pattern<Row> =
  | { readonly [Field in keyof Row]?: Row[Field] | ((value: Row[Field]) => boolean) }
  | ((row: Readonly<Row>) => boolean)

export interface CheckedPattern<Row> {
  /** The pattern names the key's value. */
  readonly key: { readonly value: unknown } | undefined
  /** Of all fields: a key that an `ordered_set` finds by its order may be another value, 1 for 1n. */
  readonly matches: (row: Row) => boolean
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkPattern<Row extends object>(pattern: Pattern<Row>, keyField: string): CheckedPattern<Row> {
  if (typeof pattern === 'function') return { key: undefined, matches: (row) => pattern(row) === true }
  if (typeof pattern !== 'object' || pattern === null || Array.isArray(pattern))
    throw new PidmeshError('ERR_BAD_ARGUMENT', `a pattern is an object or a function, not ${shown(pattern)}`)
  let fields: [name: string, wanted: unknown][]
  try {
    fields = Object.entries(pattern)
  } catch (cause) {
    throw new PidmeshError('ERR_BAD_ARGUMENT', "a pattern can't be read", { cause })
  }
  const named = fields.find(([name, wanted]) => name === keyField && typeof wanted !== 'function')
  return {
    key: named === undefined ? undefined : { value: named[1] },
    matches: (row) =>
      fields.every(([name, wanted]) => {
        const value: unknown = Reflect.get(row, name)
        return typeof wanted === 'function'
          ? Reflect.apply(wanted, undefined, [value]) === true
          : isSameValue(value, wanted)
      }),
  }
}
