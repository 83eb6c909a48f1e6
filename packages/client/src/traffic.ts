/**
 * What goes out over an open connection, and when: acknowledgements, and the messages that wait. Both are paced: the gateway closes with 4005 who sends too much.
 */
import { confirm, take, waiting } from './outbox.ts'
import { refill } from './rate.ts'
import { control, same, to, type Effect, type Moment, type State, type Step } from './state.ts'

/** What has come is acknowledged within so long. */
const ACK_MS = 1_000
/** What waits for its turn goes out in portions. */
const PORTION_MS = 100

/** Now if it is time, and the gateway would not take it for one frame too many; or else it is due in a moment. */
export function acknowledge(state: State, { nowMs }: Moment): Step {
  const { phase, session, settings } = state
  if (phase.is !== 'open' || session === undefined || session.seq === session.acked) return same(state)
  const { id, ackDueMs = nowMs + ACK_MS } = phase
  if (session.seq - session.acked < session.ackEvery && nowMs < ackDueMs) return to(state, { ...phase, ackDueMs })
  const { seq } = session
  const bucket = refill(phase.bucket, settings.maxMessagesPerSecond, nowMs)
  if (bucket.tokens < 1) return to(state, { ...phase, bucket, ackDueMs: nowMs + PORTION_MS })
  const spent = { ...bucket, tokens: bucket.tokens - 1 }
  return to(
    { ...state, session: { ...session, acked: seq } },
    { ...phase, bucket: spent, ackDueMs: undefined },
    control(id, { type: 'ack', seq }),
  )
}

/** What waits goes out, as much as may. */
export function flush(state: State, { nowMs }: Moment): Step {
  const { phase, session, settings } = state
  if (phase.is !== 'open') return same(state)
  const bucket = refill(phase.bucket, settings.maxMessagesPerSecond, nowMs)
  const { outbox, frames } = take(state.outbox, bucket.tokens)
  const spent = { ...bucket, tokens: bucket.tokens + state.outbox.sent - outbox.sent }
  return to(
    // What a session can't be asked about later is of no use.
    { ...state, outbox: session?.token === undefined ? confirm(outbox, Infinity) : outbox },
    { ...phase, bucket: spent, flushDueMs: waiting(outbox) === 0 ? undefined : nowMs + PORTION_MS },
    ...frames.map((messages): Effect => ({ type: 'frame', id: phase.id, messages })),
  )
}
