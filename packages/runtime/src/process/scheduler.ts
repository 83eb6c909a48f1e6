/**
 * The run queue of one node: which process runs next, and for how long.
 *
 *   deliver(process, message) ─▶ mailbox ─▶ run queue ─▶ turn() ─▶ handler(message) | receive resolves
 *                                                │
 *                                    pump.wake() └─ the pump (nact in production, the driver in a simulation) calls turn()
 *
 * A turn runs until the queue is empty or its time is used up, and a process keeps the turn for at most `QUANTUM` messages while others wait: one full
 * mailbox delays nobody by more than a turn.
 *
 * Invariants: a process is in the queue at most once (state QUEUED); handlers are called only from here and never re-entered; nothing that user code
 * throws or rejects with leaves this file.
 *
 * Not here: what an exit does (signals/exits), what a context may do (process/context).
 */
import type { Counters } from '../observe/counters.ts'
import type { Carrier, Pump, PumpFactory } from '../ports.ts'
import type { ProcessBody } from './body.ts'
import { LongScheduleWatch, type LongScheduleOptions } from './long-schedule.ts'
import { Mailbox } from './mailbox.ts'
import {
  EXITED,
  IDLE,
  QUEUED,
  RUNNING,
  SUSPENDED,
  type MailboxOptions,
  type MessageHandler,
  type Process,
} from './process.ts'
import type { Propagator } from './propagator.ts'
import { matchReceive, NO_MATCH } from './receive.ts'

export interface SchedulerOptions extends LongScheduleOptions {
  readonly systemName: string
  readonly pump: PumpFactory
  readonly counters: Counters
  /** `undefined`: no context travels with messages. */
  readonly propagator: Propagator | undefined
  /** Milliseconds that turns may take before sockets and timers get theirs. */
  readonly turnBudgetMs: number
  /** Of processes that have none of their own. */
  readonly mailbox: MailboxOptions
  /** The first turn of a process: runs its body. */
  readonly onStart: (process: Process, body: ProcessBody) => void
  /** The process's code threw or rejected. */
  readonly onThrown: (process: Process, thrown: unknown) => void
  /** A mailbox is at its limit: reports that, and ends the process if its policy says so. */
  readonly onLargeMailbox: (process: Process, messages: number, options: MailboxOptions) => void
  /** A traced process is given a message. */
  readonly onReceive: (process: Process, message: unknown) => void
  /** Called after every turn: flushes what was sent to other nodes. */
  readonly afterTurn: () => void
}

/** Messages that one process may take while others wait. */
const QUANTUM = 1_000
/** Stand in for a message: a process starts; a plain process's predicate looks at its mailbox. */
const START = { type: 'its start' }
const LOOK = { type: 'a receive' }

export class Scheduler {
  private readonly options: SchedulerOptions
  private readonly counters: Counters
  private readonly pump: Pump
  private readonly propagator: Propagator | undefined
  private readonly runQueue = new Mailbox<Process>()
  private inTurn = false
  private turnEndsAtMs = 0
  private outOfTime = false
  private readonly watch: LongScheduleWatch

  constructor(options: SchedulerOptions) {
    this.options = options
    this.counters = options.counters
    this.watch = new LongScheduleWatch(options)
    const { propagator } = options
    this.propagator = propagator
    this.pump = options.pump({
      systemName: options.systemName,
      clock: options.clock,
      budgetMs: options.turnBudgetMs,
      turn:
        propagator === undefined
          ? (nowMs, endsAtMs) => this.turn(nowMs, endsAtMs)
          : // Not in the context of whoever has woken it.
            (nowMs, endsAtMs) => propagator.run(undefined, () => this.turn(nowMs, endsAtMs)),
    })
  }

  get runQueueLength(): number {
    return this.runQueue.length
  }

  /**
   * Puts a message into the mailbox of a living process, if that takes any more. What the runtime itself tells a process, or it itself, is never dropped (`isSystem`).
   * `carrier` is the context in which it is to be handled.
   */
  deliver(process: Process, message: unknown, isSystem: boolean = false, carrier?: Carrier): void {
    if (process.state === EXITED) return
    const mailbox = process.mailbox ?? this.openMailbox(process)
    if (mailbox.length >= mailbox.limit && !this.isRoomFor(process, mailbox, isSystem)) return
    mailbox.push(message, carrier)
    this.counters.messagesDelivered++
    if (process.traces !== undefined) this.options.onReceive(process, message)
    this.ready(process)
  }

  enqueue(process: Process): void {
    process.state = QUEUED
    this.runQueue.push(process)
    // A turn that is under way goes on until the queue is empty.
    if (!this.inTurn) this.pump.wake()
  }

  /** Puts the process into the queue if it has something to do. */
  ready(process: Process): void {
    if (process.state === IDLE && hasWork(process)) this.enqueue(process)
  }

  /** Makes a turn come, though no process may be runnable: something waits to be flushed. */
  wake(): void {
    if (!this.inTurn) this.pump.wake()
  }

  stop(): void {
    this.pump.stop()
    this.runQueue.clear()
  }

  /**
   * Waits for a promise that the process's code returned. A rejection ends the process, `settled` is told of the rest; of a process that has
   * ended meanwhile nobody is told anything, but its rejection counts as handled.
   */
  awaitOutcome<T>(process: Process, promise: PromiseLike<T>, settled: (value: T) => void): void {
    // What isn't just a promise may call back twice, or throw: a promise around it doesn't.
    const outcome = isPlainPromise(promise) ? promise : new Promise<T>((resolve) => resolve(promise))
    outcome.then(
      (value) => {
        if (process.state !== EXITED) settled(value)
      },
      (thrown: unknown) => {
        if (process.state !== EXITED) this.options.onThrown(process, thrown)
      },
    )
  }

