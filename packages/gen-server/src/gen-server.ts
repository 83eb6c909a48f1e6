/**
 * GenServer: a process that keeps state and serves requests, one at a time, each to its end.
 *
 *   start(…) ─────▶ init(...args)       → nothing | stop(reason)                  start resolves or rejects after it
 *   call(…) ──────▶ handleCall          → reply(request, value) | noreply() | stop(reason) | stopAfterReply(request, value, reason)
 *   cast(…) ──────▶ handleCast          → nothing | noreply() | stop(reason)
 *   any message ──▶ handleInfo          → nothing | noreply() | stop(reason)
 *                   terminate(reason)   after a stop, a throw, or the parent's exit (if it traps exits); its result is ignored
 *
 * Every callback may be async; while one is under way, messages wait. A throw in a callback ends the server with the error as the reason, after
 * `terminate`. A reason other than `normal`, `shutdown` and `{ shutdown: … }` makes a crash report.
 *
 * The state is the instance: fields of the class. There is one instance a process.
 *
 * @example
 *   type CounterCall = Call<{ type: 'get' }, number> | Call<{ type: 'add'; by: number }, number>
 *
 *   class Counter extends GenServer<CounterCall> {
 *     private count = 0
 *     override init(start: number) { this.count = start }
 *     override handleCall(request: CounterCall) {
 *       switch (request.type) {
 *         case 'get': return this.reply(request, this.count)
 *         case 'add': return this.reply(request, (this.count += request.by))
 *       }
 *     }
 *   }
 *   const counter = await start(node, Counter, [5])
 *   await call(node, counter, { type: 'add', by: 2 })          // 7: a number, by its type too
 */
import type { Awaitable, Context, ExitReason, Logger, NodeName, Pid } from '@pidmesh/runtime'
import { call, cast, reply } from './call.ts'
import type { From, ReplyFor, ReplyOf, ServerRef } from './protocol.ts'
import {
  NOREPLY,
  type CallResult,
  type CastResult,
  type InfoResult,
  type InitResult,
  type NoReplyResult,
  type StopResult,
} from './results.ts'

export abstract class GenServer<Calls extends object = never, Casts = never> {
  // Private in the language, so that a subclass may use the word.
  #context: Context | undefined = undefined

  /** This process. Not there before `init`. */
  protected get self(): Context {
    if (this.#context === undefined)
      throw new TypeError('a GenServer has no process before init: do it in init, not in the constructor')
    return this.#context
  }

  protected get pid(): Pid {
    return this.self.pid
  }

  protected get node(): NodeName {
    return this.self.node
  }

  protected get log(): Logger {
    return this.self.log
  }

  /** Called by the server's process, once, before `init`. */
  enter(context: Context): void {
    this.#context = context
  }

  /** The first thing that runs. `start` waits for it. Declare the parameters that `start` is to take. */
  init(..._args: never[]): Awaitable<InitResult> {}

  /** A `call` has come. A server without calls never gets one that its types allow. */
  handleCall(request: Calls, _from: From): Awaitable<CallResult> {
    return this.stop({ bad_call: describeRequest(request) })
  }

  /** A `cast` has come. */
  handleCast(request: Casts): Awaitable<CastResult> {
    return this.stop({ bad_cast: describeRequest(request) })
  }

  /** Any other message: `EXIT`, `DOWN`, timers, what was sent with `send`. The default logs it and goes on. */
  handleInfo(message: unknown): Awaitable<InfoResult> {
    this.log.warn(
      { message: describeRequest(message) },
      `${this.constructor.name} got a message that it doesn't handle`,
    )
  }

  /** The last thing that runs. Not called if the process is killed, or if it doesn't trap exits and gets an exit signal. */
  terminate(_reason: ExitReason): Awaitable<void> {}

  /** Replies, and goes on. The value must be what the request is answered with. */
  protected reply<Request extends Calls>(_request: Request, value: ReplyOf<Request>): CallResult {
    return { type: 'reply', value }
  }

  /** Goes on without a reply: somebody will `replyTo` the caller later. */
  protected noreply(): NoReplyResult {
    return NOREPLY
  }

  /** Ends the server. A caller that waits gets no reply, but the reason. */
  protected stop(reason: ExitReason): StopResult {
    return { type: 'stop', reason, reply: undefined }
  }

  /** Replies, and ends the server. */
  protected stopAfterReply<Request extends Calls>(
    _request: Request,
    value: ReplyOf<Request>,
    reason: ExitReason,
  ): StopResult {
    return { type: 'stop', reason, reply: { value } }
  }

  /** The `from` of a request that will be answered later, typed by the request. */
  protected defer<Request extends Calls>(_request: Request, from: From): From<ReplyOf<Request>> {
    return from as From<ReplyOf<Request>>
  }

  /** Answers a call for which `noreply()` was returned. */
  protected replyTo<Reply>(from: From<Reply>, value: Reply): void {
    reply(this.self, from, value)
  }

  /** See `call`. */
  protected call<C, const R extends C>(
    server: ServerRef<C, unknown>,
    request: R,
    timeoutMs?: number,
  ): Promise<ReplyFor<C, R>> {
    return call(this.self, server, request, timeoutMs)
  }

  /** See `cast`. */
  protected cast<K>(server: ServerRef<unknown, K>, request: K): void {
    cast(this.self, server, request)
  }
}

function describeRequest(request: unknown): string {
  const type: unknown =
    typeof request === 'object' && request !== null ? (request as { type?: unknown }).type : undefined
  return typeof type === 'string' ? type : typeof request
}
