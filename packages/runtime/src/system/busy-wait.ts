/**
 * Waits awake: the event loop looks for what has arrived again and again, in place of sleeping until the system wakes it. Only on a core that nobody else wants: who was taken off it again and
 * again while it waited sleeps as ever for a while.
 */
import { resourceUsage } from 'node:process'
import type { BusyWait, Clock } from '../ports.ts'

/** One wait of so many is looked at: did the system take the core away meanwhile? Looking takes some microseconds. */
const LOOK_EACH = 4
/** As long as the core was nobody else's the last time. */
const LOOK_SELDOM = 32
/** After so many looks it is judged: at more than half of them somebody else wants the core. */
const LOOKS = 8
const MOST_TAKEN = LOOKS / 2
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
  let isTurning = false
  /** What is waited for isn't here. */
  let isWaiting = false
  let rests = 0
  let waits = 0
  let lookEach = LOOK_EACH
  /** As the wait began that is looked at. */
  let switches: number | undefined
  let looks = 0
  let taken = 0

  const begin = (): void => {
    isWaiting = true
    if (++waits % lookEach === 0) switches = involuntarySwitches()
  }

  const end = (): void => {
    isWaiting = false
    untilMs = 0
    if (switches === undefined) return
    if (involuntarySwitches() > switches) taken++
    switches = undefined
    if (++looks === LOOKS) judge()
  }

  const judge = (): void => {
    const isWanted = taken > MOST_TAKEN
    if (isWanted) rests = RESTS
    lookEach = isWanted ? LOOK_EACH : LOOK_SELDOM
    looks = 0
    taken = 0
  }

  const turn = (): void => {
    isTurning = clock.monotonicMs() < untilMs
    if (isTurning) clock.setTimer(0, turn)
    else if (isWaiting) end()
  }

  return {
    until: (monotonicMs) => {
      if (rests > 0) {
        rests--
        return
      }
      untilMs = monotonicMs
      if (!isWaiting) begin()
      if (isTurning) return
      isTurning = true
      clock.setTimer(0, turn)
    },
    end: () => {
      if (isWaiting) end()
    },
  }
}
