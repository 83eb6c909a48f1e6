/**
 * How `sys` and `stop` reach a server, wherever and however it is named.
 */
import { contextOf, ViaName, type Caller, type Context, type RequestOutcome } from '@pidmesh/runtime'
import { SYSTEM, type SystemMessage, type SystemRequest } from './behaviour/system-protocol.ts'
import { checkAddress, describe, isSelf, resolve } from './call.ts'
import { CallError } from './errors.ts'
import type { ServerAddress } from './protocol.ts'
import { refused } from './unawaited.ts'

/** @throws CallError `ERR_CALL_NOPROC`, `ERR_CALL_SELF`; PidmeshError `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`; all by rejection */
export function requestOfSystem(
  caller: Caller,
  server: ServerAddress,
  request: SystemRequest,
  timeoutMs: number,
): Promise<RequestOutcome> {
  try {
    const self = contextOf(caller)
    if (server instanceof ViaName) return resolved(self, server, request, timeoutMs)
    checkAddress(server)
    return ask(self, server, { server, request, timeoutMs })
  } catch (thrown) {
    return refused(thrown)
  }
}

async function resolved(
  self: Context,
  server: ViaName,
  request: SystemRequest,
  timeoutMs: number,
): Promise<RequestOutcome> {
  const { target, leftMs } = await resolve(self, server, timeoutMs)
  return ask(self, target, { server, request, timeoutMs: leftMs })
}

interface Asked {
  /** As the caller has named it. */
  readonly server: ServerAddress
  readonly request: SystemRequest
  readonly timeoutMs: number
}

function ask(
  self: Context,
  target: Exclude<ServerAddress, ViaName>,
  { server, request, timeoutMs }: Asked,
): Promise<RequestOutcome> {
  if (isSelf(self, target)) throw new CallError('ERR_CALL_SELF', 'calling_self', describe(server))
  return self.request(target, (replyTo): SystemMessage => ({ type: SYSTEM, replyTo, request }), timeoutMs)
}
