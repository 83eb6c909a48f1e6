/**
 * How `sys` and `stop` reach a server, wherever and however it is named.
 */
import { contextOf, ViaName, type Caller, type Context, type ReadOutcome, type Ref } from '@pidmesh/runtime'
import { SYSTEM, type SystemMessage, type SystemRequest } from './behaviour/system-protocol.ts'
import { checkAddress, describe, isSelf, resolve } from './call.ts'
import { CallError } from './errors.ts'
import type { ServerAddress } from './protocol.ts'
import { refused, unawaited } from './unawaited.ts'

export interface OfSystem {
  /** As the caller has named it. */
  readonly server: ServerAddress
  readonly request: SystemRequest
  readonly timeoutMs: number
}

/**
 * @param read see `Context.requestAs`
 * @throws CallError `ERR_CALL_NOPROC`, `ERR_CALL_SELF`; PidmeshError `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`; all by rejection
 */
export function requestOfSystem<T>(caller: Caller, asked: OfSystem, read: ReadOutcome<T>): Promise<T> {
  try {
    const self = contextOf(caller)
    const { server } = asked
    if (server instanceof ViaName) return unawaited(resolved(self, server, asked, read))
    checkAddress(server)
    return ask(self, server, asked, read)
  } catch (thrown) {
    return refused(thrown)
  }
}

async function resolved<T>(self: Context, server: ViaName, asked: OfSystem, read: ReadOutcome<T>): Promise<T> {
  const { target, leftMs } = await resolve(self, server, asked.timeoutMs)
  return ask(self, target, { ...asked, timeoutMs: leftMs }, read)
}

function ask<T>(
  self: Context,
  target: Exclude<ServerAddress, ViaName>,
  { server, request, timeoutMs }: OfSystem,
  read: ReadOutcome<T>,
): Promise<T> {
  if (isSelf(self, target)) throw new CallError('ERR_CALL_SELF', 'calling_self', describe(server))
  const build = (replyTo: Ref): SystemMessage => ({ type: SYSTEM, replyTo, request })
  return self.requestAs(target, build, timeoutMs, read)
}
