/**
 * Selective receive of plain processes: the oldest message that matches, or none within the time.
 *
 *   receive ─▶ PendingReceive ── deliver, turn ─▶ matchReceive ─▶ resolves
 *                            └─ timer ─▶ one more look ─▶ resolves, with `undefined` if there is none
 *                            └─ the process ends ─▶ rejects: ProcessExited
 *
 * A message that is there already is given in a turn too, never at once: a process that works off a long mailbox would run on from microtask to microtask,
 * and keep sockets and timers from theirs.
 *
 * Invariant: of each message in front of `scanned` it is known that the pending receive doesn't match it, so that a message is looked at once.
 */
import { PidmeshError } from '../errors.ts'
import type { Ref } from '../ids.ts'
import { hasType } from '../messages.ts'
import { errorOfThrown } from '../reasons.ts'
import { checkDuration, type Timer, type Timers } from '../timers.ts'
import { checkFunction, checkOptions } from './checks.ts'
import type { Process } from './process.ts'
import type { Scheduler } from './scheduler.ts'

/** How long a `receive` waits. */
export interface ReceiveTimeout {
  /** Gives up after so many milliseconds, with `undefined`. 0 looks at the mailbox only. @default forever */
  readonly timeoutMs?: number | undefined
}

/** Which messages a `receive` takes. */
export interface ReceiveOptions<T> extends ReceiveTimeout {
  /** Called for each message once, the oldest first. One that throws rejects the receive and leaves the messages. @default all messages */
  readonly match?: ((message: unknown) => message is T) | ((message: unknown) => boolean) | undefined
}

const RECEIVE_OPTIONS: readonly (keyof ReceiveOptions<unknown>)[] = ['match', 'timeoutMs']

/** What a `receive` waits for, checked. */
export interface Receive {
  readonly match: ((message: unknown) => boolean) | undefined
  /** Milliseconds, `Infinity`, or 0 to look at the mailbox only. */
  readonly timeoutMs: number
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION` */
export function checkReceive(
  selector: string | ReceiveOptions<unknown> | undefined,
  more: ReceiveTimeout = NO_MORE,
): Receive {
  if (typeof selector === 'string') {
    const { timeoutMs = Infinity } = checkOptions('receive', more, ['timeoutMs'])
    checkDuration('timeoutMs', timeoutMs)
    return { match: (message) => hasType(message, selector), timeoutMs }
  }
  if (more !== NO_MORE) throw new PidmeshError('ERR_BAD_ARGUMENT', 'the options of a receive without a type come first')
  if (selector === undefined) return ANY
  const { match, timeoutMs = Infinity } = checkOptions('receive', selector, RECEIVE_OPTIONS)
  checkDuration('timeoutMs', timeoutMs)
  if (match !== undefined) checkFunction('match', match)
  return { match, timeoutMs }
}

const NO_MORE: ReceiveTimeout = {}
const ANY: Receive = { match: undefined, timeoutMs: Infinity }

/** What `matchReceive` says if there is no message that matches: not `undefined`, which may be a message. */
export const NO_MATCH: unique symbol = Symbol('no match')

/** The process must not be in a receive already. */
export function receive(
  process: Process,
  wanted: Receive,
  { timers, scheduler }: { readonly timers: Timers; readonly scheduler: Scheduler },
): Promise<unknown> {
  const receiver = new PendingReceive(wanted, timers)
  process.receiver = receiver
  scheduler.ready(process)
  const { timeoutMs } = wanted
  if (timeoutMs === 0 || timeoutMs === Infinity) return receiver.promise
  receiver.timer = timers.start(timeoutMs, () => {
    // A message that matches may be in the mailbox already, its turn not yet come: it was in time.
    if (process.receiver === receiver) matchReceive(process)
    if (process.receiver !== receiver) return
    process.receiver = undefined
    receiver.resolve(undefined)
  })
  return receiver.promise
}

export class PendingReceive {
  readonly matches: ((message: unknown) => boolean) | undefined
  /** It waits for its turn only: what isn't there then is not waited for. */
  readonly isPoll: boolean
  readonly promise: Promise<unknown>
  scanned = 0
  /** The message that the predicate looks at, or looked at last, has been taken out of the mailbox by the predicate. */
  wasFlushed = false
  timer: Timer | undefined = undefined
  private readonly timers: Timers
  private settle: ((message: unknown) => void) | undefined = undefined
  private fail: ((error: Error) => void) | undefined = undefined

  constructor({ match, timeoutMs }: Receive, timers: Timers) {
    this.matches = match
    this.isPoll = timeoutMs === 0
    this.timers = timers
    this.promise = new Promise((resolve, reject) => {
      this.settle = resolve
      this.fail = reject
    })
  }

  isWanted(message: unknown): boolean {
    this.wasFlushed = false
    if (this.matches === undefined) return true
    const answer: unknown = this.matches(message)
    if (answer instanceof Promise) {
      answer.catch(() => undefined)
      throw new PidmeshError('ERR_BAD_ARGUMENT', 'match must answer at once, not with a promise')
    }
    return Boolean(answer)
  }

  resolve(message: unknown): void {
    if (this.timer !== undefined) this.timers.drop(this.timer)
    this.settle?.(message)
  }

  reject(error: Error): void {
    if (this.timer !== undefined) this.timers.drop(this.timer)
    // If nobody waits for it any more that must not end the OS process. Whoever does wait is told all the same.
    this.promise.catch(() => undefined)
    this.fail?.(error)
  }
}

/**
 * Gives the process the oldest message that its pending receive matches, if there is one. The predicate is user code: it may throw, which rejects the receive,
 * end its process, or flush a message, even the one that it looks at.
 */
export function matchReceive(process: Process): unknown {
  const { receiver, mailbox } = process
  if (receiver === undefined) return NO_MATCH
  try {
    while (mailbox !== undefined && receiver.scanned < mailbox.length) {
      const message = mailbox.at(receiver.scanned)
      const matches = receiver.isWanted(message)
      if (process.receiver !== receiver) return NO_MATCH
      if (!matches) {
        if (!receiver.wasFlushed) receiver.scanned++
        continue
      }
      if (mailbox.carriers !== undefined)
        mailbox.received = receiver.wasFlushed ? undefined : mailbox.carriers.at(receiver.scanned)
      if (!receiver.wasFlushed) mailbox.removeAt(receiver.scanned)
      process.receiver = undefined
      receiver.resolve(message)
      return message
    }
  } catch (thrown) {
    if (process.receiver === receiver) process.receiver = undefined
    receiver.reject(errorOfThrown(thrown))
    return NO_MATCH
  }
  if (receiver.isPoll) {
    process.receiver = undefined
    receiver.resolve(undefined)
  }
  return NO_MATCH
}

/** Removes a monitor's `DOWN` that is in the mailbox already. Says whether there was one. */
export function flushDown(process: Process, ref: Ref): boolean {
  const { mailbox, receiver } = process
  if (mailbox === undefined) return false
  for (let index = 0; index < mailbox.length; index++) {
    const message = mailbox.at(index)
    if (hasType(message, 'DOWN') && ref.equals(message.ref)) {
      mailbox.removeAt(index)
      // Another part of the process may be waiting in a receive: those behind have moved up.
      if (receiver !== undefined && index < receiver.scanned) receiver.scanned--
      else if (receiver !== undefined && index === receiver.scanned) receiver.wasFlushed = true
      return true
    }
  }
  return false
}
