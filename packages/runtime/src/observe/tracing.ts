/**
 * Tracing: what processes do, told to a function as it happens. As `erlang:trace/3`, but with any number of tracers side by side.
 *
 * A process that nobody traces has no `traces`: that is all that it costs to be traceable.
 *
 * Invariants: a listener is called synchronously, in the order in which things happen; what it does itself is not traced; one that throws is ended and
 * logged, and harms nobody.
 */
import type { Pid } from '../ids.ts'
import type { Clock, Logger } from '../ports.ts'
import type { Destination } from '../node/router.ts'
import type { Process } from '../process/process.ts'
import { reasonOfThrown, type ExitReason } from '../reasons.ts'

/** Which events are told. */
export interface TraceOptions {
  /** Messages that the process sends. @default false */
  readonly send?: boolean | undefined
  /** Messages that are put into its mailbox, those of the runtime included. @default false */
  readonly receive?: boolean | undefined
  /** Processes that it spawns. @default false */
  readonly spawn?: boolean | undefined
  /** Its end. @default false */
  readonly exit?: boolean | undefined
  /** Links that it makes or ends. @default false */
  readonly link?: boolean | undefined
  /** Names that it is given or loses. @default false */
  readonly register?: boolean | undefined
  /** Processes that it spawns are traced too, and so on: `set_on_spawn`. @default false */
  readonly inherit?: boolean | undefined
}

/** `atMs` is the time of the node's monotonic clock in milliseconds. */
export type TraceEvent = { readonly pid: Pid; readonly atMs: number } & TraceDetail

export type TraceDetail =
  | { readonly type: 'send'; readonly to: Destination; readonly message: unknown }
  | { readonly type: 'receive'; readonly message: unknown }
  | { readonly type: 'spawn'; readonly child: Pid }
  | { readonly type: 'exit'; readonly reason: ExitReason }
  | { readonly type: 'link'; readonly to: Pid }
  | { readonly type: 'unlink'; readonly to: Pid }
  | { readonly type: 'register'; readonly name: string }
  | { readonly type: 'unregister'; readonly name: string }

export type TraceListener = (event: TraceEvent) => void

export const TRACE_OPTIONS: readonly (keyof TraceOptions)[] = [
  'send',
  'receive',
  'spawn',
  'exit',
  'link',
  'register',
  'inherit',
]

/** One call of `trace`. */
export interface Trace {
  readonly options: TraceOptions
  readonly listener: TraceListener
  readonly processes: Set<Process>
  hasFailed: boolean
}

export class Tracing {
  private readonly clock: Clock
  private readonly log: Logger
  /** The traces of all processes: new ones get them too. */
  private readonly ofAll = new Set<Trace>()
  private isTelling = false

  constructor(clock: Clock, log: Logger) {
    this.clock = clock
    this.log = log
  }

  /** Traces the processes, and those to come if `andNew`. @returns what ends the trace. */
  start(
    processes: Iterable<Process>,
    andNew: boolean,
    { options, listener }: Pick<Trace, 'options' | 'listener'>,
  ): () => void {
    const trace: Trace = { options, listener, processes: new Set(), hasFailed: false }
    if (andNew) this.ofAll.add(trace)
    for (const process of processes) join(process, trace)
    return () => this.end(trace)
  }

  /** A process has been made. */
  adopt(child: Process, parent: Process | undefined): void {
    for (const trace of this.ofAll) join(child, trace)
    if (parent?.traces === undefined) return
    for (const trace of parent.traces) if (trace.options.inherit === true) join(child, trace)
  }

  /** A traced process does something. */
  tell(process: Process, detail: TraceDetail): void {
    if (process.traces === undefined || this.isTelling) return
    const event: TraceEvent = { pid: process.pid, atMs: this.clock.monotonicMs(), ...detail }
    this.isTelling = true
    try {
      for (const trace of [...process.traces])
        if (isWanted(trace.options, detail.type) && trace.processes.has(process)) this.call(trace, event)
    } finally {
      this.isTelling = false
    }
  }

  /** The process has ended. */
  release(process: Process): void {
    const { traces } = process
    process.traces = undefined
    if (traces !== undefined) for (const trace of traces) trace.processes.delete(process)
  }

  private call(trace: Trace, event: TraceEvent): void {
    try {
      const outcome: unknown = trace.listener(event)
      if (outcome instanceof Promise) outcome.catch((thrown: unknown) => this.fail(trace, thrown))
    } catch (thrown) {
      this.fail(trace, thrown)
    }
  }

  private fail(trace: Trace, thrown: unknown): void {
    // A listener that is async is told of much before the first of its promises has failed.
    if (trace.hasFailed) return
    trace.hasFailed = true
    this.end(trace)
    this.log.error({ reason: reasonOfThrown(thrown) }, 'a trace has been ended: its listener threw')
  }

  private end(trace: Trace): void {
    this.ofAll.delete(trace)
    for (const process of trace.processes) {
      process.traces?.delete(trace)
      if (process.traces?.size === 0) process.traces = undefined
    }
    trace.processes.clear()
  }
}

function join(process: Process, trace: Trace): void {
  ;(process.traces ??= new Set()).add(trace)
  trace.processes.add(process)
}

function isWanted(options: TraceOptions, type: TraceDetail['type']): boolean {
  switch (type) {
    case 'unlink':
      return options.link === true
    case 'unregister':
      return options.register === true
    case 'send':
    case 'receive':
    case 'spawn':
    case 'exit':
    case 'link':
    case 'register':
      return options[type] === true
  }
}
