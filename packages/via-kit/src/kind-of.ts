/** What a value is, and not which one, for a message: it may be a secret in the wrong place. A number is shown. */
export function kindOf(value: unknown): string {
  if (value === '') return 'an empty text'
  if (Array.isArray(value)) return 'a list'
  switch (typeof value) {
    case 'number':
      return String(value)
    case 'string':
      return 'another text'
    case 'object':
      return value === null ? 'null' : 'an object'
    default:
      return typeof value
  }
}
