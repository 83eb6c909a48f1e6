/**
 * The client side: call, cast, and the reply of whoever answers a call.
 */
import { badArgument } from './arguments.ts'
import { shownValue } from './behaviour/shown-value.ts'
import {
  contextOf,
  Failure,
  isNameOnNode,
  Pid,
  PidmeshError,
  ViaName,
  type Caller,
  type Context,
  type Ref,
  type RequestOutcome,
  type Telemetry,
  type Within,
} from '@pidmesh/runtime'
import { CallError } from './errors.ts'
import { ObservedCall } from './observed.ts'
import { refused, unawaited } from './unawaited.ts'
import {
  isFrom,
  type CallMessage,
  type CastMessage,
  type From,
  type Given,
  type ReplyFor,
  type ServerAddress,
  type ServerRef,
} from './protocol.ts'

export const DEFAULT_CALL_TIMEOUT_MS = 5_000

/**
 * Sends a request and waits for the reply. A late reply is never seen.
 *
 * @param timeoutMs milliseconds, or `Infinity`. @default 5000
 * @throws CallError by rejection: `ERR_CALL_TIMEOUT`, `ERR_CALL_NOPROC`, `ERR_CALL_NODEDOWN`, `ERR_CALL_SELF`, `ERR_CALL_EXIT`
 */
export function call<Calls, const Request extends Given<Calls>>(
  caller: Caller,
  server: ServerRef<Calls, never>,
  request: Request,
  timeoutMs: number = DEFAULT_CALL_TIMEOUT_MS,
): Promise<ReplyFor<Calls, Request>> {
  const self = contextOf(caller)
  const replied =
    server instanceof ViaName ? callVia(self, server, request, timeoutMs) : callAt(self, server, request, timeoutMs)
  // The server's reply type was checked where it replies; over the wire it is what the other node says.
  return replied as Promise<ReplyFor<Calls, Request>>
}

function callVia(self: Context, server: ViaName, request: unknown, timeoutMs: number): Promise<unknown> {
  const sent = { server, request, timeoutMs, givenMs: timeoutMs }
  const { telemetry } = self
  if (telemetry !== undefined)
    return observe(telemetry, self, sent, async () => {
      const { target, leftMs } = await resolve(self, server, timeoutMs)
      return askQuietly(self, target, { ...sent, timeoutMs: leftMs })
    })
  return unawaited(
    (async () => {
      const { target, leftMs } = await resolve(self, server, timeoutMs)
      return ask(self, target, { ...sent, timeoutMs: leftMs })
    })(),
  )
}

function callAt(
  self: Context,
  server: Exclude<ServerAddress, ViaName>,
  request: unknown,
  timeoutMs: number,
): Promise<unknown> {
  try {
    checkAddress(server)
    return ask(self, server, { server, request, timeoutMs, givenMs: timeoutMs })
  } catch (error) {
    return refused(error)
  }
}

/**
 * Who has a name in a `Via`, and what is left of the time: asking may take some of it.
 * @throws CallError `ERR_CALL_NOPROC`, `ERR_CALL_TIMEOUT`, by rejection
 */
export async function resolve(
  self: Context,
  server: ViaName,
  timeoutMs: number,
): Promise<{ readonly target: Pid; readonly leftMs: number }> {
  const resolved = server.via.resolveName(server.name)
  const startMs = self.monotonicMs()
  // What is known at once is most.
  const outcome: Within<Pid | undefined> = isPromise(resolved)
    ? await self.within(Promise.resolve(resolved), timeoutMs)
    : { type: 'value', value: resolved }
  if (outcome.type === 'timeout') throw new CallError('ERR_CALL_TIMEOUT', 'timeout', describe(server), timeoutMs)
  if (outcome.value === undefined) throw new CallError('ERR_CALL_NOPROC', 'noproc', describe(server))
  // If it was known at once all of it is left, and what is no duration is told by the request.
  const leftMs = isPromise(resolved) ? Math.max(0, timeoutMs - (self.monotonicMs() - startMs)) : timeoutMs
  return { target: outcome.value, leftMs }
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value
}

interface Sent {
  /** As the caller has named it. */
  readonly server: ServerAddress
  readonly request: unknown
  readonly timeoutMs: number
  /** What the caller gave: some of it may be over. */
  readonly givenMs: number
}

/** No async function: each call would pay for its promise. */
function ask(self: Context, target: Exclude<ServerAddress, ViaName>, sent: Sent): Promise<unknown> {
  const { server, timeoutMs, givenMs } = sent
  const { telemetry } = self
  if (telemetry !== undefined) return observe(telemetry, self, sent, () => askQuietly(self, target, sent))
  checkOther(self, target, server)
  return self.requestAs(target, messageOf(self, sent), timeoutMs, (outcome) =>
    outcome.type === 'reply' ? outcome.value : new Failure(() => callError(outcome, server, givenMs)),
  )
}

/** Within what observes it. */
function askQuietly(self: Context, target: Exclude<ServerAddress, ViaName>, sent: Sent): Promise<RequestOutcome> {
  checkOther(self, target, sent.server)
  return self.request(target, messageOf(self, sent), sent.timeoutMs)
}

function messageOf(self: Context, { request }: Sent): (tag: Ref) => CallMessage {
  return (tag) => ({ type: '$gen_call', from: { pid: self.pid, tag }, request })
}

