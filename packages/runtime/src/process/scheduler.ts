/**
 * The run queue of one node: which process runs next, and for how long.
 *
 *   deliver(process, message) ─▶ mailbox ─▶ run queue ─▶ turn() ─▶ handler(message) | receive resolves
 *                                                │
 *                                    pump.wake() └─ the pump (nact in production, the driver in a simulation) calls turn()
 *
 * A turn runs until the queue is empty or its budget of milliseconds is used up, and a process keeps the turn for at most `quantum` messages
 * while others wait: one full mailbox delays nobody by more than a turn.
 *
 * Invariants: a process is in the queue at most once (state QUEUED); user code is called only from here and never re-entered; nothing that
 * user code throws or rejects with leaves this file.
 *
 * Not here: what an exit does (signals/exits), what a context may do (process/context).
 */
import type { Clock, Pump, PumpFactory } from '../ports.ts'
import { Mailbox } from './mailbox.ts'
import { EXITED, IDLE, QUEUED, RUNNING, SUSPENDED, type MessageHandler, type Process } from './process.ts'

export interface SchedulerOptions {
  readonly systemName: string
  readonly clock: Clock
  readonly pump: PumpFactory
  /** Milliseconds that one turn may take before sockets and timers get theirs. */
  readonly turnBudgetMs: number
  /** The process's code threw or rejected. */
  readonly onThrown: (process: Process, thrown: unknown) => void
  /** Called after every turn: flushes what was sent to other nodes. */
  readonly afterTurn: () => void
}

/** Messages that one process may take while others wait. */
const QUANTUM = 1_000
/** Messages between two looks at the clock. */
const CLOCK_STRIDE = 32

export class Scheduler {
  private readonly options: SchedulerOptions
  private readonly pump: Pump
  private readonly runQueue = new Mailbox<Process>()
  private untilClock = CLOCK_STRIDE
  private turnEndsAt = 0
  private outOfTime = false

  constructor(options: SchedulerOptions) {
    this.options = options
    this.pump = options.pump(options.systemName, () => this.turn())
  }

  /** Puts a message into the mailbox of a living process. */
  deliver(process: Process, message: unknown): void {
    if (process.state === EXITED) return
    const mailbox = (process.mailbox ??= new Mailbox())
    mailbox.push(message)
    if (process.state === IDLE && hasWork(process)) this.enqueue(process)
  }

  enqueue(process: Process): void {
    process.state = QUEUED
    this.runQueue.push(process)
    this.pump.wake()
  }

  /** Makes a turn come, though no process may be runnable: something waits to be flushed. */
  wake(): void {
    this.pump.wake()
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
    // A thenable that isn't a promise may call back twice, or throw: a promise around it doesn't.
    Promise.resolve(promise).then(
      (value) => {
        if (process.state !== EXITED) settled(value)
      },
      (thrown: unknown) => {
        if (process.state !== EXITED) this.options.onThrown(process, thrown)
      },
    )
  }

  private turn(): boolean {
    this.turnEndsAt = this.options.clock.monotonicMs() + this.options.turnBudgetMs
    this.outOfTime = false
    for (;;) {
      const process = this.runQueue.shift()
      if (process === undefined) break
      // It may have been killed while it waited.
      if (process.state === QUEUED) this.run(process)
      if (this.outOfTime) break
    }
    this.options.afterTurn()
    return this.runQueue.length > 0
  }

  private run(process: Process): void {
    process.state = RUNNING
    try {
      if (process.start !== undefined) {
        const start = process.start
        process.start = undefined
        start()
      } else if (process.handler !== undefined) {
        this.runHandler(process, process.handler)
      } else if (process.receiver !== undefined) {
        matchReceive(process)
      }
    } catch (thrown) {
      if (process.isAlive) this.options.onThrown(process, thrown)
    }
    if (process.state === RUNNING) this.settle(process)
    this.tick()
  }

  private runHandler(process: Process, handler: MessageHandler): void {
    const mailbox = process.mailbox
    if (mailbox === undefined) return
    for (let left = QUANTUM; left > 0 && mailbox.length > 0; left--) {
      const outcome = handler(mailbox.shift())
      if (isPromiseLike(outcome)) {
        if (process.state === RUNNING) process.state = SUSPENDED
        this.awaitOutcome(process, outcome, () => this.settle(process))
        return
      }
      // The handler may have ended its own process.
      if (process.state !== RUNNING) return
      this.tick()
      if (this.outOfTime) return
    }
  }

  /** Its code is done for now: is there more for it to do? */
  settle(process: Process): void {
    process.state = IDLE
    if (hasWork(process)) this.enqueue(process)
  }

  private tick(): void {
    if (--this.untilClock > 0) return
    this.untilClock = CLOCK_STRIDE
    if (this.options.clock.monotonicMs() >= this.turnEndsAt) this.outOfTime = true
  }
}

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function hasWork(process: Process): boolean {
  const queued = process.mailbox?.length ?? 0
  if (process.handler !== undefined) return queued > 0
  return process.receiver !== undefined && queued > process.receiver.scanned
}

/** Gives a plain process the oldest message that its pending receive matches, if there is one. */
export function matchReceive(process: Process): void {
  const { receiver, mailbox } = process
  if (receiver === undefined || mailbox === undefined) return
  for (let index = receiver.scanned; index < mailbox.length; index++) {
    const message = mailbox.at(index)
    if (receiver.matches === undefined || receiver.matches(message)) {
      mailbox.removeAt(index)
      process.receiver = undefined
      receiver.resolve(message)
      return
    }
  }
  receiver.scanned = mailbox.length
}
