// Waiting for what other processes do: ask again and again, up to a deadline.

import { setTimeout as sleep } from 'node:timers/promises'

const ASK_EVERY_MS = 10

export type UntilOptions = {
  /** @default 10000 */
  withinMs?: number
  /** What there was instead, for the message of the failure. */
  instead?: () => unknown
}

/**
 * The first answer that is neither undefined nor false.
 * @throws Error when there was none in time
 */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  { withinMs = 10_000, instead }: UntilOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>
    if (performance.now() >= deadlineMs) {
      const found = instead === undefined ? '' : `, but ${JSON.stringify(instead())}`
      throw new Error(`${what}: not within ${withinMs} ms${found}`)
    }
    await sleep(ASK_EVERY_MS)
  }
}
