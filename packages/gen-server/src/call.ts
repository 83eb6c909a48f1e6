/**
 * The client side: call, cast, and the reply of whoever answers a call.
 */
import {
  contextOf,
  isNameOnNode,
  Pid,
  PidmeshError,
  ViaName,
  type Caller,
  type Context,
  type RequestOutcome,
} from '@pidmesh/runtime'
import { CallError } from './errors.ts'
import type { CallMessage, CastMessage, From, ReplyFor, ServerAddress, ServerRef } from './protocol.ts'

export const DEFAULT_CALL_TIMEOUT_MS = 5_000

/**
 * Sends a request and waits for the reply. A late reply is never seen.
 *
 * @param timeoutMs milliseconds, or `Infinity`. @default 5000
 * @throws CallError by rejection: `ERR_CALL_TIMEOUT`, `ERR_CALL_NOPROC`, `ERR_CALL_NODEDOWN`, `ERR_CALL_SELF`, `ERR_CALL_EXIT`
 */
export function call<Calls, const Request extends Calls>(
  caller: Caller,
  server: ServerRef<Calls, unknown>,
  request: Request,
  timeoutMs: number = DEFAULT_CALL_TIMEOUT_MS,
): Promise<ReplyFor<Calls, Request>> {
  const replied = awaitReply<Calls, Request>(contextOf(caller), server, request, timeoutMs)
  // Of calls that run side by side one may fail while another is awaited, or all, when the caller is killed: that is for the caller to see when it comes
  // to them, not for the OS process to end of.
  replied.catch(() => undefined)
  return replied
}

async function awaitReply<Calls, Request extends Calls>(
  self: Context,
  server: ServerRef<Calls, unknown>,
  request: Request,
  timeoutMs: number,
): Promise<ReplyFor<Calls, Request>> {
  const target = server instanceof ViaName ? await server.via.resolveName(server.name) : server
  if (!(server instanceof ViaName)) checkAddress(server)
  if (target === undefined) throw new CallError('ERR_CALL_NOPROC', 'noproc', describe(server))
  const pid = typeof target === 'string' ? self.whereis(target) : target
  if (pid instanceof Pid && pid.equals(self.pid)) throw new CallError('ERR_CALL_SELF', 'calling_self', describe(server))
  const outcome = await self.request(
    target,
    (tag): CallMessage => ({ type: '$gen_call', from: { pid: self.pid, tag }, request }),
    timeoutMs,
  )
  if (outcome.type !== 'reply') throw callError(outcome, server)
  // The server's reply type was checked where it replies; over the wire it is what the other node says.
  return outcome.value as ReplyFor<Calls, Request>
}

/**
 * Sends a request that has no reply. Never waits, and doesn't fail if the server isn't there.
 * @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` for a request that can't be sent to another node; `ERR_BAD_ARGUMENT`
 */
export function cast<Casts>(caller: Caller, server: ServerRef<unknown, Casts>, request: Casts): void {
  const self = contextOf(caller)
  if (!(server instanceof ViaName)) checkAddress(server)
  const message: CastMessage = { type: '$gen_cast', request }
  if (server instanceof ViaName) {
    void Promise.resolve(server.via.send(server.name, message)).catch(() => undefined)
    return
  }
  const target = typeof server === 'string' ? { name: server, node: self.node } : server
  self.send(target, message)
}

/** Answers a call for which its server returned `noreply()`: once, from any process on any node. Later replies are dropped. */
export function reply<Reply>(replier: Caller, from: From<Reply>, value: Reply): void {
  contextOf(replier).send(from.tag, value)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkAddress(server: unknown): void {
  if ((typeof server === 'string' && server !== '') || server instanceof Pid || isNameOnNode(server)) return
  throw new PidmeshError('ERR_BAD_ARGUMENT', `not an address of a server: ${String(server)}`)
}

export function callError(outcome: Exclude<RequestOutcome, { type: 'reply' }>, server: ServerAddress): CallError {
  const text = describe(server)
  if (outcome.type === 'timeout') return new CallError('ERR_CALL_TIMEOUT', 'timeout', text)
  if (outcome.reason === 'noproc') return new CallError('ERR_CALL_NOPROC', 'noproc', text)
  if (outcome.reason === 'noconnection') return new CallError('ERR_CALL_NODEDOWN', 'nodedown', text)
  return new CallError('ERR_CALL_EXIT', outcome.reason, text)
}

export function describe(server: ServerAddress): string {
  if (server instanceof Pid || typeof server === 'string') return server.toString()
  if (server instanceof ViaName) return `via ${server.name}`
  return `${server.name} on ${server.node}`
}