  /** Its code is done for now: is there more for it to do? */
  settle(process: Process): void {
    process.state = IDLE
    const { mailbox } = process
    if (mailbox?.isOver === true) this.catchUp(process, mailbox)
    this.ready(process)
  }

  /** The mailbox has been at its limit: is it well below it again? */
  private catchUp(process: Process, mailbox: Mailbox): void {
    const { limit } = this.mailboxOptionsOf(process)
    if (mailbox.length * 2 > limit) return
    mailbox.isOver = false
    mailbox.limitTo(limit)
  }

  private openMailbox(process: Process): Mailbox {
    const mailbox = new Mailbox()
    if (this.propagator !== undefined) mailbox.keepCarriers()
    mailbox.limitTo(this.mailboxOptionsOf(process).limit)
    process.mailbox = mailbox
    return mailbox
  }

  private mailboxOptionsOf(process: Process): MailboxOptions {
    return process.mailboxOptions ?? this.options.mailbox
  }

  /** The mailbox is at its limit. */
  private isRoomFor(process: Process, mailbox: Mailbox, isSystem: boolean): boolean {
    const options = this.mailboxOptionsOf(process)
    const isReported = options.policy === 'drop' && mailbox.isOver
    mailbox.isOver = true
    if (!isReported) this.options.onLargeMailbox(process, mailbox.length, options)
    switch (options.policy) {
      case 'log':
        mailbox.limitTo(mailbox.length * 2)
        return true
      case 'drop':
        // Until it has caught up, nothing is taken: see `settle`.
        mailbox.limitTo(Math.max(1, Math.floor(options.limit / 2)))
        if (!isSystem) this.counters.messagesDropped++
        return isSystem
      case 'kill':
        return false
    }
  }

  private turn(nowMs: number, endsAtMs: number): boolean {
    this.counters.turns++
    this.inTurn = true
    this.turnEndsAtMs = endsAtMs
    this.outOfTime = nowMs >= endsAtMs
    this.watch.begin(nowMs)
    try {
      this.runQueued()
      this.watch.end()
    } finally {
      // Whatever happens: a node whose turns don't end would never begin another.
      this.inTurn = false
    }
    this.options.afterTurn()
    return this.runQueue.length > 0 || this.watch.hasResumed
  }

  private runQueued(): void {
    let leftOfPass = this.runQueue.length
    while (!this.outOfTime) {
      const process = this.runQueue.shift()
      if (process === undefined) return
      // It may have been killed while it waited.
      if (process.state === QUEUED) this.run(process)
      if (--leftOfPass > 0) continue
      // All have had their share. The code of plain processes runs on in microtasks, which come after the turn.
      if (this.watch.hasResumed) return
      leftOfPass = this.runQueue.length
    }
  }

  private run(process: Process): void {
    process.state = RUNNING
    try {
      if (process.handler !== undefined) {
        this.runHandler(process, process.handler)
      } else if (process.body !== undefined) {
        const { body } = process
        process.body = undefined
        this.note(process, START)
        this.options.onStart(process, body)
      } else if (process.receiver !== undefined) {
        this.note(process, LOOK)
        const message = matchReceive(process)
        if (message !== NO_MATCH) this.watch.noteResumed(process, message)
      }
    } catch (thrown) {
      if (process.isAlive) this.options.onThrown(process, thrown)
    }
    if (process.state === RUNNING) this.settle(process)
    if (this.watch.isLookDue) this.look()
  }

  private runHandler(process: Process, handler: MessageHandler): void {
    const { mailbox } = process
    if (mailbox === undefined) return
    const { propagator } = this
    for (let left = QUANTUM; left > 0 && mailbox.length > 0; left--) {
      const carrier = propagator === undefined ? undefined : mailbox.carriers?.at(0)
      const message = mailbox.shift()
      this.note(process, message)
      const outcome =
        propagator === undefined || carrier === undefined
          ? handler(message)
          : runWithin(propagator, carrier, handler, message)
      if (isPromiseLike(outcome)) {
        if (process.state === RUNNING) process.state = SUSPENDED
        this.awaitOutcome(process, outcome, () => this.settle(process))
        return
      }
      // The handler may have ended its own process.
      if (process.state !== RUNNING) return
      if (!this.watch.isLookDue) continue
      this.look()
      if (this.outOfTime) return
    }
  }

  /** Something is about to run. */
  private note(process: Process, message: unknown): void {
    process.reductions++
    this.watch.note(process, message)
  }

  private look(): void {
    this.outOfTime = this.watch.look() >= this.turnEndsAtMs
  }
}

/** By itself: a closure in the loop would have each message kept in an object of its own, with a context or without. */
function runWithin(propagator: Propagator, carrier: Carrier, handler: MessageHandler, message: unknown): unknown {
  return propagator.run(carrier, () => handler(message))
}

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T>
export function isPromiseLike(value: unknown): value is PromiseLike<unknown>
export function isPromiseLike(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function isPlainPromise<T>(promise: PromiseLike<T>): promise is Promise<T> {
  return (
    Object.getPrototypeOf(promise) === Promise.prototype &&
    !Object.hasOwn(promise, 'then') &&
    !Object.hasOwn(promise, 'constructor')
  )
}

function hasWork(process: Process): boolean {
  const queued = process.mailbox?.length ?? 0
  if (process.handler !== undefined) return queued > 0
  const { receiver } = process
  return receiver !== undefined && (queued > receiver.scanned || receiver.isPoll)
}
