/**
 * JSON text from clients, and for them. What V8 parses in a loop, however deep, would end others in a recursion of theirs: so it is looked at once here.
 */
import { MAX_DEPTH } from './codec.ts'
import { holdsCast, mayHoldCast } from './disguise.ts'

export type Parsed = { readonly value: unknown } | { readonly problem: string }

/** Never throws. `levels`: how deep the value may be nested. */
export function parseJson(data: Buffer, levels: number = MAX_DEPTH): Parsed {
  const text = data.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { problem: 'not JSON' }
  }
  // Most messages are too short to be deep, and have no underscores.
  const isInnocent = text.length < 2 * levels && !text.includes('__proto__') && !text.includes('\\u')
  if (!isInnocent && !isTame(value, levels)) return { problem: `a key __proto__, or more than ${levels} levels` }
  return mayHoldCast(text) && holdsCast(value) ? { problem: 'a cast' } : { value }
}

/** `undefined` if the value has no form in JSON. */
export function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    // A cycle, a BigInt, a getter or a toJSON that throws.
    return undefined
  }
}

function isTame(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (levels === 0) return false
  if (Array.isArray(value)) return value.every((item) => isTame(item, levels - 1))
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__' || !isTame(item, levels - 1)) return false
  }
  return true
}
