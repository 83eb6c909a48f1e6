/**
 * How long a connection is kept that is being closed: what was written goes out, and the other side has to end its half too. It need not do that, so no longer.
 */
import type { LinkEvents } from '../../ports.ts'
import { MAX_FRAME_BYTES } from '../../wire/frame.ts'

/** A node may be at something else for 2.5 s without being taken for dead, and what was written last is for it. */
export const CLOSE_GRACE_MS = 3_000

/** Who has proved nothing may come thousands of times a second, and all that he is told is short: the system takes it at once. */
const STRANGER_GRACE_MS = 500

/** The other side is a stranger as long as his frames must be short, and as long as there is nobody to take them. */
export function graceMs(events: LinkEvents | undefined): number {
  if (events === undefined) return STRANGER_GRACE_MS
  const { frameLimit = MAX_FRAME_BYTES } = events
  return frameLimit < MAX_FRAME_BYTES ? STRANGER_GRACE_MS : CLOSE_GRACE_MS
}
