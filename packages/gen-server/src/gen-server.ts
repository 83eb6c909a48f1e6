/**
 * GenServer: a process that keeps state and serves requests, one at a time, each to its end.
 *
 *   the user's side                 the server's side
 *   ---------------                 -----------------
 *   start, startLink,  ──────────▶  init(...args)                      → nothing | ok(next?) | ignore() | stop(reason)
 *   startMonitor       ◀──────────    (a start resolves, or rejects)
 *
 *   call, multiCall,   ──────────▶  handleCall(request, from)          → reply(request, value, next?) | noreply(next?)
 *   sendRequest        ◀── reply ─                                       | stop(reason) | stopAfterReply(request, value, reason)
 *                      ◀── reply ─  replyTo(from, value)                 later, from anywhere, after noreply
 *
 *   cast, abcast       ──────────▶  handleCast(request)                → nothing | noreply(next?) | stop(reason)
 *   any other message  ──────────▶  handleInfo(message)                → nothing | noreply(next?) | stop(reason)
 *
 *   stop, sys.terminate ─────────▶  terminate(reason)                  its result is ignored
 *   the parent's exit  ──────────▶  terminate(reason)
 *   sys.getState, replaceState ──▶  getState(), replaceState(state)
 *   sys.getStatus, crash reports ▶  formatStatus(status)
 *
 *   next: { continue: … }    ────▶  handleContinue(continuation)       → nothing | noreply(next?) | stop(reason)
 *                                     before any other message; the start has been reported
 *         { timeoutMs: … }   ────▶  handleInfo({ type: 'idle_timeout' })
 *                                     if no message comes in that time; 0: if none waits. Any message but those of sys ends the wait
 *         { hibernate: true }         nothing: see `Next`
 *
 * Each may return a promise of these, too; while it is under way, messages wait. What else it returns ends the server with `{ bad_return_value: … }`.
 *
 * The end:
 *   stop(reason), a throw or rejection (the error is the reason), self.exit(reason), stop() and sys.terminate, the parent's exit if exits are trapped
 *     ──▶ terminate(reason), once ──▶ a crash report, unless the reason is normal, shutdown or { shutdown: … } ──▶ the process exits with the reason
 *   kill, and other exit signals if exits aren't trapped ──▶ the process exits at once
 *   in init: stop, throw and exit fail the start with the reason, without terminate
 *
 * What a server has no callback for: a message is logged, a call, cast or continue ends it with `{ bad_call: … }`, `{ bad_cast: … }`, `{ bad_continue: … }`.
 *
 * The state is the instance: fields of the class. There is one instance a process. Not here: the loop (behaviour/loop.ts), what follows from a return
 * (callbacks.ts), starts (start.ts).
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
import type { Awaitable, ExitReason } from '@pidmesh/runtime'
import { notHandled, tagOf } from './behaviour/shown-value.ts'
import type { From, ReplyTo } from './protocol.ts'
import {
  NOREPLY,
  type CallResult,
  type CastResult,
  type ContinueResult,
  type InfoResult,
  type InitResult,
  type Next,
  type NoReplyResult,
  type OkResult,
  type ReplyResult,
  type StopReplyResult,
} from './results.ts'
import { assignFields, fieldsOf, Server } from './server.ts'

export abstract class GenServer<Calls extends object = never, Casts = never, Continues = never> extends Server<
  Calls,
  Casts
> {
  /** The first thing that runs. `start` waits for it. Declare the parameters that `start` is to take. */
  init(..._args: never[]): Awaitable<InitResult> {}

  // Two of them have a parameter that nobody gives: by that a start tells them from those of a class, which it must have for what its types name.

  /** A `call` has come. A server without calls never gets one that its types allow; one with calls that has no callback for them does not compile where it is started. */
  handleCall(request: Calls, _from: From, ..._ofItsOwn: never[]): Awaitable<CallResult> {
    return this.stop({ bad_call: tagOf(request) })
  }

  /** A `cast` has come. As with calls. */
  handleCast(request: Casts, ..._ofItsOwn: never[]): Awaitable<CastResult> {
    return this.stop({ bad_cast: tagOf(request) })
  }

  /** Any other message: `EXIT`, `DOWN`, timers, what was sent with `send`. The default logs it and goes on. */
  handleInfo(message: unknown): Awaitable<InfoResult> {
    this.log.warn(notHandled(message), `${this.constructor.name} got a message that it doesn't handle`)
  }

  /** What a callback has asked for with `{ continue: … }`, before any other message. */
  handleContinue(continuation: Continues): Awaitable<ContinueResult> {
    return this.stop({ bad_continue: tagOf(continuation) })
  }

  /** The last thing that runs. Not called if the process is killed, or if it doesn't trap exits and gets an exit signal. */
  terminate(_reason: ExitReason): Awaitable<void> {}

  /**
   * The state, as `sys.getState` and crash reports see it. The default gives the instance's own fields, those that are private in TypeScript included (`#fields`
   * can't be seen). Override it, and `replaceState`, if the state is something else, or to give it a type.
   */
  getState(): unknown {
    return fieldsOf(this)
  }

  /**
   * Puts another state in the place of what `getState` gave; called by `sys.replaceState`. The default assigns fields, and refuses those that the instance
   * doesn't have. One that throws must have changed nothing.
   */
  replaceState(state: unknown): void {
    assignFields(this, state)
  }

  /** The start has succeeded; more than returning nothing only with a `next`. */
  protected ok(next?: Next<Continues>): OkResult {
    return { type: 'ok', next }
  }

  /** Replies, and goes on. The value must be what the request is answered with. */
  protected reply<Request extends Calls>(
    _request: Request,
    value: ReplyTo<Request>,
    next?: Next<Continues>,
  ): ReplyResult {
    return { type: 'reply', value, next }
  }

  /** Goes on. Of a call, somebody will `replyTo` the caller later. */
  protected noreply(next?: Next<Continues>): NoReplyResult {
    return next === undefined ? NOREPLY : { type: 'noreply', next }
  }

  /** Ends the server as `stop` does, and replies when `terminate` has run: who has the reply knows that it is done. As `{stop, Reason, Reply, State}`. */
  protected stopAfterReply<Request extends Calls>(
    _request: Request,
    value: ReplyTo<Request>,
    reason: ExitReason,
  ): StopReplyResult {
    return { type: 'stop_reply', value, reason }
  }
}
