/**
 * A request: a message with an alias for its reply, and a monitor on the one who is to reply. It is Erlang's
 * `monitor(process, Target, [{alias, reply_demonitor}])`, and ends in exactly one of four ways. Without a message it waits for the other's end.
 *
 *   caller ── build(alias) ─▶ target ── reply to alias ─▶ { type: 'reply' }
 *                                   └── ends, unreachable ─▶ { type: 'down' }
 *          └── timer ────────────────────────────────────▶ { type: 'timeout' }
 *          └── ends itself ──────────────────────────────▶ rejects: ProcessExited
 */
import { withItem, withoutItem } from '../few.ts'
import type { NameOnNode, Pid, Ref } from '../ids.ts'
import type { Kernel } from '../node/kernel.ts'
import { errorOfThrown, type ExitReason } from '../reasons.ts'
import type { DownListener } from '../signals/monitors.ts'
import type { RemoteNode } from '../signals/remote-node.ts'
import type { Timer } from '../timers.ts'
import type { AliasTarget } from './aliases.ts'
import { isA } from './checks.ts'
import type { ExitHook, Process } from './process.ts'

export type RequestOutcome =
  | { readonly type: 'reply'; readonly value: unknown }
  | { readonly type: 'down'; readonly reason: ExitReason }
  | { readonly type: 'timeout' }

/**
 * What the promise of a request is settled with: what is made of the outcome, at once, in the turn of whoever answers or ends. A library's. A `Failure` counts only
 * where there is no reply: a reply may be anything.
 */
export type ReadOutcome<T> = (outcome: RequestOutcome) => T | Promise<T> | Failure

/** In place of a value: rejects, with an error that is made when the stack of who waits can be seen. */
export class Failure {
  readonly #error: () => Error

  constructor(error: () => Error) {
    this.#error = error
  }

  /** The error of a failure. By the private field, which no object imitates, and for which none of its code runs. */
  static errorOf(value: unknown): (() => Error) | undefined {
    return typeof value === 'object' && value !== null && #error in value ? value.#error : undefined
  }
}

export interface Request {
  readonly target: Pid | NameOnNode | string
  /** `undefined`: there is nothing to send. */
  readonly build: ((replyTo: Ref) => unknown) | undefined
  /** Makes the alias known otherwise than by a message. */
  readonly tell: ((replyTo: Ref) => void) | undefined
}

const TIMEOUT: RequestOutcome = { type: 'timeout' }

/** The outcome as it is. */
export const asItIs: ReadOutcome<RequestOutcome> = (outcome) => outcome

export class PendingRequest<T> implements AliasTarget, DownListener, ExitHook {
  readonly settled: Promise<T>
  private readonly kernel: Kernel
  private readonly caller: Process
  private readonly ref: Ref
  private readonly read: ReadOutcome<T>
  private timer: Timer | undefined = undefined
  private resolve: ((value: T | Promise<T>) => void) | undefined = undefined
  private fail: ((error: Error) => void) | undefined = undefined

  constructor(kernel: Kernel, caller: Process, read: ReadOutcome<T>) {
    this.kernel = kernel
    this.caller = caller
    this.ref = kernel.nextRef()
    this.read = read
    this.settled = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.fail = reject
    })
  }

  get takesContext(): boolean {
    return false
  }

  /** @param timeoutMs milliseconds, or `Infinity`. No field of the request: one that is now an integer and now `Infinity` made a call a fifth dearer. */
  start({ target, build, tell }: Request, timeoutMs: number): Promise<T> {
    const { kernel, caller, ref } = this
    caller.exitHooks = withItem<ExitHook>(caller.exitHooks, this)
    kernel.aliases.add(ref.id, this)
    if (timeoutMs !== Infinity) this.timer = kernel.timers.start(timeoutMs, () => this.end(TIMEOUT))
    try {
      tell?.(ref)
      // Who was told may have answered, or ended the caller.
      if (!kernel.aliases.isOpen(ref.id)) return this.settled
      if (build === undefined) kernel.router.monitor(caller, target, { ref, listener: this })
      else kernel.router.request(caller, target, { ref, listener: this }, build)
    } catch (error) {
      this.reject(errorOfThrown(error))
    }
    return this.settled
  }

  deliver(value: unknown, answeredBy: RemoteNode | undefined): void {
    const { caller, kernel } = this
    if (caller.traces !== undefined) {
      kernel.tracing.tell(caller, { type: 'receive', message: value })
      // Who was told may have ended the caller.
      if (!kernel.aliases.isOpen(this.ref.id)) return
    }
    this.close(answeredBy)
    this.settle(this.valueOf({ type: 'reply', value }))
  }

  /** As if its time were over. */
  giveUp(): void {
    this.end(TIMEOUT)
  }

  onDown(reason: ExitReason): void {
    this.end({ type: 'down', reason })
  }

  refuse(reason: ExitReason): void {
    this.end({ type: 'down', reason })
  }

  onExit(error: Error): void {
    this.reject(error)
  }

  private end(outcome: RequestOutcome): void {
    this.close()
    const value = this.valueOf(outcome)
    const error = Failure.errorOf(value)
    if (error === undefined) this.settle(value)
    else this.failLater(error)
  }

  private settle(value: T | Promise<T> | Failure): void {
    if (isA(value, Promise)) this.heed()
    this.resolve?.(value as T)
  }

  private valueOf(outcome: RequestOutcome): T | Promise<T> | Failure {
    try {
      return this.read(outcome)
    } catch (thrown) {
      return Promise.reject(errorOfThrown(thrown))
    }
  }

  /**
   * An error's stack leads to who waits for the promise whose turn in the microtasks it is made in, if he is the only one. So it is made when the promise already
   * follows the one in which it is made, and heeded afterwards.
   */
  private failLater(error: () => Error): void {
    const failed = Promise.resolve()
      .then(() => undefined)
      .then((): never => {
        void Promise.resolve().then(() => this.heed())
        throw error()
      })
    this.resolve?.(failed)
  }

  private reject(error: Error): void {
    this.close()
    this.heed()
    this.fail?.(error)
  }

  /** If nobody waits for it any more that must not end the OS process. Whoever does wait is told all the same. */
  private heed(): void {
    this.settled.catch(() => undefined)
  }

  /** `answeredBy`: the node that has ended the monitor by its answer. */
  private close(answeredBy?: RemoteNode): void {
    const { kernel, caller, ref, timer } = this
    kernel.aliases.remove(ref.id)
    kernel.monitors.demonitor(caller, ref.id, answeredBy)
    if (timer !== undefined) kernel.timers.drop(timer)
    caller.exitHooks = withoutItem(caller.exitHooks, this)
  }
}
