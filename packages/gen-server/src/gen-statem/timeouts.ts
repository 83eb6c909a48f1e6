/**
 * The timeouts of one state machine, as data: which are running, and which are over already because they were given no time.
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

export interface Timeouts {
  readonly running: ReadonlyMap<TimeoutKey, Running>
  readonly due: readonly TimeoutKey[]
  /** The number of the last timer. */
  readonly lastTimer: number
}

export const NO_TIMEOUTS: Timeouts = { running: new Map(), due: [], lastTimer: 0 }

/** The timeouts without one of them, which may not be there. */
export function cancel(timeouts: Timeouts, key: TimeoutKey, effects: Timers): Timeouts {
  const found = timeouts.running.get(key)
  if (found === undefined) return timeouts
  if (found.timer !== undefined) effects.push({ type: 'cancel_timer', timer: found.timer })
  const running = new Map(timeouts.running)
  running.delete(key)
  return { ...timeouts, running, due: without(timeouts.due, key) }
}

/** The timeouts after the actions of one return. */
export function change(timeouts: Timeouts, actions: readonly TimeoutAction[], effects: Timers): Timeouts {
  let result = timeouts
  const seen = new Set<TimeoutKey>()
  /** Due from now on, the last first. */
  const due: TimeoutKey[] = []
  for (const action of actions.toReversed()) {
    const key = action.timeout
    if (seen.has(key)) continue
    seen.add(key)
    const found = result.running.get(key)
    if (action.type === 'update_timeout' && found !== undefined) {
      result = put(result, key, { timer: found.timer, content: action.content })
      continue
    }
    result = cancel(result, key, effects)
    if (action.type === 'cancel_timeout') continue
    const timeoutMs = action.type === 'start_timeout' ? action.timeoutMs : 0
    if (timeoutMs === Infinity) continue
    if (timeoutMs === 0) {
      due.push(key)
      result = put(result, key, { timer: undefined, content: action.content })
      continue
    }
    const timer = result.lastTimer + 1
    effects.push({ type: 'start_timer', timer, timeout: key, timeoutMs })
    result = { ...put(result, key, { timer, content: action.content }), lastTimer: timer }
  }
  return due.length === 0 ? result : { ...result, due: [...result.due, ...due.toReversed()] }
}

/** The timeout whose turn it is, as an event, and the timeouts without it; `undefined` if none is due. */
export function takeDue(timeouts: Timeouts): { readonly event: AnyEvent; readonly timeouts: Timeouts } | undefined {
  const [key] = timeouts.due
  return key === undefined ? undefined : take(timeouts, key)
}

/** The timeout whose timer has fired, as an event, and the timeouts without it; `undefined` if it was cancelled or started anew meanwhile. */
export function takeFired(
  timeouts: Timeouts,
  key: TimeoutKey,
  timer: number,
): { readonly event: AnyEvent; readonly timeouts: Timeouts } | undefined {
  return timeouts.running.get(key)?.timer === timer ? take(timeouts, key) : undefined
}

function take(timeouts: Timeouts, key: TimeoutKey): { readonly event: AnyEvent; readonly timeouts: Timeouts } {
  const content = timeouts.running.get(key)?.content
  const running = new Map(timeouts.running)
  running.delete(key)
  return { event: timeoutEvent(key, content), timeouts: { ...timeouts, running, due: without(timeouts.due, key) } }
}

function put(timeouts: Timeouts, key: TimeoutKey, running: Running): Timeouts {
  return { ...timeouts, running: new Map(timeouts.running).set(key, running) }
}

function without(keys: readonly TimeoutKey[], key: TimeoutKey): readonly TimeoutKey[] {
  return keys.includes(key) ? keys.filter((other) => other !== key) : keys
}
