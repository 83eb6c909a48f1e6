/**
 * The timeouts of one state machine: which are running, and which are over already because they were given no time. There may be thousands, by name: no step takes longer for
 * there being many, and so they are changed in place.
 *
 * State: by key, what each brings along, and the timer that it waits for, or none; the keys of those without one, in the order in which they are due.
 * Invariants: one timeout a key at most. A timer that is not in the table any more means nothing, also if it fires.
 *
 * As in OTP of several actions for one key in one return the last one counts, whatever those before it said. Unlike in OTP 25 a timeout of zero that is started
 * anew with more time waits for it: there its timer arrives as a mere message (`loop_timeouts_register` of gen_statem.erl forgets the timer).
 */
import { timeoutEvent, type AnyEvent, type TimeoutKey } from './events.ts'
import type { TimeoutAction } from './results.ts'

/** What is to be done with timers of the process. */
export type TimerEffect =
  | { readonly type: 'start_timer'; readonly timer: number; readonly timeout: TimeoutKey; readonly timeoutMs: number }
  | { readonly type: 'cancel_timer'; readonly timer: number }

/** Where they go. */
interface Timers {
  push(effect: TimerEffect): unknown
}

interface Running {
  /** `undefined`: it is due. */
  readonly timer: number | undefined
  readonly content: unknown
}

export class Timeouts {
  private readonly running = new Map<TimeoutKey, Running>()
  private readonly due = new Set<TimeoutKey>()
  /** The number of the last timer. */
  private lastTimer = 0

  /** Of those that are running or due. */
  keys(): TimeoutKey[] {
    return [...this.running.keys()]
  }

  /** It may not be there. */
  cancel(key: TimeoutKey, effects: Timers): void {
    const found = this.running.get(key)
    if (found?.timer !== undefined) effects.push({ type: 'cancel_timer', timer: found.timer })
    this.forget(key)
  }

  /** The actions of one return. */
  change(actions: readonly TimeoutAction[], effects: Timers): void {
    const seen = new Set<TimeoutKey>()
    /** Due from now on, the last first. */
    const due: TimeoutKey[] = []
    for (const action of actions.toReversed()) {
      const key = action.timeout
      if (seen.has(key)) continue
      seen.add(key)
      const found = this.running.get(key)
      if (action.type === 'update_timeout' && found !== undefined) {
        this.running.set(key, { timer: found.timer, content: action.content })
        continue
      }
      this.cancel(key, effects)
      if (action.type === 'cancel_timeout') continue
      const timeoutMs = action.type === 'start_timeout' ? action.timeoutMs : 0
      if (timeoutMs === Infinity) continue
      if (timeoutMs === 0) {
        due.push(key)
        this.running.set(key, { timer: undefined, content: action.content })
        continue
      }
      const timer = ++this.lastTimer
      effects.push({ type: 'start_timer', timer, timeout: key, timeoutMs })
      this.running.set(key, { timer, content: action.content })
    }
    for (const key of due.toReversed()) this.due.add(key)
  }

  /** The timeout whose turn it is, as an event: it is over. `undefined` if none is due. */
  takeDue(): AnyEvent | undefined {
    for (const key of this.due) return this.take(key)
    return undefined
  }

  /** The timeout whose timer has fired, as an event: it is over. `undefined` if it was cancelled or started anew meanwhile. */
  takeFired(key: TimeoutKey, timer: number): AnyEvent | undefined {
    return this.running.get(key)?.timer === timer ? this.take(key) : undefined
  }

  private take(key: TimeoutKey): AnyEvent {
    const content = this.running.get(key)?.content
    this.forget(key)
    return timeoutEvent(key, content)
  }

  private forget(key: TimeoutKey): void {
    this.running.delete(key)
    this.due.delete(key)
  }
}
