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
import type { ExitHook, Process } from './process.ts'

export type RequestOutcome =
  | { readonly type: 'reply'; readonly value: unknown }
  | { readonly type: 'down'; readonly reason: ExitReason }
  | { readonly type: 'timeout' }

export interface Request {
  readonly target: Pid | NameOnNode | string
  /** `undefined`: there is nothing to send. */
  readonly build: ((replyTo: Ref) => unknown) | undefined
  /** Makes the alias known otherwise than by a message. */
  readonly tell: ((replyTo: Ref) => void) | undefined
}

const TIMEOUT: RequestOutcome = { type: 'timeout' }

/** @param timeoutMs milliseconds, or `Infinity`. No field of the request: one that is now an integer and now `Infinity` made a call a fifth dearer. */
export function request(kernel: Kernel, caller: Process, request: Request, timeoutMs: number): Promise<RequestOutcome> {
  return startRequest(kernel, caller, request, timeoutMs).outcome
}

/** As `request`, and gives what waits. */
export function startRequest(kernel: Kernel, caller: Process, request: Request, timeoutMs: number): PendingRequest {
  const pending = new PendingRequest(kernel, caller)
  pending.start(request, timeoutMs)
  return pending
}

export class PendingRequest implements AliasTarget, DownListener, ExitHook {
  readonly outcome: Promise<RequestOutcome>
  private readonly kernel: Kernel
  private readonly caller: Process
  private readonly ref: Ref
  private timer: Timer | undefined = undefined
  private resolve: ((outcome: RequestOutcome) => void) | undefined = undefined
  private fail: ((error: Error) => void) | undefined = undefined

  constructor(kernel: Kernel, caller: Process) {
    this.kernel = kernel
    this.caller = caller
    this.ref = kernel.nextRef()
    this.outcome = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.fail = reject
    })
  }

  get takesContext(): boolean {
    return false
  }

  start({ target, build, tell }: Request, timeoutMs: number): void {
    const { kernel, caller, ref } = this
    caller.exitHooks = withItem<ExitHook>(caller.exitHooks, this)
    kernel.aliases.add(ref.id, this)
    if (timeoutMs !== Infinity) this.timer = kernel.timers.start(timeoutMs, () => this.end(TIMEOUT))
    try {
      tell?.(ref)
      // Who was told may have answered, or ended the caller.
      if (!kernel.aliases.isOpen(ref.id)) return
      if (build === undefined) kernel.router.monitor(caller, target, { ref, listener: this })
      else kernel.router.request(caller, target, { ref, listener: this }, build)
    } catch (error) {
      this.reject(errorOfThrown(error))
    }
  }

  deliver(value: unknown, answeredBy: RemoteNode | undefined): void {
    const { caller, kernel } = this
    if (caller.traces !== undefined) kernel.tracing.tell(caller, { type: 'receive', message: value })
    this.close(answeredBy)
    this.resolve?.({ type: 'reply', value })
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
    this.resolve?.(outcome)
  }

  private reject(error: Error): void {
    this.close()
    // If nobody waits for it any more that must not end the OS process. Whoever does wait is told all the same.
    this.outcome.catch(() => undefined)
    this.fail?.(error)
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
