/**
 * A list that is never changed, and that is grown at its head without being copied: Erlang's.
 */
export interface Cell<T> {
  readonly head: T
  readonly tail: List<T>
}

export type List<T> = Cell<T> | undefined

/** The items, in order, before those of the list. */
export function prepend<T>(items: readonly T[], list: List<T>): List<T> {
  return items.reduceRight<List<T>>((tail, head) => ({ head, tail }), list)
}

/** The items of `list` in reverse order before those of `onto`. */
export function reverseOnto<T>(list: List<T>, onto: List<T>): List<T> {
  let result = onto
  for (let cell = list; cell !== undefined; cell = cell.tail) result = { head: cell.head, tail: result }
  return result
}
