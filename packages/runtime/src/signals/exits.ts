/**
 * The end of a process, and exit signals.
 *
 *   end(process, reason)
 *     1. it is dead: leaves the process table, its name, its timers, its pending requests, the monitors it made
 *     2. the linked are signalled            (each may end in turn)
 *     3. the watchers get their `DOWN`
 *
 * Invariants: a process ends exactly once; everything it held is released before anyone is told. The ends that follow from an end are queued,
 * not nested, so that a chain of any number of linked processes can't overflow the stack.
 */
import { itemsOf } from '../few.ts'
import type { Pid } from '../ids.ts'
import type { ExitMessage } from '../messages.ts'
import { Mailbox } from '../process/mailbox.ts'
import { EXITED, exitedError, type Process } from '../process/process.ts'
import type { ExitReason } from '../reasons.ts'
import type { Links } from './links.ts'
import type { Deliver, Monitors } from './monitors.ts'

export interface ExitsOptions {
  readonly deliver: Deliver
  readonly monitors: Monitors
  /** Releases what other tables hold for the process, which has ended with `reason`. */
  readonly release: (process: Process, reason: ExitReason) => void
}

export class Exits {
  private readonly options: ExitsOptions
  private links: Links | undefined = undefined
  private readonly ended = new Mailbox<{ readonly process: Process; readonly reason: ExitReason }>()
  private notifying = false

  constructor(options: ExitsOptions) {
    this.options = options
  }

  /** Links and exits need each other; the links are given later. */
  useLinks(links: Links): void {
    this.links = links
  }

  /** Ends the process. No effect on one that has ended. */
  end(process: Process, reason: ExitReason): void {
    if (process.state === EXITED) return
    this.links?.beginEnd(process)
    this.release(process, reason)
    this.ended.push({ process, reason })
    if (this.notifying) return
    this.notifying = true
    try {
      for (let next = this.ended.shift(); next !== undefined; next = this.ended.shift()) {
        this.links?.notifyLinked(next.process, next.reason)
        this.options.monitors.notifyWatchers(next.process, next.reason)
      }
    } finally {
      this.notifying = false
    }
  }

  /** `exit(pid, reason)` has reached the process. Whether it traps is judged here, at the receiver, now. */
  signal(to: Process, from: Pid, reason: ExitReason): void {
    if (reason === 'kill' && !to.isMain) {
      this.end(to, 'killed')
    } else if (to.trapExit || to.isMain) {
      this.deliverExit(to, from, reason)
    } else if (reason !== 'normal' || from === to.pid) {
      this.end(to, reason)
    }
  }

  /** The exit signal of a link has reached the process. Unlike `exit(pid, 'kill')`, a `kill` from a link can be trapped. */
  linkSignal(to: Process, from: Pid, reason: ExitReason): void {
    if (to.trapExit || to.isMain) {
      this.deliverExit(to, from, reason)
    } else if (reason !== 'normal') {
      this.end(to, reason)
    }
  }

  private deliverExit(to: Process, from: Pid, reason: ExitReason): void {
    const message: ExitMessage = { type: 'EXIT', from, reason }
    this.options.deliver(to, message)
  }

  private release(process: Process, reason: ExitReason): void {
    process.state = EXITED
    process.pid.letGo()
    process.body = undefined
    process.handler = undefined
    process.mailbox = undefined
    this.options.monitors.releaseMade(process)
    this.options.release(process, reason)
    const { receiver, exitHooks, abort } = process
    process.receiver = undefined
    process.exitHooks = undefined
    if (receiver === undefined && exitHooks === undefined && abort === undefined) return
    // Made only if somebody is to get it: an error costs more than all the rest of an exit.
    const exited = exitedError(process)
    receiver?.reject(exited)
    for (const hook of itemsOf(exitHooks)) hook.onExit(exited)
    // Last: its listeners are user code, and must find nothing of the process.
    abort?.onExit(exited)
  }
}
