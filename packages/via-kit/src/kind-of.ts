/** What a value is, and not which one, for a message: it may be a secret in the wrong place. A number is shown. */
export function kindOf(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return value === '' ? 'an empty text' : 'some text'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return value === null ? 'null' : 'an object'
  return typeof value
}
