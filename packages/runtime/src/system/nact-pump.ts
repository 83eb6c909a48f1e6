/**
 * The pump in production: one nact actor per node, whose message is "run a turn". As a BEAM scheduler runs many processes, it runs many processes;
 * nact's own `setImmediate` before each message lets sockets and timers in.
 *
 *   wake() ── microtask ──▶ turn, within what is left of the window ── not done, and none is left ─▶ nact message
 *   nact message ── next lap of the event loop ─▶ opens a window of `budgetMs`, turn ── not done ─▶ microtask
 *
 * Within a window the queue is woken from microtasks, so that an `await` of user code costs no lap of the event loop; a window is never prolonged, so
 * that code which only ever awaits can't starve the sockets (docs/adr/0010).
 *
 * One nact actor per *process* was measured and is not done (docs/adr/0001).
 */
import { dispatch, spawnStateless, start, stop, type Ref } from 'nact'
import type { PumpFactory } from '../ports.ts'

const LAP = Symbol('lap')
const resolved = Promise.resolve()

export const nactPump: PumpFactory = ({ systemName, clock, budgetMs, turn }) => {
  const system = start(systemName)
  let windowEndsMs = -Infinity
  /** A turn is on its way: by a microtask, or by a message to the actor. */
  let isComing = false
  let stopped = false

  const run = (nowMs: number): void => {
    isComing = false
    if (!turn(nowMs, windowEndsMs) || stopped || isComing) return
    if (nowMs < windowEndsMs) askForMicrotask()
    else askForLap()
  }

  const scheduler: Ref<typeof LAP> = spawnStateless(
    system,
    () => {
      if (stopped) return
      const nowMs = clock.monotonicMs()
      windowEndsMs = nowMs + budgetMs
      run(nowMs)
    },
    'scheduler',
  )

  const askForLap = (): void => {
    isComing = true
    dispatch(scheduler, LAP)
  }

  const askForMicrotask = (): void => {
    isComing = true
    // Less than half the cost of `queueMicrotask`, which makes an async resource.
    void resolved.then(onMicrotask)
  }

  const onMicrotask = (): void => {
    if (!stopped) run(clock.monotonicMs())
  }

  return {
    wake: () => {
      if (!isComing && !stopped) askForMicrotask()
    },
    stop: () => {
      if (stopped) return
      stopped = true
      stop(system)
    },
  }
}
