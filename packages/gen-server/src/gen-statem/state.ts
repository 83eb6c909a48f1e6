/**
 * When two states are the same: whether a transition is a change of state follows from it.
 */
import { Pid, Ref } from '@pidmesh/runtime'
import type { State } from './events.ts'

/**
 * The same text, or objects with the same fields whose values are the same: one level deep, since what is below may be anything, a socket for example.
 * Erlang compares whole terms.
 */
export function isSameState(one: State, other: State): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object') return false
  if (one.type !== other.type) return false
  const fields = Object.entries(one)
  if (fields.length !== Object.keys(other).length) return false
  return fields.every(([field, value]) => Object.hasOwn(other, field) && isSame(value, fieldOf(other, field)))
}

/** Whether a value that isn't held to its type is a state. */
export function isState(value: unknown): value is State {
  if (typeof value === 'string') return true
  return typeof value === 'object' && value !== null && typeof fieldOf(value, 'type') === 'string'
}

function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (one instanceof Pid) return other instanceof Pid && one.equals(other)
  return one instanceof Ref && other instanceof Ref && one.equals(other)
}

function fieldOf(value: object, field: string): unknown {
  return (value as { readonly [field: string]: unknown })[field]
}
