// Whether somebody else's store answers while the demo runs: told once when it does not, and once when it is back.
//
//   look, each second ─▶ two in a row have failed ─▶ away ─▶ two in a row have not ─▶ back ─▶ …
//
// So one that comes and goes with each look is told of no more often than every few seconds, and a single look that fails is nobody's business.

import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_EVERY_MS = 1000
const IN_A_ROW = 2

/** What was told, and how many looks in a row say otherwise. */
export class StoreWatch {
  #isAway = false
  #otherwise = 0

  /** What is to be told after a look. */
  looked(answers: boolean): 'away' | 'back' | undefined {
    if (answers !== this.#isAway) this.#otherwise = 0
    else if (++this.#otherwise === IN_A_ROW) {
      this.#otherwise = 0
      this.#isAway = !answers
      return answers ? 'back' : 'away'
    }
    return undefined
  }
}

export type WatchOptions = {
  /** For the lines: where it is. Without user and password. */
  place: string
  /** Rejects if the store does not answer, in time. */
  look: () => Promise<unknown>
  tell: (line: string) => void
  /** Ends it. */
  signal: AbortSignal
}

/** Resolves when the signal has ended it. */
export async function watchStore({ place, look, tell, signal }: WatchOptions): Promise<void> {
  const watch = new StoreWatch()
  for (;;) {
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    const answers = await look().then(
      () => true,
      () => false,
    )
    if (signal.aborted) return
    const told = watch.looked(answers)
    if (told === 'away')
      tell(`the store at ${place} (--store) does not answer: pushes to other nodes fail until it is back`)
    else if (told === 'back') tell(`the store at ${place} (--store) is back`)
  }
}
