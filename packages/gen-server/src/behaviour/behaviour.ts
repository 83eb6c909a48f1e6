/**
 * What a kind of server (GenServer, Supervisor, GenStatem) is to the layer that all of them share: OTP's `gen` and `sys` on one side, the module that they
 * call back on the other.
 *
 *   launch(…) ──▶ init(self) ──▶ Behaviour ──▶ begin() ──▶ handle(message) … ──▶ terminate(reason)
 *                                   ▲
 *                sys.… ─────────────┘ getState, replaceState, formatStatus
 *
 * The layer takes the messages that are for any server (start.ts, loop.ts): the start, system messages, the parent's exit. All others come to `handle`, one
 * at a time, each to its end.
 */
import type { Context, ExitReason } from '@pidmesh/runtime'
import type { Debug } from './debug.ts'

export interface Behaviour {
  /** What reports call it: the name of the class, usually. */
  readonly name: string

  /** Set to true by a behaviour when it answers a call, and to false by the loop, if somebody wants to know. @default it isn't told */
  hasReplied?: boolean

  /** Set by the loop as long as `sys` watches the server: then the behaviour tells it of each reply. */
  debug?: Debug | undefined

  /** Runs once, after the start has been reported and before any message. */
  begin?(): Handled | Promise<Handled>

  /** Takes a message. One that throws or rejects ends the server, after `terminate`. */
  handle(message: unknown): Handled | Promise<Handled>

  /** The last thing that runs, once, whatever the server ends with. What it throws takes the place of the reason. */
  terminate(reason: ExitReason): void | Promise<void>

  getState(): unknown

  /** Called with what a function of the operator's made of `getState()`. One that throws must have changed nothing. */
  replaceState(state: unknown): void

  /** What logs and `sys.getStatus` may show. */
  formatStatus(status: Status): Status
}

/** What `handle` makes of a message: nothing, and the server goes on; or its end. */
export type Handled = void | Stop

export interface Stop {
  readonly type: 'stop'
  readonly reason: ExitReason
  /** Done when `terminate` has run, whatever has come of that: the reply to a call with which the server ends. */
  readonly afterTerminate?: () => void
}

/** What is shown of a server: `format_status/1` of OTP 25. */
export interface Status {
  readonly state: unknown
  /** The message that it was at when it ended: the request of a call or a cast. In crash reports only, if there was one. */
  readonly message?: unknown
  /** Why it ends. In crash reports only. */
  readonly reason?: ExitReason
}

/** What an `init` comes to. */
export type Initialised = { readonly type: 'ok'; readonly behaviour: Behaviour } | Stop | { readonly type: 'ignore' }

/** Runs in the new process, first of all. One that throws or rejects fails the start. */
export type Init = (self: Context) => Initialised | Promise<Initialised>
