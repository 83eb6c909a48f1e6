/**
 * How a call, a start, or a request of `sys` can fail.
 */
import { ExitError, formatReason, PidmeshError, shown, type ExitReason, type Pid } from '@pidmesh/runtime'

export type CallErrorCode =
  | 'ERR_CALL_TIMEOUT'
  | 'ERR_CALL_NOPROC'
  | 'ERR_CALL_NODEDOWN'
  | 'ERR_CALL_SELF'
  | 'ERR_CALL_EXIT'

/**
 * A call got no reply. In a process that lets it escape it is the exit reason `{ call_failed: …, server: … }`.
 *
 * - `ERR_CALL_TIMEOUT`: no reply in time; the server may still be at work on it, its late reply is dropped
 * - `ERR_CALL_NOPROC`: there is no such process
 * - `ERR_CALL_NODEDOWN`: the server's node is not connected, or the connection was lost during the call
 * - `ERR_CALL_SELF`: a process has called itself
 * - `ERR_CALL_EXIT`: the server ended before it replied; `serverReason` says why
 */
export class CallError extends ExitError<CallErrorCode> {
  /** `timeout`, `noproc`, `nodedown`, `calling_self`, or the reason with which the server ended. */
  readonly serverReason: ExitReason

  /** @param waitedMs for `ERR_CALL_TIMEOUT`, what the caller gave */
  constructor(code: CallErrorCode, serverReason: ExitReason, server: string, waitedMs?: number) {
    const after = waitedMs === undefined ? '' : ` after ${waitedMs} ms`
    const text = `call to ${server} failed: ${formatReason(serverReason)}${after}`
    super({ call_failed: serverReason, server }, code, text)
    this.name = 'CallError'
    this.serverReason = serverReason
  }
}

export type StartErrorCode = 'ERR_ALREADY_STARTED' | 'ERR_START_FAILED' | 'ERR_START_TIMEOUT'

/** A server could not be started. Its process is gone, and its name is free again. */
export class StartError extends PidmeshError<StartErrorCode> {
  /** Why: the exit reason of the process, `timeout`, or `already_started`. */
  readonly reason: ExitReason
  /** Who has the name, for `ERR_ALREADY_STARTED`. */
  readonly pid: Pid | undefined

  /** @param name the one that is taken, for `ERR_ALREADY_STARTED` */
  constructor(code: StartErrorCode, reason: ExitReason, pid?: Pid, name?: string) {
    const named = name === undefined ? 'its name' : `the name ${shown(name)}`
    const who = pid === undefined ? '' : `: ${named} is that of ${pid.toString()}`
    super(code, `the server could not be started: ${formatReason(reason)}${who}`)
    this.name = 'StartError'
    this.reason = reason
    this.pid = pid
  }
}

/**
 * A server has not done what `sys` has asked it for: a function of its own, or the one that it was given, has failed, or its state can't be sent to the node
 * that asks. Nothing was changed. In a process that lets it escape it is the exit reason `{ sys_failed: … }`.
 */
export class SysError extends ExitError<'ERR_SYS_FAILED'> {
  /** What went wrong there. */
  readonly serverReason: ExitReason

  constructor(serverReason: ExitReason, server: string) {
    super({ sys_failed: serverReason, server }, 'ERR_SYS_FAILED', `${server}: ${formatReason(serverReason)}`)
    this.name = 'SysError'
    this.serverReason = serverReason
  }
}
