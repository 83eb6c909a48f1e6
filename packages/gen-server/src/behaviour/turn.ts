/**
 * What takes long in one go stands aside now and then: JavaScript takes nothing from code that runs.
 */
import type { Context } from '@pidmesh/runtime'

/** Callbacks of one message, or kept messages, that are handled in one go while others wait: as many as the scheduler lets a process take. */
export const QUANTUM = 1_000

/**
 * Lets others have their turn, timers and sockets included when it is theirs.
 * @throws ProcessExited by rejection, if the process ends first
 */
export async function turn(self: Context): Promise<void> {
  await self.awaitDown(
    self.spawn(() => undefined),
    Infinity,
  )
}
