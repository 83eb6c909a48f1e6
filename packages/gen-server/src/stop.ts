/**
 * Stops a server of any behaviour, as `gen_server:stop/3`.
 */
import {
  Failure,
  formatReason,
  isExitReason,
  PidmeshError,
  trimReason,
  type Caller,
  type ExitReason,
} from '@pidmesh/runtime'
import { callError, describe } from './call.ts'
import { CallError } from './errors.ts'
import type { ServerAddress } from './protocol.ts'
import { requestOfSystem } from './system-request.ts'
import { refused } from './unawaited.ts'

/**
 * Makes a server run `terminate` and end with `reason`, also if it is suspended or doesn't trap exits; resolves when it has ended.
 *
 * @param reason @default 'normal'
 * @param timeoutMs milliseconds, or `Infinity`: then it goes on waiting for a server that is at work. @default Infinity
 * @throws CallError by rejection: `ERR_CALL_NOPROC`; `ERR_CALL_TIMEOUT` (the order stands: it ends when it comes to it); `ERR_CALL_NODEDOWN`;
 * `ERR_CALL_SELF`; `ERR_CALL_EXIT` if it has ended with another reason, which `serverReason` is
 * @throws PidmeshError by rejection: `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`
 */
export function stop(
  caller: Caller,
  server: ServerAddress,
  reason: ExitReason = 'normal',
  timeoutMs: number = Infinity,
): Promise<void> {
  if (!isExitReason(reason))
    return refused(new PidmeshError('ERR_BAD_ARGUMENT', `an exit reason is a text or an object, not ${String(reason)}`))
  return requestOfSystem<void>(caller, { server, request: { type: 'stop', reason }, timeoutMs }, (outcome) => {
    // There is no reply: its end is the answer.
    if (outcome.type === 'reply') return Promise.reject(new CallError('ERR_CALL_EXIT', 'bad_reply', describe(server)))
    if (outcome.type === 'down')
      return outcome.reason === reason ? undefined : checkSame(outcome.reason, reason, server)
    return new Failure(() => callError(outcome, server, timeoutMs))
  })
}

/**
 * Reasons are compared as texts: one that was on another node is a copy, and what an error was clipped to. Not at once: a getter of the user's may run.
 * @throws CallError by rejection
 */
async function checkSame(ended: ExitReason, wanted: ExitReason, server: ServerAddress): Promise<void> {
  await Promise.resolve()
  if (formatReason(trimReason(ended)) !== formatReason(trimReason(wanted)))
    throw callError({ type: 'down', reason: ended }, server)
}
