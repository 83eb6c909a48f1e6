/**
 * A client's message that would pose as a cast: sessions pass on what clients say, and a server that is given such a message would take what the client has written for a request of its own program.
 *
 * Of what else means something to a process nothing can be of a client's making: calls, exits, `DOWN`s and what `sys` asks have a pid or a reference in them. In Erlang nothing that a client sends as
 * JSON is a tuple.
 */
import { hasType } from '@pidmesh/runtime'

const CAST = '$gen_cast'

/** Whether it is worth looking: hardly ever. */
export function mayHoldCast(payload: string | Buffer): boolean {
  return payload.includes(CAST) || (typeof payload === 'string' && payload.includes('\\u'))
}

/** Whether the value, or something in it, is one. How deep it is has been looked at. */
export function holdsCast(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  return hasType(value, CAST) || Object.values(value).some(holdsCast)
}
