/**
 * What a message of anybody's is an instance of: to ask that of a proxy runs code of its maker's, which may throw.
 */

/** `instanceof` that never throws. */
export function isInstance<T>(value: unknown, constructor: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof constructor
  } catch {
    return false
  }
}
