/**
 * The clock of the machine.
 */
import { hrtime } from 'node:process'
import type { Clock, TimerHandle } from '../ports.ts'

/** The longest delay that `setTimeout` takes; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  monotonicMs,
  wallMs: () => Date.now(),
  setTimer: (delayMs, fire) => startTimer(delayMs, fire),
}

/** By `hrtime`, which shows the same clock as `performance.now` for two thirds of its price: each turn looks at it twice, each call once more. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = hrtime()
  return seconds * 1_000 + nanoseconds / 1_000_000
}

function startTimer(delayMs: number, fire: () => void): TimerHandle {
  // `setTimeout` would make a millisecond of it.
  if (delayMs === 0) {
    const immediate = setImmediate(fire)
    return { cancel: () => clearImmediate(immediate) }
  }
  let timer: NodeJS.Timeout
  const arm = (leftMs: number): void => {
    // Rounded up: a timer must not fire early.
    timer =
      leftMs > LONGEST_MS ? setTimeout(() => arm(leftMs - LONGEST_MS), LONGEST_MS) : setTimeout(fire, Math.ceil(leftMs))
  }
  arm(delayMs)
  return { cancel: () => clearTimeout(timer) }
}
