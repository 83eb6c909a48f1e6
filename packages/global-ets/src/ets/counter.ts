/**
 * Counters in rows: `ets:update_counter`.
 */
import { shown } from '@pidmesh/runtime'
import { bad } from '../checks.ts'

/** The fields of a row that can be counted with. */
export type CounterField<Row, Key extends keyof Row> = {
  [Field in Exclude<keyof Row & string, Key>]-?: Row[Field] extends number | bigint ? Field : never
}[Exclude<keyof Row & string, Key>]

/**
 * Adds `by`, an integer that may be negative, to a field. Beyond `threshold`, above it if `by` is 0 or more, below it if it is negative, the field becomes `setValue`
 * instead.
 * @example { field: 'hits', by: 1 }
 * @example { field: 'turn', by: 1, threshold: 3, setValue: 0 }     // 0, 1, 2, 3, 0 …
 */
export type CounterUpdate<Row, Key extends keyof Row> = {
  [Field in CounterField<Row, Key>]:
    | { readonly field: Field; readonly by: Row[Field]; readonly threshold?: undefined; readonly setValue?: undefined }
    | { readonly field: Field; readonly by: Row[Field]; readonly threshold: Row[Field]; readonly setValue: Row[Field] }
}[CounterField<Row, Key>]

/** What an update leads to, or each of a list. One type for both: of an overload the compiler would say that an update is no list. */
export type Counted<Row, Update> = Update extends readonly { readonly field: infer Field extends keyof Row }[]
  ? Row[Field][]
  : Update extends { readonly field: infer Field extends keyof Row }
    ? Row[Field]
    : never

/** An update as it comes, whatever its types say. */
export interface GivenUpdate {
  readonly field: string
  readonly by: unknown
  readonly threshold?: unknown
  readonly setValue?: unknown
}

/**
 * The row with all updates made, one after the other, and what each has led to.
 * @throws PidmeshError `ERR_BAD_ARGUMENT`
 */
export function counted<Row extends object>(
  row: Row,
  updates: readonly GivenUpdate[],
  keyField: string,
): { readonly row: Row; readonly results: (number | bigint)[] } {
  const changed = { ...row } as Record<string, unknown>
  const results: (number | bigint)[] = []
  for (const update of updates) {
    if (typeof update !== 'object' || update === null) throw bad(`an update is an object, not ${shown(update)}`)
    const { field } = update
    if (typeof field !== 'string' || field === keyField || !Object.hasOwn(changed, field))
      throw bad(`no field that can be counted with: ${shown(field)}`)
    const value = next(changed[field], update)
    changed[field] = value
    results.push(value)
  }
  return { row: Object.freeze(changed) as Row, results }
}

function next(value: unknown, { by, threshold, setValue }: GivenUpdate): number | bigint {
  const sum = added(value, by)
  if (threshold === undefined) return sum
  const [limit, instead] = [integer(threshold), integer(setValue)]
  return by !== undefined && integer(by) >= 0 ? (sum > limit ? instead : sum) : sum < limit ? instead : sum
}

function added(value: unknown, by: unknown): number | bigint {
  const [a, b] = [integer(value), integer(by)]
  if (typeof a === 'bigint' && typeof b === 'bigint') return a + b
  if (typeof a === 'number' && typeof b === 'number') return integer(a + b)
  throw bad('a number and a bigint are not added')
}

function integer(value: unknown): number | bigint {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return value as number | bigint
  throw bad(`a counter is an integer, not ${shown(value)}`)
}
