/**
 * What `sys` has been told to watch of one server: a trace in the log, listeners, statistics. Nothing, for most servers: then it costs a comparison a message.
 *
 *   loop ── a message ─────▶ tell({ type: 'in', … })  ─┬▶ log line (trace)
 *   behaviour ── a reply ──▶ tell({ type: 'out', … }) ─┼▶ listeners (install)
 *                                                      └▶ counts (statistics)
 *
 * Invariant: a listener that throws, or says `done`, is removed; it harms nobody else.
 */
import { formatReason, reasonOfThrown, type Context, type Pid, type Ref } from '@pidmesh/runtime'
import { shownValue } from './shown-value.ts'

/** Something that a server does, as `sys.install` tells it. */
export type SystemEvent =
  | { readonly type: 'in'; readonly message: unknown }
  | { readonly type: 'out'; readonly to: Pid | Ref; readonly message: unknown }

/** Called in the midst of things, in the server's process: keep it short. `'done'` ends it. */
export type SystemListener = (event: SystemEvent) => 'done' | void

/** Counted since they were switched on. */
export interface Statistics {
  /** Messages that it took, system messages left out. */
  readonly messagesIn: number
  /** Replies that it gave itself; what its code sends isn't seen here. */
  readonly messagesOut: number
  /** Of its process: messages handled. */
  readonly reductions: number
}

export class Debug {
  private readonly self: Context
  private listeners: Set<SystemListener> | undefined = undefined
  private isTraced = false
  private counts: { messagesIn: number; messagesOut: number; readonly reductionsBefore: number } | undefined = undefined

  constructor(self: Context) {
    this.self = self
  }

  /** Whether anything is to be told. */
  get isOn(): boolean {
    return this.isTraced || this.counts !== undefined || this.listeners !== undefined
  }

  tell(event: SystemEvent): void {
    if (this.counts !== undefined) {
      if (event.type === 'in') this.counts.messagesIn++
      else this.counts.messagesOut++
    }
    if (this.isTraced) this.self.log.info({ trace: event.type, message: shownValue(event.message) }, describe(event))
    for (const listener of this.listeners ?? []) this.call(listener, event)
  }

  trace(on: boolean): void {
    this.isTraced = on
  }

  install(listener: SystemListener): void {
    this.listeners ??= new Set()
    this.listeners.add(listener)
  }

  remove(listener: SystemListener): void {
    this.listeners?.delete(listener)
    if (this.listeners?.size === 0) this.listeners = undefined
  }

  statistics(flag: 'on' | 'off'): void {
    this.counts = flag === 'off' ? undefined : { messagesIn: 0, messagesOut: 0, reductionsBefore: this.reductions() }
  }

  /** `undefined` if they are off. */
  read(): Statistics | undefined {
    if (this.counts === undefined) return undefined
    const { messagesIn, messagesOut, reductionsBefore } = this.counts
    return { messagesIn, messagesOut, reductions: this.reductions() - reductionsBefore }
  }

  private call(listener: SystemListener, event: SystemEvent): void {
    try {
      const outcome: unknown = listener(event)
      if (outcome === 'done') this.remove(listener)
      // What a listener that has no types awaits is its own affair, but must not end the OS process.
      else if (outcome instanceof Promise) outcome.catch(() => this.remove(listener))
    } catch (thrown) {
      this.remove(listener)
      this.self.log.error(
        {},
        `a listener of sys.install has failed and is removed: ${formatReason(reasonOfThrown(thrown))}`,
      )
    }
  }

  private reductions(): number {
    return this.self.processInfo(this.self.pid)?.reductions ?? 0
  }
}

function describe(event: SystemEvent): string {
  return event.type === 'in' ? 'got a message' : `replied to ${event.to}`
}