/** @throws CallError `ERR_CALL_SELF` */
function checkOther(self: Context, target: Exclude<ServerAddress, ViaName>, server: ServerAddress): void {
  if (isSelf(self, target)) throw new CallError('ERR_CALL_SELF', 'calling_self', describe(server))
}

/** All of the call, from the look for who has the name on: an event, and a span, of each that fails, too. */
function observe(
  telemetry: Telemetry,
  self: Context,
  sent: Sent,
  work: () => Promise<RequestOutcome>,
): Promise<unknown> {
  const observed = new ObservedCall(telemetry, self, describe(sent.server), sent.request)
  return askObserved(observed, observed.run(work), sent)
}

/** As the call without it, with listeners told in a microtask of their own. `then` keeps the caller's frames in the stack of an error. */
function askObserved(observed: ObservedCall, asked: Promise<RequestOutcome>, sent: Sent): Promise<unknown> {
  const replied: Promise<unknown> = asked.then(
    (outcome) => {
      if (outcome.type === 'reply') {
        observed.reply()
        return outcome.value
      }
      heedLater(replied)
      const error = callError(outcome, sent.server, sent.givenMs)
      observed.fail(error.code, error.serverReason)
      throw error
    },
    (error: unknown) => {
      observed.reject(error)
      heedLater(replied)
      throw error
    },
  )
  return replied
}

/** As `unawaited`, of a promise that is about to be rejected. Not at once: who waits for a promise isn't found for the stack of its error if he isn't the only one. */
function heedLater(promise: Promise<unknown>): void {
  void Promise.resolve().then(() => promise.catch(() => undefined))
}

/**
 * Sends a request that has no reply. Never waits, and doesn't fail if the server isn't there.
 * @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` for a request that can't be sent to another node; `ERR_BAD_ARGUMENT`
 */
export function cast<Casts>(caller: Caller, server: ServerRef<never, Casts>, request: Casts): void {
  const self = contextOf(caller)
  if (!(server instanceof ViaName)) checkAddress(server)
  const message: CastMessage = { type: '$gen_cast', request }
  if (server instanceof ViaName) {
    castVia(server, message)
    return
  }
  const target = typeof server === 'string' ? { name: server, node: self.node } : server
  self.send(target, message)
}

/** As to any other server: only what can't be sent is told. */
function castVia({ via, name }: ViaName, message: CastMessage): void {
  let sent: unknown
  try {
    sent = via.send(name, message)
  } catch (thrown) {
    if (isUnsendable(thrown)) throw thrown
    return
  }
  void (async () => sent)().catch(() => undefined)
}

/**
 * Answers a call for which its server returned `noreply()`: once, from any process on any node. Later replies are dropped. A reply that can't be sent to the caller's node
 * fails the call there, `ERR_CALL_EXIT` with `{ unsendable_reply: … }`, and not the server, which anybody could end that way.
 * @throws PidmeshError `ERR_BAD_ARGUMENT`
 */
export function reply<Reply>(replier: Caller, from: From<Reply>, value: Reply): void {
  const self = contextOf(replier)
  if (!isFrom(from)) throw badArgument('who is replied to is the `from` of a call')
  try {
    self.send(from.tag, value)
  } catch (thrown) {
    if (!isUnsendable(thrown)) throw thrown
    self.refuse(from.tag, { unsendable_reply: thrown.message })
  }
}

function isUnsendable(thrown: unknown): thrown is PidmeshError {
  if (!(thrown instanceof PidmeshError)) return false
  const code: unknown = thrown.code
  return code === 'ERR_NOT_SENDABLE' || code === 'ERR_MESSAGE_TOO_LARGE'
}

/** Whether it addresses the process that asks: it can't answer while it waits. */
export function isSelf(self: Context, target: Exclude<ServerAddress, ViaName>): boolean {
  if (target instanceof Pid) return target.equals(self.pid)
  if (typeof target === 'string') return self.whereis(target)?.equals(self.pid) === true
  return isNameOnNode(target) && target.node === self.node && isSelf(self, target.name)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkAddress(server: unknown): void {
  if ((typeof server === 'string' && server !== '') || server instanceof Pid || isNameOnNode(server)) return
  throw badArgument(`not an address of a server: ${shownValue(server)}`)
}

/** @param waitedMs as of `CallError`; it isn't known of a request that is waited for by itself */
export function callError(
  outcome: Exclude<RequestOutcome, { type: 'reply' }>,
  server: ServerAddress,
  waitedMs?: number,
): CallError {
  const text = describe(server)
  if (outcome.type === 'timeout') return new CallError('ERR_CALL_TIMEOUT', 'timeout', text, waitedMs)
  if (outcome.reason === 'noproc') return new CallError('ERR_CALL_NOPROC', 'noproc', text)
  if (outcome.reason === 'noconnection') return new CallError('ERR_CALL_NODEDOWN', 'nodedown', text)
  return new CallError('ERR_CALL_EXIT', outcome.reason, text)
}

export function describe(server: ServerAddress): string {
  if (server instanceof Pid || typeof server === 'string') return server.toString()
  if (server instanceof ViaName) return `via ${server.name}`
  return `${server.name} on ${server.node}`
}
