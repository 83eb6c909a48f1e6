/**
 * Errors of pidmesh. Every error that a caller can meet has a stable `code`; docs/errors.md lists them all.
 */
import type { ExitReason } from './reasons.ts'

/** The codes of this package. Other packages have codes of their own, all of the form `ERR_…`. */
export type ErrorCode =
  | 'ERR_BAD_ARGUMENT'
  | 'ERR_BAD_CERTIFICATE'
  | 'ERR_BAD_COOKIE'
  | 'ERR_BAD_NODE_NAME'
  | 'ERR_BAD_OPTION'
  | 'ERR_BAD_TERM'
  | 'ERR_BUSY'
  | 'ERR_DUPLICATE_NODE'
  | 'ERR_EXIT'
  | 'ERR_INCOMPATIBLE_NODE'
  | 'ERR_INSECURE_BIND'
  | 'ERR_LISTEN'
  | 'ERR_MESSAGE_TOO_LARGE'
  | 'ERR_NAME_TAKEN'
  | 'ERR_NODEDOWN'
  | 'ERR_NODE_STOPPED'
  | 'ERR_NO_TABLE'
  | 'ERR_NOT_EXPORTED'
  | 'ERR_NOT_REGISTERED'
  | 'ERR_NOT_SENDABLE'
  | 'ERR_PORT_IN_USE'
  | 'ERR_PROCESS_EXITED'
  | 'ERR_TABLE_ACCESS'
  | 'ERR_TABLE_FULL'

/** The base of all errors that pidmesh throws. Test `code`, never the message. */
export class PidmeshError<Code extends `ERR_${string}` = ErrorCode> extends Error {
  readonly code: Code

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PidmeshError'
    this.code = code
  }
}

/**
 * Ends the process that lets it escape, with `reason` as the exit reason: what `exit(reason)` throws. It may be caught, as an exit may
 * be caught in Erlang.
 */
export class ExitError<Code extends `ERR_${string}` = 'ERR_EXIT'> extends PidmeshError<Code> {
  readonly reason: ExitReason
  /** Whether an exit with it makes a crash report, unless the reason is a quiet one. `exit(reason)` of a process makes none, as in Erlang. */
  readonly isCrash: boolean

  constructor(reason: ExitReason, code: Code, message: string, isCrash: boolean = true) {
    super(code, message)
    this.name = 'ExitError'
    this.reason = reason
    this.isCrash = isCrash
  }
}

/** Something tried to act as a process that has exited: a continuation that resumed too late, for example. */
export class ProcessExited extends PidmeshError {
  constructor(pid: { toString(): string }) {
    super('ERR_PROCESS_EXITED', `process ${pid.toString()} has exited`)
    this.name = 'ProcessExited'
  }
}

/** A value as it stands in an error's message. Never throws, whatever the value is. */
export function shown(value: unknown): string {
  try {
    const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
    return text.length > 200 ? `${text.slice(0, 200)}…` : text
  } catch {
    return `a value of type ${typeof value} that cannot be shown`
  }
}
