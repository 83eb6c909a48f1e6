/**
 * One node without its distribution: the process table and all that works on it, put together. Holds no rule of its own.
 */
import { PidmeshError, shown } from '../errors.ts'
import { Ref, type NodeIdentity, type Pid } from '../ids.ts'
import { Names } from '../names.ts'
import { Counters, type NodeCounters } from '../observe/counters.ts'
import {
  PROCESS_INFO_OPTIONS,
  processInfo,
  type ProcessInfo,
  type ProcessInfoOptions,
} from '../observe/process-info.ts'
import { Reports } from '../observe/reports.ts'
import { Telemetry } from '../observe/telemetry.ts'
import { TRACE_OPTIONS, Tracing, type TraceListener, type TraceOptions } from '../observe/tracing.ts'
import { IdTable, KEPT_PLACES_OF_MANY } from '../id-table.ts'
import type { Clock, LogFields, Logger, Propagation, PumpFactory } from '../ports.ts'
import { AttachedTables } from './attached-tables.ts'
import { Aliases } from '../process/aliases.ts'
import { HandlerBody, SPAWN_OPTIONS, type ProcessBody, type SpawnOptions } from '../process/body.ts'
import {
  checkFlagOption,
  checkFunction,
  checkLabelOption,
  checkMailboxOptions,
  checkOptions,
  checkPid,
  isA,
} from '../process/checks.ts'
import { Context } from '../process/context.ts'
import { Process, RUNNING, SUSPENDED, type MailboxOptions } from '../process/process.ts'
import { Propagator } from '../process/propagator.ts'
import { ProcessTimers } from '../process/process-timers.ts'
import { isPromiseLike, Scheduler } from '../process/scheduler.ts'
import { exitOfThrown, type ExitReason } from '../reasons.ts'
import { Exits } from '../signals/exits.ts'
import { Links } from '../signals/links.ts'
import { Monitors } from '../signals/monitors.ts'
import { Timers } from '../timers.ts'
import { Endings } from './endings.ts'
import { Exports } from './exports.ts'
import { NodeMonitors } from './node-monitors.ts'
import { Inbound } from './inbound.ts'
import { Router, type Connections, type Messages } from './router.ts'

export interface KernelOptions {
  readonly identity: NodeIdentity
  readonly clock: Clock
  readonly log: Logger
  readonly pump: PumpFactory
  readonly messages: Messages
  readonly connections: Connections
  readonly turnBudgetMs: number
  readonly longScheduleMs: number
  readonly mailbox: MailboxOptions
  readonly propagation: Propagation | undefined
  readonly afterTurn: () => void
}

export class Kernel {
  readonly identity: NodeIdentity
  readonly clock: Clock
  readonly log: Logger
  readonly scheduler: Scheduler
  /** `undefined`: no context travels with messages. */
  readonly propagator: Propagator | undefined
  readonly processes: IdTable<Process> = new IdTable(KEPT_PLACES_OF_MANY)
  readonly names: Names = new Names()
  readonly aliases: Aliases = new Aliases()
  readonly counters: Counters = new Counters()
  readonly reports: Reports
  readonly tracing: Tracing
  readonly telemetry: Telemetry
  readonly timers: Timers
  readonly processTimers: ProcessTimers
  readonly monitors: Monitors
  readonly links: Links
  readonly exits: Exits
  readonly nodeMonitors: NodeMonitors
  readonly router: Router
  readonly inbound: Inbound
  readonly exports: Exports = new Exports(this)
  readonly tables: AttachedTables
  /** Trees of processes, which a stop of the node stops before all else. */
  readonly roots: Endings
  private readonly mailbox: MailboxOptions
  /** What libraries hold for this node, by its class. */
  private readonly held = new Map<unknown, unknown>()
  private main: Context | undefined = undefined
  private lastId = 0
  private stopped = false

