/**
 * Rows as a table holds them: copies of its own, frozen. What a process does with its object after an insertion is not the table's, and what it reads it can't change: as
 * on BEAM, where rows are copied in and out. Here they are copied in, and out goes the frozen copy itself.
 *
 * Copied and frozen is plain data: objects of no class, and arrays. Pids and references are immutable. Whatever else a field holds, an instance of a class, a function,
 * a `Map`, is kept as it is, and shared, as a port or a fun in a row is.
 */
import { PidmeshError, Pid, Ref } from '@pidmesh/runtime'

/** Objects within objects. */
const MOST_LEVELS = 64

/** @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no row, or can't be read */
export function ownCopy<Row extends object>(row: Row): Row {
  let copy: unknown
  try {
    if (isPlain(row)) copy = copied(row, 0)
  } catch (cause) {
    if (cause instanceof PidmeshError) throw cause
    throw new PidmeshError('ERR_BAD_ARGUMENT', "a row can't be read", { cause })
  }
  if (copy === undefined) throw new PidmeshError('ERR_BAD_ARGUMENT', 'a row is an object of no class')
  return copy as Row
}

/** Whether two values of rows are equal by what they hold. */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b || Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Pid || a instanceof Ref) return a.equals(b)
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => isSameValue(item, b[index]))
  }
  if (!isPlain(a) || !isPlain(b)) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSameValue(a[name], b[name]))
  )
}

function copied(value: unknown, level: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (level > MOST_LEVELS)
    throw new PidmeshError('ERR_BAD_ARGUMENT', `a row has more than ${MOST_LEVELS} levels, or a cycle`)
  if (Array.isArray(value)) return Object.freeze(value.map((item) => copied(item, level + 1)))
  if (!isPlain(value)) return value
  const copy = { ...value }
  for (const name of Object.keys(copy)) {
    const field = copy[name]
    if (typeof field === 'object' && field !== null) copy[name] = copied(field, level + 1)
  }
  return Object.freeze(copy)
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
