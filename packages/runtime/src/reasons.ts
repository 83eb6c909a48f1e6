/**
 * Exit reasons: data, spelt as in Erlang, never live objects.
 *
 * `normal`, `shutdown` and `{ shutdown: … }` are the quiet reasons; all others make a crash report.
 */
import { ExitError } from './errors.ts'

/** An error as data: what is left of a thrown value when it becomes an exit reason. */
export interface ErrorReason {
  readonly error: {
    readonly name: string
    readonly message: string
    readonly stack?: string
    readonly code?: string
    /** Why, and why that: the errors of `cause`, or of an `AggregateError`, as lines of text. */
    readonly causes?: readonly string[]
  }
}

/** Why a process ended: a word (`normal`, `noproc`, `killed`, …) or an object of sendable data. */
export type ExitReason = string | ErrorReason | { readonly [key: string]: unknown }

const MAX_TEXT = 4_096
const MAX_CAUSES = 10
const MAX_REMOTE_MESSAGE = 1_024
const MAX_BRIEF_MESSAGE = 100
const MAX_REMOTE_STACK = 512

export function isExitReason(value: unknown): value is ExitReason {
  return typeof value === 'string' || (typeof value === 'object' && value !== null)
}

/** A reason as data: a live error, which types forbid and `any` lets through, becomes what is left of it. */
export function asData(reason: ExitReason): ExitReason {
  return reason instanceof Error ? exitOfThrown(reason).reason : reason
}

/** How a process ends whose function or handler threw `thrown`. Never throws, whatever was thrown. */
export function exitOfThrown(thrown: unknown): { readonly reason: ExitReason; readonly isCrash: boolean } {
  try {
    if (thrown instanceof ExitError) {
      const reason = isExitReason(thrown.reason) ? asData(thrown.reason) : { reason: describe(thrown.reason) }
      return { reason, isCrash: thrown.isCrash && !isQuietReason(reason) }
    }
    if (thrown instanceof Error) return { reason: { error: errorData(thrown) }, isCrash: true }
    return { reason: { error: { name: 'Thrown', message: clip(describe(thrown)) } }, isCrash: true }
  } catch {
    // A hostile getter, proxy or toString: its text is not worth a second fault.
    return { reason: { error: { name: 'Thrown', message: 'a value that cannot be described' } }, isCrash: true }
  }
}

/** What was thrown as an error: itself, if it is one. Never throws. */
export function errorOfThrown(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown
  } catch {
    // A proxy that doesn't say what it is.
  }
  return new Error(formatReason(reasonOfThrown(thrown)))
}

/** The reason alone; see `exitOfThrown`. */
export function reasonOfThrown(thrown: unknown): ExitReason {
  return exitOfThrown(thrown).reason
}

function errorData(error: Error): ErrorReason['error'] {
  const code = (error as { code?: unknown }).code
  return {
    name: clip(String(error.name)),
    message: clip(String(error.message)),
    ...(typeof error.stack === 'string' ? { stack: clip(error.stack) } : {}),
    ...(typeof code === 'string' ? { code: clip(code) } : {}),
    ...causesOf(error),
  }
}

function causesOf(error: Error): { readonly causes?: readonly string[] } {
  const causes: string[] = []
  const add = (cause: unknown): void => {
    if (cause === undefined || causes.length === MAX_CAUSES) return
    causes.push(clip(cause instanceof Error ? `${cause.name}: ${cause.message}` : describe(cause)))
    if (!(cause instanceof Error)) return
    if (cause instanceof AggregateError) cause.errors.forEach(add)
    add(cause.cause)
  }
  if (error instanceof AggregateError) error.errors.forEach(add)
  add(error.cause)
  return causes.length === 0 ? {} : { causes }
}

function describe(thrown: unknown): string {
  if (typeof thrown === 'object' && thrown !== null)
    return (
      JSON.stringify(thrown, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)) ??
      Object.prototype.toString.call(thrown)
    )
  return String(thrown)
}

function clip(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
}

/**
 * The reason as other nodes are told: the same, but for the length of an error's message and stack. It is told to everyone who watches or is linked, thousands
 * of processes perhaps; the whole of it stands in the crash report of its own node. Never throws.
 */
export function trimReason(reason: ExitReason): ExitReason {
  try {
    if (!isErrorReason(reason)) return reason
    const { message, stack, ...rest } = reason.error
    return {
      ...reason,
      error: {
        ...rest,
        message: message.slice(0, MAX_REMOTE_MESSAGE),
        ...(stack === undefined ? {} : { stack: String(stack).slice(0, MAX_REMOTE_STACK) }),
      },
    }
  } catch {
    return 'unsendable_reason'
  }
}

/** The same, of an error only the name and the beginning of the message: for when many are to be told and little can be sent. Never throws. */
export function briefReason(reason: ExitReason): ExitReason {
  try {
    if (!isErrorReason(reason)) return reason
    const { name, message } = reason.error
    return { error: { name, message: message.slice(0, MAX_BRIEF_MESSAGE) } }
  } catch {
    return 'unsendable_reason'
  }
}

/** Whether an exit with this reason is expected, so that it makes no crash report. Never throws. */
export function isQuietReason(reason: ExitReason): boolean {
  try {
    return (
      reason === 'normal' ||
      reason === 'shutdown' ||
      (typeof reason === 'object' && reason !== null && 'shutdown' in reason)
    )
  } catch {
    return false
  }
}

/** An exit reason as one line of text, for logs and error messages. Never throws. */
export function formatReason(reason: ExitReason): string {
  if (typeof reason === 'string') return reason
  try {
    return isErrorReason(reason) ? errorLine(reason) : clip(JSON.stringify(reason, withErrorsAsLines))
  } catch {
    return 'a reason that cannot be described'
  }
}

function errorLine({ error: { name, message } }: ErrorReason): string {
  return `${name}: ${message}`
}

/** An error deep within a reason, as that of a child in the one of its supervisor: its stack would hide all else. */
function withErrorsAsLines(_key: string, value: unknown): unknown {
  return isExitReason(value) && isErrorReason(value) ? errorLine(value) : value
}

/** Never throws. */
export function isErrorReason(reason: ExitReason): reason is ErrorReason {
  if (typeof reason !== 'object' || reason === null) return false
  try {
    if (!('error' in reason)) return false
    const { error } = reason
    if (typeof error !== 'object' || error === null) return false
    const { name, message } = error as { name?: unknown; message?: unknown }
    return typeof name === 'string' && typeof message === 'string'
  } catch {
    return false
  }
}
