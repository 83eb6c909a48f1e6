/**
 * What goes out over an open connection, and when: acknowledgements, and the messages that wait. Both are paced: the gateway closes with 4005 who sends too much.
 */
import { confirm, take, waiting } from './outbox.ts'
import { refill } from './rate.ts'
import { control, same, type Moment, type State, type Step } from './state.ts'

/** What has come is acknowledged within so long. */
const ACK_MS = 1_000
/** What waits for its turn goes out in portions. */
const FLUSH_MS = 100

/** Now if it is time, and the gateway would not take it for one frame too many; or else it is due in a moment. */
export function acknowledge(state: State, { nowMs }: Moment): Step {
  const { phase, session, settings } = state
  if (phase.is !== 'open' || session === undefined || session.seq === session.acked) return same(state)
  const { ackDueMs = nowMs + ACK_MS } = phase
  const isTime = session.seq - session.acked >= session.ackEvery || nowMs >= ackDueMs
  if (!isTime) return same({ ...state, phase: { ...phase, ackDueMs } })
  const bucket = refill(phase.bucket, settings.maxMessagesPerSecond, nowMs)
  if (bucket.tokens < 1) return same({ ...state, phase: { ...phase, bucket, ackDueMs: nowMs + FLUSH_MS } })
  return {
    state: {
      ...state,
      phase: { ...phase, bucket: { ...bucket, tokens: bucket.tokens - 1 }, ackDueMs: undefined },
      session: { ...session, acked: session.seq },
    },
    effects: [control(phase.id, { type: 'ack', seq: session.seq })],
  }
}

/** What waits goes out, as much as may. */
export function flush(state: State, { nowMs }: Moment): Step {
  const { phase, session, settings } = state
  if (phase.is !== 'open') return same(state)
  const bucket = refill(phase.bucket, settings.maxMessagesPerSecond, nowMs)
  const before = waiting(state.outbox)
  const { outbox, frames } = take(state.outbox, bucket.tokens)
  const left = waiting(outbox)
  const { id } = phase
  return {
    state: {
      ...state,
      // What a session can't be asked about later is of no use.
      outbox: session?.token === undefined ? confirm(outbox, outbox.first + outbox.tried) : outbox,
      phase: {
        ...phase,
        bucket: { ...bucket, tokens: bucket.tokens - (before - left) },
        flushDueMs: left === 0 ? undefined : nowMs + FLUSH_MS,
      },
    },
    effects: frames.map((messages) => ({ type: 'frame', id, messages })),
  }
}
