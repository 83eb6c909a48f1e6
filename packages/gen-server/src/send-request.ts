/**
 * Calls whose reply is waited for later: `gen_server:send_request` and its kin, and collections of them (`reqids_…`).
 *
 *   sendRequest ─▶ RequestId ─┬ waitResponse ─── in time ─▶ reply | error      else ─▶ timeout, and it may be waited for again
 *                             ├ receiveResponse ─ in time ─▶ reply | error      else ─▶ timeout, and a late reply is dropped
 *                             └ toMailbox ─▶ a message to the caller ─▶ checkResponse(message, id) ─▶ reply | error | 'no_reply'
 *
 * Unlike in OTP a reply is no message, unless `toMailbox` says so: a handler process takes its messages as they come, and one that waits for a reply can't
 * pick it from among them.
 */
import {
  contextOf,
  encodedBytes,
  ViaName,
  type Caller,
  type Context,
  type OpenRequest,
  type RequestOutcome,
} from '@pidmesh/runtime'
import { callError, checkAddress, describe, isSelf } from './call.ts'
import { badArgument, badOption, checkOptions } from './arguments.ts'
import { shownValue } from './behaviour/shown-value.ts'
import { isInstance } from './is-instance.ts'
import { CallError } from './errors.ts'
import type { CallMessage, Given, ReplyFor, ServerAddress, ServerRef } from './protocol.ts'
import { unawaited } from './unawaited.ts'

/** How a request has ended. */
export type Response<Reply> =
  | { readonly type: 'reply'; readonly value: Reply }
  /** What `call` would have thrown. */
  | { readonly type: 'error'; readonly error: CallError }

export interface ResponseTimeout {
  readonly type: 'timeout'
}

/** The response of a request of a collection. */
export interface LabelledResponse<Reply, Label> {
  readonly type: 'response'
  readonly id: RequestId<Reply>
  readonly label: Label
  readonly response: Response<Reply>
}

export interface SendRequestOptions {
  /** Gives the caller a message with the response when it has come, for `checkResponse`. @default false */
  readonly toMailbox?: boolean | undefined
}

/** A request that was sent. Of one process, for whoever of its code waits for it. */
export class RequestId<Reply> {
  readonly server: ServerAddress
  /** `undefined`: there was nobody to send it to. */
  readonly #request: OpenRequest | undefined
  readonly #absent: CallError | undefined

  /** Made by `sendRequest`. */
  constructor(server: ServerAddress, request: OpenRequest | CallError) {
    this.server = server
    this.#absent = request instanceof CallError ? request : undefined
    this.#request = request instanceof CallError ? undefined : request
  }

  /** How it has ended; `undefined` if it hasn't. */
  get response(): Response<Reply> | undefined {
    if (this.#absent !== undefined) return { type: 'error', error: this.#absent }
    const outcome = this.#request?.outcome
    return outcome === undefined ? undefined : responseOf<Reply>(outcome, this.server)
  }

  /** What is waited for: nothing, if there was nobody to send it to. */
  get request(): OpenRequest | undefined {
    return this.#request
  }
}

/** Requests that are waited for together, each with a label that says what it is: `reqids_new/0` and its kin. */
export class RequestIds<Reply, Label> {
  readonly #labels: Map<RequestId<Reply>, Label> = new Map()