  constructor(options: KernelOptions) {
    const { identity, clock, log, mailbox } = options
    this.identity = identity
    this.clock = clock
    this.log = log
    this.mailbox = mailbox
    this.tables = new AttachedTables(log)
    this.roots = new Endings({ clock, log, order: 'last_first', what: 'trees of processes are stopped' })
    this.reports = new Reports(log, clock, this.counters)
    this.tracing = new Tracing(clock, log)
    this.telemetry = new Telemetry(log, clock)
    const { propagation, messages } = options
    this.propagator = propagation === undefined ? undefined : new Propagator({ propagation, messages, log, clock })
    this.scheduler = new Scheduler({
      systemName: `${identity.name}/${identity.incarnation}`,
      clock,
      pump: options.pump,
      counters: this.counters,
      propagator: this.propagator,
      turnBudgetMs: options.turnBudgetMs,
      longScheduleMs: options.longScheduleMs,
      mailbox,
      onStart: (process, body) => this.begin(process, body),
      onThrown: (process, thrown) => this.crash(process, thrown),
      onLongSchedule: (report) => this.reports.longSchedule(report),
      onLargeMailbox: (process, messages, policy) => this.largeMailbox(process, messages, policy),
      onReceive: (process, message) => this.tracing.tell(process, { type: 'receive', message }),
      afterTurn: options.afterTurn,
    })
    const deliver = (process: Process, message: unknown): void => this.scheduler.deliver(process, message, true)
    this.timers = new Timers(clock)
    this.processTimers = new ProcessTimers(this.timers)
    this.monitors = new Monitors(deliver, this.aliases)
    this.nodeMonitors = new NodeMonitors(deliver)
    this.exits = new Exits({
      deliver,
      monitors: this.monitors,
      release: (process, reason) => this.release(process, reason),
    })
    this.links = new Links((to, from, reason) => this.exits.linkSignal(to, from, reason))
    this.exits.useLinks(this.links)
    this.router = new Router(this, options.connections, messages)
    this.inbound = new Inbound(this, messages)
  }

  get isStopped(): boolean {
    return this.stopped
  }

  nextId(): number {
    return ++this.lastId
  }

  nextRef(): Ref {
    return new Ref(this.identity, this.nextId())
  }

  /** Makes a process; its code runs in a later turn. `prepare` sets up its relations before anything can happen to it. */
  spawn(
    body: ProcessBody,
    options: SpawnOptions | undefined,
    parent?: Process,
    prepare?: (process: Process) => void,
  ): Process {
    const process = this.make(body, options, parent, prepare)
    // Who was told of it may have killed it.
    if (process.isAlive) this.scheduler.enqueue(process)
    return process
  }

  /** As `spawn`, but its code doesn't run before it is put into the run queue. */
  make(
    body: ProcessBody,
    options: SpawnOptions | undefined,
    parent?: Process,
    prepare?: (process: Process) => void,
  ): Process {
    if (typeof body !== 'function' && !isA(body, HandlerBody)) {
      throw new PidmeshError('ERR_BAD_ARGUMENT', `a process runs a function or a handler, not ${shown(body)}`)
    }
    if (this.stopped) throw new PidmeshError('ERR_NODE_STOPPED', `node ${this.identity.name} has been stopped`)
    const process = new Process(this.identity, this.nextId())
    if (options !== undefined) this.applyOptions(process, options)
    this.processes.set(process.pid.id, process)
    this.counters.processesSpawned++
    process.body = this.propagator === undefined ? body : this.propagator.within(body)
    process.takesHandler = body instanceof HandlerBody
    prepare?.(process)
    this.tellOfSpawn(process, parent)
    return process
  }

  /** The process that code outside of processes acts as. No signal ends it. */
  spawnMain(body: HandlerBody): Context {
    const process = this.spawn(body, { label: 'main', trapExit: true })
    process.isMain = true
    return (this.main = new Context(this, process))
  }

  /** See `Context.perNode`. */
  perNode<T extends object>(kind: new (main: Context) => T): T {
    const known = this.held.get(kind)
    if (isA(known, kind)) return known
    if (this.main === undefined) throw new PidmeshError('ERR_NODE_STOPPED', 'the node has no main process')
    const made = new kind(this.main)
    this.held.set(kind, made)
    return made
  }

  /** Ends all processes of the node, quietly. */
  stop(): void {
    this.stopped = true
    for (const process of this.processes.values()) this.exits.end(process, 'shutdown')
    this.timers.stop()
    this.scheduler.stop()
  }

