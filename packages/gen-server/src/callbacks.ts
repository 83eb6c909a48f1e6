/**
 * GenServer as a behaviour: which callback a message is for, and what follows from what it returned.
 *
 *   $gen_call ──▶ handleCall ─┬ reply ──▶ to the caller ─┬▶ next: nothing | continue ─▶ handleContinue | an idle timeout
 *   $gen_cast ──▶ handleCast ─┤ noreply ─────────────────┘
 *   any other ──▶ handleInfo ─┤ stop ──▶ (reply) ──▶ the loop's end
 *   an idle note ─▶   〃      └ anything else ──▶ { bad_return_value }
 *
 * State: the idle timeout. Invariants: a synchronous callback is handled without a promise; `handleContinue` runs before any other message, however often it
 * continues; every message but those of `sys` stops the idle timeout; the code of a process that has ended is called no more.
 */
import { isExitReason, type Context, type ExitReason } from '@pidmesh/runtime'
import type { Behaviour, Handled, Initialised, Status, Stop } from './behaviour/behaviour.ts'
import { atOnce } from './behaviour/at-once.ts'
import type { Debug } from './behaviour/debug.ts'
import { shownValue } from './behaviour/shown-value.ts'
import { QUANTUM, turn } from './behaviour/turn.ts'
import { reply } from './call.ts'
import type { GenServer } from './gen-server.ts'
import { IdleTimeout, isIdleNote, type IdleNote } from './idle-timeout.ts'
import { isCallMessage, isCastMessage, type From } from './protocol.ts'
import {
  isNext,
  type CallResult,
  type CastResult,
  type ContinueResult,
  type IdleTimeoutMessage,
  type InitResult,
  type Next,
} from './results.ts'

/** A server of any protocol: what a message holds was checked where it was sent. */
export type AnyServer = GenServer<object, unknown, unknown>

const IDLE: IdleTimeoutMessage = { type: 'idle_timeout' }

/** Runs the `init` of an instance that has just been made. */
export function initialise(
  self: Context,
  server: AnyServer,
  args: readonly unknown[],
): Initialised | Promise<Initialised> {
  server.$enter(self)
  const result: InitResult | Promise<InitResult> = server.init(...(args as readonly never[]))
  const enter = (outcome: InitResult): Initialised => initialised(new Callbacks(self, server), outcome)
  return result instanceof Promise ? result.then(enter) : enter(result)
}

function initialised(callbacks: Callbacks, result: InitResult): Initialised {
  if (result === undefined) return { type: 'ok', behaviour: callbacks }
  switch (result?.type) {
    case 'stop':
      return isExitReason(result.reason) ? result : badReturn(result)
    case 'ignore':
      return result
    case 'ok':
      if (!isNext(result.next)) return badReturn(result)
      callbacks.first = result.next
      return { type: 'ok', behaviour: callbacks }
    default:
      return badReturn(result)
  }
}

export class Callbacks implements Behaviour {
  /** What `init` has asked for. */
  first: Next | undefined = undefined
  hasReplied = false
  debug: Debug | undefined = undefined
  private readonly self: Context
  private readonly server: AnyServer
  private idle: IdleTimeout | undefined = undefined

  constructor(self: Context, server: AnyServer) {
    this.self = self
    this.server = server
  }

  get name(): string {
    return this.server.constructor.name
  }

  begin(): Handled | Promise<Handled> {
    return this.first === undefined ? undefined : this.proceed(this.first)
  }

  handle(message: unknown): Handled | Promise<Handled> {
    const { server } = this
    if (isCallMessage(message)) {
      this.idle?.stop()
      const { from } = message
      const result = server.handleCall(message.request as object, from)
      return result instanceof Promise
        ? result.then((value) => this.afterCall(from, value))
        : this.afterCall(from, result)
    }
    if (isIdleNote(message)) return this.handleIdle(message)
    this.idle?.stop()
    return this.settle(isCastMessage(message) ? server.handleCast(message.request) : server.handleInfo(message))
  }

