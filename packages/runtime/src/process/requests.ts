/**
 * A request: a message with an alias for its reply, and a monitor on the one who is to reply. It is Erlang's
 * `monitor(process, Target, [{alias, reply_demonitor}])`, and ends in exactly one of three ways.
 *
 *   caller ── build(alias) ─▶ target ── reply to alias ─▶ { type: 'reply' }
 *                                   └── ends, unreachable ─▶ { type: 'down' }
 *          └── timer ────────────────────────────────────▶ { type: 'timeout' }
 */
import type { NameOnNode, Pid, Ref } from '../ids.ts'
import type { Kernel } from '../node/kernel.ts'
import type { ExitReason } from '../reasons.ts'
import type { Process } from './process.ts'

export type RequestOutcome =
  | { readonly type: 'reply'; readonly value: unknown }
  | { readonly type: 'down'; readonly reason: ExitReason }
  | { readonly type: 'timeout' }

export interface Request {
  readonly target: Pid | NameOnNode | string
  readonly build: (replyTo: Ref) => unknown
  /** Milliseconds, or `Infinity`. */
  readonly timeoutMs: number
}

export function request(
  kernel: Kernel,
  caller: Process,
  { target, build, timeoutMs }: Request,
): Promise<RequestOutcome> {
  return new Promise<RequestOutcome>((resolve, reject) => {
    const ref = kernel.nextRef()
    const timerId = timeoutMs === Infinity ? undefined : kernel.nextId()
    const end = (outcome: RequestOutcome): void => {
      close()
      resolve(outcome)
    }
    const onExit = (error: Error): void => {
      close()
      reject(error instanceof Error ? error : new Error(String(error)))
    }
    const close = (): void => {
      kernel.aliases.remove(ref.id)
      kernel.monitors.demonitor(caller, ref.id)
      if (timerId !== undefined) kernel.timers.cancel(timerId)
      caller.exitHooks?.delete(onExit)
    }
    ;(caller.exitHooks ??= new Set()).add(onExit)
    kernel.aliases.add(ref.id, (value) => end({ type: 'reply', value }))
    if (timerId !== undefined) kernel.timers.start(timerId, timeoutMs, caller, () => end({ type: 'timeout' }))
    let isDown = false
    kernel.router.monitor(caller, target, ref, (reason) => {
      isDown = true
      end({ type: 'down', reason })
    })
    if (isDown) return
    try {
      kernel.router.send(caller, target, build(ref))
    } catch (error) {
      close()
      reject(error instanceof Error ? error : new Error(String(error)))
    }
  })
}
