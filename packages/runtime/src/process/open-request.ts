/**
 * A request whose outcome is waited for when it suits: several at once, in steps, or never. It is a `request` without a timeout, and with an end of its own.
 *
 *   openRequest ─▶ OpenRequest ── reply, down ─────────▶ outcome ─┬▶ awaitAny resolves
 *                            ├── the caller ends ──────▶ error ───┘
 *                            └── abandon ─▶ outcome: timeout; a late reply is dropped
 */
import { PidmeshError, shown } from '../errors.ts'
import { withItem, withoutItem } from '../few.ts'
import type { Kernel } from '../node/kernel.ts'
import { errorOfThrown } from '../reasons.ts'
import { isA } from './checks.ts'
import type { ExitHook, Process } from './process.ts'
import { asItIs, PendingRequest, type Request, type RequestOutcome } from './requests.ts'

type Waiter = (request: OpenRequest) => void

export class OpenRequest {
  /** How it has ended: `timeout` if it was given up. `undefined` before. */
  outcome: RequestOutcome | undefined = undefined
  /** Why it will have no outcome: it could not be sent, or the caller has ended. */
  error: Error | undefined = undefined
  readonly #pending: PendingRequest<RequestOutcome>
  readonly #waiters: Set<Waiter> = new Set()

  /** Made by `Context.openRequest`. */
  constructor(kernel: Kernel, caller: Process, { target, build }: Pick<Request, 'target' | 'build'>) {
    this.#pending = new PendingRequest(kernel, caller, asItIs)
    this.#pending.start({ target, build, tell: undefined }, Infinity).then(
      (outcome) => this.#end(() => (this.outcome = outcome)),
      (thrown: unknown) => this.#end(() => (this.error = errorOfThrown(thrown))),
    )
  }

  get isOver(): boolean {
    return this.outcome !== undefined || this.error !== undefined
  }

  /** Gives it up: nothing is kept of it, and a late reply is dropped. */
  abandon(): void {
    if (this.isOver) return
    this.#end(() => (this.outcome = { type: 'timeout' }))
    this.#pending.giveUp()
  }

  /** For `awaitAny`. */
  addWaiter(waiter: Waiter): void {
    this.#waiters.add(waiter)
  }

  /** For `awaitAny`. */
  removeWaiter(waiter: Waiter): void {
    this.#waiters.delete(waiter)
  }

  #end(settle: () => unknown): void {
    if (this.isOver) return
    settle()
    for (const waiter of this.#waiters) waiter(this)
  }
}

/**
 * Waits until one of the requests is over: that one, or `undefined` after `timeoutMs`. The others stay open.
 * @throws what has come in the place of an outcome, by rejection; ProcessExited, if the process that waits ends first
 */
export function awaitAny(
  { timers }: Kernel,
  waiting: Process,
  requests: readonly OpenRequest[],
  timeoutMs: number,
): Promise<OpenRequest | undefined> {
  return new Promise((resolve, reject) => {
    const close = (): void => {
      if (timer !== undefined) timers.drop(timer)
      for (const request of requests) request.removeWaiter(done)
      waiting.exitHooks = withoutItem(waiting.exitHooks, hook)
    }
    const done = (over: OpenRequest | undefined): void => {
      close()
      if (over?.error !== undefined) reject(over.error)
      else resolve(over)
    }
    // Of its own requests each would tell it; but there may be none, or another's among them.
    const hook: ExitHook = {
      onExit: (error) => {
        close()
        reject(error)
      },
    }
    waiting.exitHooks = withItem(waiting.exitHooks, hook)
    const timer = timeoutMs === Infinity ? undefined : timers.start(timeoutMs, () => done(undefined))
    const over = requests.find((request) => request.isOver)
    if (over !== undefined) done(over)
    else for (const request of requests) request.addWaiter(done)
  })
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkOpenRequests(requests: readonly OpenRequest[]): readonly OpenRequest[] {
  try {
    // Read once.
    const list: readonly unknown[] = Array.isArray(requests) ? [...(requests as readonly unknown[])] : [undefined]
    if (list.every((request) => isA(request, OpenRequest))) return list
  } catch {
    // Told below.
  }
  throw new PidmeshError('ERR_BAD_ARGUMENT', `open requests are given as a list of them, not ${shown(requests)}`)
}