  terminate(reason: ExitReason): void | Promise<void> {
    return this.server.terminate(reason)
  }

  getState(): unknown {
    return atOnce(this.server.getState(), 'getState gives a state')
  }

  replaceState(state: unknown): void {
    atOnce(this.server.replaceState(state), 'replaceState replaces a state')
  }

  formatStatus(status: Status): Status {
    return atOnce(this.server.formatStatus(status), 'formatStatus gives a status')
  }

  private handleIdle(note: IdleNote): Handled | Promise<Handled> {
    if (this.idle?.isDue(note) !== true) return undefined
    this.idle.stop()
    return this.settle(this.server.handleInfo(IDLE))
  }

  private settle(result: CastResult | Promise<CastResult>): Handled | Promise<Handled> {
    return result instanceof Promise ? result.then((value) => this.afterCast(value)) : this.afterCast(result)
  }

  private afterCall(from: From, result: CallResult): Handled | Promise<Handled> {
    if (result?.type === 'reply') {
      if (!isNext(result.next)) return badReturn(result)
      this.reply(from, result.value)
      return result.next === undefined ? undefined : this.proceed(result.next)
    }
    if (result?.type === 'stop_reply') {
      if (!isExitReason(result.reason)) return badReturn(result)
      this.hasReplied = true
      return { type: 'stop', reason: result.reason, afterTerminate: () => this.reply(from, result.value) }
    }
    // Only a call must return something.
    return result === undefined ? badReturn(result) : this.afterCast(result)
  }

  private afterCast(result: CastResult): Handled | Promise<Handled> {
    if (result === undefined) return undefined
    switch (result?.type) {
      case 'noreply':
        if (!isNext(result.next)) return badReturn(result)
        return result.next === undefined ? undefined : this.proceed(result.next)
      case 'stop':
        return isExitReason(result.reason) ? result : badReturn(result)
      default:
        return badReturn(result)
    }
  }

  /** Does what a callback has asked for. A loop, since a server may continue any number of times; others have their turn if they are many. */
  private proceed(first: Next): Handled | Promise<Handled> {
    let next: Next | undefined = first
    for (let left = QUANTUM; next?.continue !== undefined; left--) {
      if (!this.self.isAlive) return undefined
      if (left === 0) return this.proceedAfter(this.later({ type: 'noreply', next }))
      const result = this.server.handleContinue(next.continue)
      if (result instanceof Promise) return this.proceedAfter(result)
      if (isEnd(result)) return this.afterCast(result)
      next = nextOf(result)
    }
    this.await(next)
    return undefined
  }

  private async proceedAfter(pending: Promise<ContinueResult>): Promise<Handled> {
    let result = await pending
    for (let left = QUANTUM; this.self.isAlive; left--) {
      if (isEnd(result)) return this.afterCast(result)
      const next = nextOf(result)
      if (next?.continue === undefined) return this.await(next)
      if (left === 0) {
        left = QUANTUM
        await turn(this.self)
      }
      result = await this.server.handleContinue(next.continue)
    }
    return undefined
  }

  private async later(result: ContinueResult): Promise<ContinueResult> {
    await turn(this.self)
    return result
  }

  private await(next: Next | undefined): void {
    if (next?.timeoutMs === undefined || next.timeoutMs === Infinity) return
    this.idle ??= new IdleTimeout(this.self)
    this.idle.start(next.timeoutMs)
  }

  private reply(from: From, value: unknown): void {
    this.hasReplied = true
    reply(this.self, from, value)
    this.debug?.tell({ type: 'out', to: from.pid, message: value })
  }
}

function isEnd(result: ContinueResult): boolean {
  return result !== undefined && !(result?.type === 'noreply' && isNext(result.next))
}

function nextOf(result: ContinueResult): Next | undefined {
  return result?.type === 'noreply' ? result.next : undefined
}

function badReturn(result: unknown): Stop {
  return { type: 'stop', reason: { bad_return_value: shownValue(result) } }
}
