/**
 * Values of users in log lines: bounded, whatever they are.
 */
import { inspect } from 'node:util'
import { formatReason, hasType, isExitReason } from '@pidmesh/runtime'

const MAX_LENGTH = 4_096

/** A value as text of 4,096 characters at most. Calls no code of the value's, and never throws. */
export function shownValue(value: unknown): string {
  try {
    const text =
      typeof value === 'string'
        ? value
        : inspect(value, {
            depth: 4,
            maxArrayLength: 20,
            maxStringLength: 200,
            breakLength: Infinity,
            customInspect: false,
          })
    return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text
  } catch {
    return `a value of type ${typeof value} that cannot be shown`
  }
}

/** What a log says of a message that nobody handles: its tag, and of an end why. Never throws. */
export function notHandled(message: unknown): { readonly message: string; readonly reason?: string } {
  const tag = tagOf(message)
  if (!hasType(message, 'EXIT') && !hasType(message, 'DOWN')) return { message: tag }
  try {
    const reason: unknown = message.reason
    return isExitReason(reason) ? { message: tag, reason: formatReason(reason).slice(0, MAX_LENGTH) } : { message: tag }
  } catch {
    return { message: tag }
  }
}

/** What kind of message it is, without what it holds: its `type`, or what it is in JavaScript. Never throws. */
export function tagOf(message: unknown): string {
  try {
    const type: unknown =
      typeof message === 'object' && message !== null ? (message as { type?: unknown }).type : undefined
    return typeof type === 'string' ? type.slice(0, 64) : typeof message
  } catch {
    return typeof message
  }
}
