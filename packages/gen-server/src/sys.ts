/**
 * What an operator can ask of any server, with no code of the server's own: OTP's `sys`. A server answers while it is suspended, too, but not in the midst of
 * a callback. All of it works across nodes, but for what takes a function: a function can't be sent (`ERR_NOT_SENDABLE`).
 *
 *   sys.… ──{ type: '$system', … }──▶ the loop of the server (behaviour/loop.ts) ──▶ its behaviour: getState, replaceState, formatStatus
 *
 * Every function rejects with CallError as `call` does (`ERR_CALL_TIMEOUT`, `ERR_CALL_NOPROC`, `ERR_CALL_NODEDOWN`, `ERR_CALL_SELF`, `ERR_CALL_EXIT`), with
 * SysError `ERR_SYS_FAILED` if the server could not do it, and with PidmeshError `ERR_BAD_ARGUMENT`. A process that is no server doesn't answer.
 */
import { PidmeshError, type Caller, type ExitReason, type RequestOutcome } from '@pidmesh/runtime'
import type { Statistics, SystemListener } from './behaviour/debug.ts'
import { isRequest, type ServerStatus, type SystemAnswer, type SystemRequest } from './behaviour/system-protocol.ts'
import { callError, DEFAULT_CALL_TIMEOUT_MS, describe } from './call.ts'
import { SysError } from './errors.ts'
import type { Given, ServerAddress, ServerRef } from './protocol.ts'
import { requestOfSystem } from './system-request.ts'
import { unawaited } from './unawaited.ts'

/** The state, as the server's `getState` gives it. To another node it goes as data, if it can. */
export function getState<State>(
  caller: Caller,
  server: ServerRef<never, never, State>,
  timeoutMs?: number,
): Promise<State> {
  return ask(caller, server, { type: 'get_state' }, timeoutMs)
}

/**
 * Puts what `change` makes of the state in its place, and resolves with the state that there is then. A `change` that throws, or whose state the server
 * refuses, changes nothing. On the same node only.
 */
export function replaceState<State, const Changed extends Given<State>>(
  caller: Caller,
  server: ServerRef<never, never, State>,
  change: (state: State) => Changed,
  timeoutMs?: number,
): Promise<State> {
  return ask(caller, server, { type: 'replace_state', change }, timeoutMs)
}

/** What may be shown of it: its state as `formatStatus` gives it, and whether it is suspended. */
export function getStatus(caller: Caller, server: ServerAddress, timeoutMs?: number): Promise<ServerStatus> {
  return ask(caller, server, { type: 'get_status' }, timeoutMs)
}

/** From now on it handles system messages and its parent's exit only; all else waits, in order. */
export function suspend(caller: Caller, server: ServerAddress, timeoutMs?: number): Promise<void> {
  return ask(caller, server, { type: 'suspend' }, timeoutMs)
}

/** It goes on, with what has waited first. */
export function resume(caller: Caller, server: ServerAddress, timeoutMs?: number): Promise<void> {
  return ask(caller, server, { type: 'resume' }, timeoutMs)
}

/** Orders it to run `terminate` and end with `reason`; resolves when it has the order. `stop` waits for its end. */
export function terminate(
  caller: Caller,
  server: ServerAddress,
  reason: ExitReason,
  timeoutMs?: number,
): Promise<void> {
  return ask(caller, server, { type: 'terminate', reason }, timeoutMs)
}

/** Writes each message that it takes, and each reply that it gives, to its node's log, as `info`. They may hold secrets. */
export function trace(caller: Caller, server: ServerAddress, on: boolean, timeoutMs?: number): Promise<void> {
  return ask(caller, server, { type: 'trace', on }, timeoutMs)
}

/**
 * Calls `listener` for each message that it takes and each reply that it gives, in its process, until `remove`, or until the listener says `'done'` or throws.
 * On the same node only.
 */
export function install(
  caller: Caller,
  server: ServerAddress,
  listener: SystemListener,
  timeoutMs?: number,
): Promise<void> {
  return ask(caller, server, { type: 'install', listener }, timeoutMs)
}

/** Ends what `install` has begun. */
export function remove(
  caller: Caller,
  server: ServerAddress,
  listener: SystemListener,
  timeoutMs?: number,
): Promise<void> {
  return ask(caller, server, { type: 'remove', listener }, timeoutMs)
}

/** Counts from now on (`on`), no longer (`off`), or says what was counted (`get`; `undefined` if nothing is). */
export function statistics(
  caller: Caller,
  server: ServerAddress,
  flag: 'get',
  timeoutMs?: number,
): Promise<Statistics | undefined>
export function statistics(caller: Caller, server: ServerAddress, flag: 'on' | 'off', timeoutMs?: number): Promise<void>
export function statistics(
  caller: Caller,
  server: ServerAddress,
  flag: 'on' | 'off' | 'get',
  timeoutMs?: number,
): Promise<Statistics | undefined | void> {
  return ask(caller, server, { type: 'statistics', flag }, timeoutMs)
}

function ask<Value>(
  caller: Caller,
  server: ServerAddress,
  request: SystemRequest,
  timeoutMs: number = DEFAULT_CALL_TIMEOUT_MS,
): Promise<Value> {
  return unawaited(answered<Value>(caller, server, request, timeoutMs))
}

async function answered<Value>(
  caller: Caller,
  server: ServerAddress,
  request: SystemRequest,
  timeoutMs: number,
): Promise<Value> {
  // What is no request would be a message as any other there, and have no answer.
  if (!isRequest(request)) throw new PidmeshError('ERR_BAD_ARGUMENT', `bad arguments of sys, ${request.type}`)
  const outcome = await requestOfSystem<RequestOutcome>(caller, { server, request, timeoutMs }, (told) => told)
  if (outcome.type !== 'reply') throw callError(outcome, server, timeoutMs)
  // Its type is what the server's says; over the wire, what the other node says.
  const answer = outcome.value as SystemAnswer
  if (answer.type === 'failed') throw new SysError(answer.reason, describe(server))
  return answer.value as Value
}