  get size(): number {
    return this.#labels.size
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT` if it is there already, or is none */
  add(id: RequestId<Reply>, label: Label): this {
    if (!isInstance(id, RequestId)) throw badArgument('what is in a collection of requests was given by sendRequest')
    if (this.#labels.has(id)) throw badArgument('the request is in the collection already')
    this.#labels.set(id, label)
    return this
  }

  /** Says whether it was there. */
  delete(id: RequestId<Reply>): boolean {
    return this.#labels.delete(id)
  }

  toList(): (readonly [RequestId<Reply>, Label])[] {
    return [...this.#labels]
  }
}

/** What `toMailbox` puts there: an instance, which nobody else can make, and which can't come from another node. */
class ResponseMessage {
  readonly type = '$gen_response'
  readonly id: RequestId<unknown>

  constructor(id: RequestId<unknown>) {
    this.id = id
  }
}

/**
 * Sends a request, and doesn't wait. Never fails because the server isn't there: that is its response. A name in a `Via` is looked up in what this node knows
 * (`whereisName`).
 *
 * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`; `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` for a request that can't be sent to another node
 */
export function sendRequest<Calls, const Request extends Given<Calls>>(
  caller: Caller,
  server: ServerRef<Calls, never>,
  request: Request,
  options: SendRequestOptions = {},
): RequestId<ReplyFor<Calls, Request>> {
  const self = contextOf(caller)
  checkOptions('a request', options, OPTIONS)
  const { toMailbox = false } = options
  if (typeof toMailbox !== 'boolean') throw badOption('toMailbox must be true or false')
  const id = new RequestId<ReplyFor<Calls, Request>>(server, open(self, server, request))
  if (toMailbox) void deliverWhenOver(self, id)
  return id
}

/**
 * Waits for the response. After a timeout the request is over, `ERR_CALL_TIMEOUT` for whoever waits for it again: a late reply is never seen. Of a collection, the first response of any; it is taken out of the
 * collection, and after a timeout all that were in it when the wait began are over, and no longer in it.
 *
 * @param timeoutMs milliseconds, or `Infinity`; 0 looks only
 * @returns the response, or `timeout`; of a collection that is empty, or of which others have taken all that was in it when the wait began, `'no_request'`
 * @throws ProcessExited by rejection, if the caller ends first; PidmeshError `ERR_BAD_ARGUMENT`, likewise
 */
export function receiveResponse<Reply>(
  caller: Caller,
  id: RequestId<Reply>,
  timeoutMs: number,
): Promise<Response<Reply> | ResponseTimeout>
export function receiveResponse<Reply, Label>(
  caller: Caller,
  ids: RequestIds<Reply, Label>,
  timeoutMs: number,
): Promise<LabelledResponse<Reply, Label> | ResponseTimeout | 'no_request'>
export function receiveResponse(
  caller: Caller,
  waitedFor: RequestId<unknown> | RequestIds<unknown, unknown>,
  timeoutMs: number,
): Promise<Waited> {
  const atFirst = atFirstOf(waitedFor)
  return unawaited(
    wait(contextOf(caller), { waitedFor, atFirst }, timeoutMs).then((waited) => {
      if (waited === TIMEOUT) abandon(waitedFor, atFirst)
      return waited
    }),
  )
}

/** As `receiveResponse`, but after a timeout what was waited for may be waited for again, and its late reply is seen then. */
export function waitResponse<Reply>(
  caller: Caller,
  id: RequestId<Reply>,
  timeoutMs: number,
): Promise<Response<Reply> | ResponseTimeout>
export function waitResponse<Reply, Label>(
  caller: Caller,
  ids: RequestIds<Reply, Label>,
  timeoutMs: number,
): Promise<LabelledResponse<Reply, Label> | ResponseTimeout | 'no_request'>
export function waitResponse(
  caller: Caller,
  waitedFor: RequestId<unknown> | RequestIds<unknown, unknown>,
  timeoutMs: number,
): Promise<Waited> {
  return unawaited(wait(contextOf(caller), { waitedFor, atFirst: atFirstOf(waitedFor) }, timeoutMs))
}

/**
 * Whether a message is the response of this request, or of one of this collection (which it is taken out of then), that was sent with `toMailbox`.
 * @returns the response, or `'no_reply'` if the message is something else; of an empty collection `'no_request'`
 */
export function checkResponse<Reply>(message: unknown, id: RequestId<Reply>): Response<Reply> | 'no_reply'
export function checkResponse<Reply, Label>(
  message: unknown,
  ids: RequestIds<Reply, Label>,
): LabelledResponse<Reply, Label> | 'no_reply' | 'no_request'
export function checkResponse(
  message: unknown,
  waitedFor: RequestId<unknown> | RequestIds<unknown, unknown>,
): Response<unknown> | LabelledResponse<unknown, unknown> | 'no_reply' | 'no_request' {
  const id = isInstance(message, ResponseMessage) ? message.id : undefined
  if (waitedFor instanceof RequestIds) {
    if (waitedFor.size === 0) return 'no_request'
    const entry = waitedFor.toList().find(([one]) => one === id)
    return entry === undefined ? 'no_reply' : (taken(waitedFor, entry) ?? 'no_reply')
  }
  checkId(waitedFor)
  return (id === waitedFor ? waitedFor.response : undefined) ?? 'no_reply'
}

type Waited = Response<unknown> | LabelledResponse<unknown, unknown> | ResponseTimeout | 'no_request'

const TIMEOUT: ResponseTimeout = { type: 'timeout' }
const OPTIONS: ReadonlySet<string> = new Set<keyof SendRequestOptions>(['toMailbox'])

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
function checkId(id: unknown): void {
  if (!isInstance(id, RequestId))
    throw badArgument('what is waited for was given by sendRequest, or is a collection of such')
}

/**
 * Also where nothing is waited for, since the response is there, or there is no request.
 * @throws PidmeshError `ERR_BAD_ARGUMENT`
 */
function checkTimeout(timeoutMs: unknown): void {
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0))
    throw badArgument(`timeoutMs must be a number of milliseconds, 0 or more, not ${shownValue(timeoutMs)}`)
}

function open(self: Context, server: ServerAddress, request: unknown): OpenRequest | CallError {
  if (!(server instanceof ViaName)) checkAddress(server)
  const target = server instanceof ViaName ? server.via.whereisName(server.name) : server
  if (target === undefined) return new CallError('ERR_CALL_NOPROC', 'noproc', describe(server))
  if (isSelf(self, target)) return new CallError('ERR_CALL_SELF', 'calling_self', describe(server))
  // Told here, and not where it is waited for, if it ever is; at the price of a second walk through what goes to another node.
  if (typeof target !== 'string' && target.node !== self.node) encodedBytes(request)
  return self.openRequest(target, (tag): CallMessage => ({ type: '$gen_call', from: { pid: self.pid, tag }, request }))
}

/** What was in a collection when the wait began. What is added since is not waited for, and not given up: OTP's collections can't be changed. */
type AtFirst = ReadonlySet<RequestId<unknown>>

const NOTHING: AtFirst = new Set()

function atFirstOf(waitedFor: RequestId<unknown> | RequestIds<unknown, unknown>): AtFirst {
  return isInstance(waitedFor, RequestIds) ? new Set(waitedFor.toList().map(([id]) => id)) : NOTHING
}

interface WaitedFor {
  readonly waitedFor: RequestId<unknown> | RequestIds<unknown, unknown>
  readonly atFirst: AtFirst
}

async function wait(self: Context, { waitedFor, atFirst }: WaitedFor, timeoutMs: number): Promise<Waited> {
  checkTimeout(timeoutMs)
  if (isInstance(waitedFor, RequestIds)) return waitForAny(self, waitedFor, atFirst, timeoutMs)
  checkId(waitedFor)
  if (waitedFor.request !== undefined) await self.awaitAny([waitedFor.request], timeoutMs)
  return waitedFor.response ?? TIMEOUT
}

async function waitForAny(
  self: Context,
  ids: RequestIds<unknown, unknown>,
  atFirst: AtFirst,
  timeoutMs: number,
): Promise<Waited> {
  const endMs = self.monotonicMs() + timeoutMs
  for (;;) {
    const entries = ids.toList().filter(([id]) => atFirst.has(id))
    if (entries.length === 0) return 'no_request'
    const over = entries.find(([id]) => id.response !== undefined)
    if (over !== undefined) return taken(ids, over) ?? TIMEOUT
    const requests = entries.flatMap(([{ request }]) => (request === undefined ? [] : [request]))
    // Who else waits for the same collection may be quicker: then another one is waited for.
    const isAnyOver = await self.awaitAny(requests, Math.max(0, endMs - self.monotonicMs()))
    if (isAnyOver === undefined) return TIMEOUT
  }
}

/** The response of one of a collection that has ended, and no longer in it. */
function taken(
  ids: RequestIds<unknown, unknown>,
  [id, label]: readonly [RequestId<unknown>, unknown],
): LabelledResponse<unknown, unknown> | undefined {
  const { response } = id
  if (response === undefined) return undefined
  ids.delete(id)
  return { type: 'response', id, label, response }
}

function abandon(waitedFor: RequestId<unknown> | RequestIds<unknown, unknown>, atFirst: AtFirst): void {
  if (waitedFor instanceof RequestId) waitedFor.request?.abandon()
  else for (const id of atFirst) if (waitedFor.delete(id)) id.request?.abandon()
}

async function deliverWhenOver(self: Context, id: RequestId<unknown>): Promise<void> {
  try {
    if (id.request !== undefined) await self.awaitAny([id.request], Infinity)
    // What was given up is not waited for here, either.
    if (id.request?.outcome?.type !== 'timeout') self.send(self.pid, new ResponseMessage(id))
  } catch {
    // The process has ended.
  }
}

function responseOf<Reply>(outcome: RequestOutcome, server: ServerAddress): Response<Reply> {
  // The server's reply type was checked where it replies; over the wire it is what the other node says.
  if (outcome.type === 'reply') return { type: 'reply', value: outcome.value as Reply }
  return { type: 'error', error: callError(outcome, server) }
}
