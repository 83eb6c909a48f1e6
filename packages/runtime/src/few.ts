/**
 * A set of objects that mostly has none or one: it holds that one without a `Set` of its own, which would take more than all the rest of a process.
 *
 *   process.watches = withItem(process.watches, watch)
 *
 * Items are gone through in the order in which they were added; the set may be changed meanwhile.
 */
export type Few<T extends object> = T | ReadonlySet<T> | undefined

export function withItem<T extends object>(few: Few<T>, item: T): Few<T> {
  if (few === undefined || few === item) return item
  return asSet(few).add(item)
}

export function withoutItem<T extends object>(few: Few<T>, item: T): Few<T> {
  if (few === undefined || few === item) return undefined
  if (!(few instanceof Set)) return few
  few.delete(item)
  return few.size === 0 ? undefined : few
}

export function hasItem<T extends object>(few: Few<T>, item: T): boolean {
  return few === item || (few instanceof Set && few.has(item))
}

export function itemsOf<T extends object>(few: Few<T>): Iterable<T> {
  if (few === undefined) return []
  return few instanceof Set ? (few as ReadonlySet<T>) : [few as T]
}

export function countOf<T extends object>(few: Few<T>): number {
  if (few === undefined) return 0
  return few instanceof Set ? few.size : 1
}

function asSet<T extends object>(few: T | ReadonlySet<T>): Set<T> {
  return few instanceof Set ? (few as Set<T>) : new Set([few as T])
}
