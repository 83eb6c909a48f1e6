/**
 * Waits awake: the event loop looks for what has arrived again and again, in place of sleeping until the system wakes it. Only on a core that nobody else wants: who was taken off it again and
 * again while it waited sleeps as ever for a while.
 */
import { resourceUsage } from 'node:process'
import type { BusyWait, Clock } from '../ports.ts'

/** After so many waits it is looked at how often the system took the core away meanwhile. */
const WAITS = 32
/** More than so many times: two processes that wait for each other on one core are at 30, those with a core each at 0 to 13. */
const MOST_SWITCHES = 24
/** Waits that are slept through then. */
const RESTS = 1_024

export interface BusyWaitOptions {
  readonly clock: Clock
  /** How often the system has given the core to others, though this process wanted it. */
  readonly involuntarySwitches: () => number
}

/** Of this process, all its threads. See getrusage(2), `ru_nivcsw`; always 0 on Windows. */
export function involuntarySwitches(): number {
  return resourceUsage().involuntaryContextSwitches
}

export function busyWait({ clock, involuntarySwitches }: BusyWaitOptions): BusyWait {
  let untilMs = 0
  let isWaiting = false
  /** Until the next look. */
  let waits = WAITS
  let rests = 0
  let switches = involuntarySwitches()

  const again = (): void => {
    isWaiting = clock.monotonicMs() < untilMs
    if (isWaiting) clock.setTimer(0, again)
  }

  const isCoreWanted = (): boolean => {
    const before = switches
    switches = involuntarySwitches()
    return switches - before > MOST_SWITCHES
  }

  const isAllowed = (): boolean => {
    if (rests > 0) {
      if (--rests === 0) switches = involuntarySwitches()
      return false
    }
    if (--waits > 0) return true
    waits = WAITS
    if (isCoreWanted()) rests = RESTS
    return rests === 0
  }

  return {
    until: (monotonicMs) => {
      if (!isAllowed()) return
      untilMs = monotonicMs
      if (isWaiting) return
      isWaiting = true
      clock.setTimer(0, again)
    },
    end: () => {
      untilMs = 0
    },
  }
}
