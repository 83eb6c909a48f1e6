/**
 * The pump in production: one nact actor per node, whose message is "run a turn". As a BEAM scheduler runs many processes, it runs many processes;
 * nact's own `setImmediate` between two messages lets sockets and timers in.
 *
 * One nact actor per *process* was measured and is not done: 0.5 M sends/s and 1.5 KB a process, against 20 M and a fraction of the memory.
 *
 * Within one message the queue is run again as long as promises that settled meanwhile have put more into it, so that an `await` does not cost a
 * whole lap of the event loop, and no longer than `LAP_MS`: microtasks alone would starve the sockets.
 */
import { dispatch, spawnStateless, start, stop, type Ref } from 'nact'
import type { PumpFactory } from '../ports.ts'

const LAP_MS = 5
/** Rounds of microtasks that a continuation may need before it has sent something. */
const PATIENCE = 4

const TURN = Symbol('turn')
const microtask = Promise.resolve()

export const nactPump: PumpFactory = (systemName, turn) => {
  const system = start(systemName)
  let asked = false
  let running = false
  let stopped = false

  const lap = async (): Promise<void> => {
    asked = false
    running = true
    let more = false
    try {
      const endMs = performance.now() + LAP_MS
      more = turn()
      for (let quiet = 0; quiet < PATIENCE && performance.now() < endMs;) {
        await microtask
        if (!more && !asked) {
          quiet++
          continue
        }
        quiet = 0
        asked = false
        more = turn()
      }
    } finally {
      running = false
      if ((more || asked) && !stopped) request()
    }
  }

  const scheduler: Ref<typeof TURN> = spawnStateless(system, lap, 'scheduler')

  const request = (): void => {
    asked = true
    dispatch(scheduler, TURN)
  }

  return {
    wake: () => {
      if (asked || stopped) return
      if (running) asked = true
      else request()
    },
    stop: () => {
      if (stopped) return
      stopped = true
      stop(system)
    },
  }
}