  pids(): Pid[] {
    return this.processes.values().map((process) => process.pid)
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT` for a process of another node, `ERR_BAD_OPTION` */
  processInfo(pid: Pid, options: ProcessInfoOptions = {}): ProcessInfo | undefined {
    const { messages = 0 } = checkOptions('processInfo', options, PROCESS_INFO_OPTIONS)
    if (typeof messages !== 'number' || !(messages >= 0))
      throw new PidmeshError('ERR_BAD_OPTION', `messages must be a number, 0 or more, not ${shown(messages)}`)
    const process = this.router.processHere(pid)
    return process === undefined ? undefined : processInfo(process, messages)
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION` */
  trace(who: Pid | 'all', options: TraceOptions, listener: TraceListener): () => void {
    const wanted = checkOptions('trace', options, TRACE_OPTIONS)
    for (const name of TRACE_OPTIONS) checkFlagOption(name, wanted[name])
    checkFunction('the listener', listener)
    if (who === 'all') return this.tracing.start(this.processes.values(), true, { options: wanted, listener })
    const process = this.router.processHere(checkPid(who))
    if (process === undefined) throw new PidmeshError('ERR_BAD_ARGUMENT', `${who} has exited`)
    return this.tracing.start([process], false, { options: wanted, listener })
  }

  snapshot(connections: Pick<NodeCounters, 'nodes' | 'bufferedBytes' | 'waitingSignals'>): NodeCounters {
    return {
      ...this.counters.totals(),
      processes: this.processes.size,
      runQueueLength: this.scheduler.runQueueLength,
      timers: this.timers.size,
      aliases: this.aliases.size,
      registeredNames: this.names.size,
      ...connections,
    }
  }

  private tellOfSpawn(process: Process, parent: Process | undefined): void {
    const { tracing } = this
    tracing.adopt(process, parent)
    const { registeredName } = process
    if (registeredName !== undefined) tracing.tell(process, { type: 'register', name: registeredName })
    if (parent !== undefined) tracing.tell(parent, { type: 'spawn', child: process.pid })
  }

  private applyOptions(process: Process, options: SpawnOptions): void {
    const { name, label, trapExit, mailbox } = checkOptions('spawn', options, SPAWN_OPTIONS)
    process.label = checkLabelOption(label)
    process.trapExit = checkFlagOption('trapExit', trapExit)
    if (mailbox !== undefined) process.mailboxOptions = checkMailboxOptions(mailbox, this.mailbox)
    // Last: a process that is refused must not leave its name behind.
    if (name !== undefined) this.names.register(name, process)
  }

  private begin(process: Process, body: ProcessBody): void {
    const context = new Context(this, process)
    if (body instanceof HandlerBody) this.startHandler(process, body, context)
    else this.startFunction(process, body(context))
  }

  private startFunction(process: Process, outcome: unknown): void {
    if (isPromiseLike(outcome))
      this.scheduler.awaitOutcome(process, outcome, (value) => this.endFunction(process, value))
    else this.endFunction(process, outcome)
  }

  private endFunction(process: Process, returned: unknown): void {
    if (typeof returned === 'function' && process.isAlive) this.reports.functionReturned(process)
    this.exits.end(process, 'normal')
  }

  private startHandler(process: Process, body: HandlerBody, context: Context): void {
    const outcome = body.init(context)
    if (isPromiseLike(outcome)) {
      if (process.state === RUNNING) process.state = SUSPENDED
      this.scheduler.awaitOutcome(process, outcome, (handler) => {
        if (typeof handler !== 'function') {
          this.crash(process, noHandler(handler))
          return
        }
        process.handler = handler
        this.scheduler.settle(process)
      })
    } else if (process.isAlive) {
      if (typeof outcome !== 'function') throw noHandler(outcome)
      process.handler = outcome
    }
  }

  private crash(process: Process, thrown: unknown): void {
    const { reason, isCrash } = exitOfThrown(thrown)
    this.endReported(process, reason, isCrash ? {} : undefined)
  }

  /** Ends a process; with `report`, what its crash report says besides. */
  endReported(process: Process, reason: ExitReason, report: LogFields | undefined): void {
    try {
      if (report !== undefined) this.reports.crash(process, reason, report)
    } finally {
      this.exits.end(process, reason)
    }
  }

  private largeMailbox(process: Process, messages: number, { limit, policy }: MailboxOptions): void {
    this.reports.largeMailbox(process, messages, policy)
    // Nothing ends the main process; what it gets it drops.
    if (policy === 'kill' && !process.isMain) this.exits.end(process, { mailbox_limit: limit })
  }

  private release(process: Process, reason: ExitReason): void {
    this.counters.processesExited++
    this.processes.delete(process.pid.id)
    const { registeredName } = process
    this.names.release(process)
    this.processTimers.release(process)
    this.aliases.release(process)
    this.nodeMonitors.release(process)
    this.tables.processEnded(process)
    if (process.traces === undefined) return
    this.tracing.tell(process, { type: 'exit', reason })
    if (registeredName !== undefined) this.tracing.tell(process, { type: 'unregister', name: registeredName })
    this.tracing.release(process)
  }
}

function noHandler(given: unknown): PidmeshError {
  return new PidmeshError(
    'ERR_BAD_ARGUMENT',
    `a handler process begins with a function that gives its handler, not ${shown(given)}`,
  )
}
