/**
 * One node without its distribution: the process table and all that works on it, put together. Holds no rule of its own.
 */
import { PidmeshError } from '../errors.ts'
import { Ref, type NodeIdentity } from '../ids.ts'
import { Names } from '../names.ts'
import type { Clock, Logger, PumpFactory } from '../ports.ts'
import { Aliases } from '../process/aliases.ts'
import { HandlerBody, type ProcessBody, type SpawnOptions } from '../process/body.ts'
import { Context } from '../process/context.ts'
import { Process, RUNNING, SUSPENDED } from '../process/process.ts'
import { isPromiseLike, Scheduler } from '../process/scheduler.ts'
import { exitOfThrown, formatReason, isErrorReason, type ExitReason } from '../reasons.ts'
import { Exits } from '../signals/exits.ts'
import { Links } from '../signals/links.ts'
import { Monitors } from '../signals/monitors.ts'
import { Timers } from '../timers.ts'
import { NodeMonitors } from './node-monitors.ts'
import { Router, type Connections, type Terms } from './router.ts'

export interface KernelOptions {
  readonly identity: NodeIdentity
  readonly clock: Clock
  readonly log: Logger
  readonly pump: PumpFactory
  readonly terms: Terms
  readonly connections: Connections
  readonly turnBudgetMs: number
  readonly afterTurn: () => void
}

export class Kernel {
  readonly identity: NodeIdentity
  readonly clock: Clock
  readonly log: Logger
  readonly scheduler: Scheduler
  readonly processes: Map<number, Process> = new Map()
  readonly names: Names = new Names()
  readonly aliases: Aliases = new Aliases()
  readonly timers: Timers
  readonly monitors: Monitors
  readonly links: Links
  readonly exits: Exits
  readonly nodeMonitors: NodeMonitors
  readonly router: Router
  private lastId = 0
  private stopped = false

  constructor(options: KernelOptions) {
    const { identity, clock, log } = options
    this.identity = identity
    this.clock = clock
    this.log = log
    this.scheduler = new Scheduler({
      systemName: `${identity.name}/${identity.incarnation}`,
      clock,
      pump: options.pump,
      turnBudgetMs: options.turnBudgetMs,
      onThrown: (process, thrown) => this.crash(process, thrown),
      afterTurn: options.afterTurn,
    })
    const deliver = (process: Process, message: unknown): void => this.scheduler.deliver(process, message)
    this.timers = new Timers(clock)
    this.monitors = new Monitors(deliver)
    this.nodeMonitors = new NodeMonitors(deliver)
    this.exits = new Exits({ deliver, monitors: this.monitors, release: (process) => this.release(process) })
    this.links = new Links((to, from, reason) => this.exits.linkSignal(to, from, reason))
    this.exits.useLinks(this.links)
    this.router = new Router(this, options.connections, options.terms)
  }

  nextId(): number {
    return ++this.lastId
  }

  nextRef(): Ref {
    return new Ref(this.identity, this.nextId())
  }

  /** Makes a process; its code runs in a later turn. `prepare` sets up its relations before anything can happen to it. */
  spawn(body: ProcessBody, options: SpawnOptions | undefined, prepare?: (process: Process) => void): Process {
    if (typeof body !== 'function' && !(body instanceof HandlerBody)) {
      throw new PidmeshError('ERR_BAD_ARGUMENT', `a process runs a function or a handler, not ${String(body)}`)
    }
    if (this.stopped) throw new PidmeshError('ERR_NODE_STOPPED', `node ${this.identity.name} has been stopped`)
    const process = new Process(this.identity, this.nextId())
    if (options !== undefined) {
      if (options.name !== undefined) this.names.register(options.name, process)
      process.label = options.label
      process.trapExit = options.trapExit ?? false
    }
    this.processes.set(process.pid.id, process)
    prepare?.(process)
    const context = new Context(this, process)
    process.start = () => {
      if (body instanceof HandlerBody) this.startHandler(process, body, context)
      else this.startFunction(process, body(context))
    }
    this.scheduler.enqueue(process)
    return process
  }

  /** The process that code outside of processes acts as. No signal ends it. */
  spawnMain(body: HandlerBody): Context {
    const process = this.spawn(body, { label: 'main', trapExit: true })
    process.isMain = true
    return new Context(this, process)
  }

  /** Ends all processes of the node, quietly. */
  stop(): void {
    this.stopped = true
    for (const process of [...this.processes.values()]) this.exits.end(process, 'shutdown')
    this.timers.stop()
    this.scheduler.stop()
  }

  private startFunction(process: Process, outcome: void | Promise<void>): void {
    if (isPromiseLike(outcome)) this.scheduler.awaitOutcome(process, outcome, () => this.exits.end(process, 'normal'))
    else this.exits.end(process, 'normal')
  }

  private startHandler(process: Process, body: HandlerBody, context: Context): void {
    const outcome = body.init(context)
    if (isPromiseLike(outcome)) {
      if (process.state === RUNNING) process.state = SUSPENDED
      this.scheduler.awaitOutcome(process, outcome, (handler) => {
        process.handler = handler
        this.scheduler.settle(process)
      })
    } else if (process.isAlive) {
      process.handler = outcome
    }
  }

  private crash(process: Process, thrown: unknown): void {
    const { reason, isCrash } = exitOfThrown(thrown)
    if (isCrash) this.reportCrash(process, reason)
    this.exits.end(process, reason)
  }

  private reportCrash(process: Process, reason: ExitReason): void {
    this.log.error(
      {
        report: 'crash',
        pid: process.pid.toString(),
        ...(process.registeredName === undefined ? {} : { registeredName: process.registeredName }),
        ...(process.label === undefined ? {} : { label: process.label }),
        reason: isErrorReason(reason) ? reason.error : reason,
      },
      `process ${process.pid} crashed: ${formatReason(reason)}`,
    )
  }

  private release(process: Process): void {
    this.processes.delete(process.pid.id)
    this.names.release(process)
    this.timers.release(process)
    this.nodeMonitors.release(process)
  }
}
