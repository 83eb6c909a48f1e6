/**
 * The rules of a connection that comes back: `step(state, event, moment) → { state, effects }`. Pure: no socket, no timer, no chance.
 *
 *   waiting ─tick─▶ authorizing ─token─▶ connecting ─opened─▶ joining ─welcome, resumed─▶ open
 *      ▲                 │                   │   hello         │  resume_failed: a gap      │   ack, ping, messages
 *      └─────────────────┴───────────────────┴─────────────────┴────────────────────────────┘   closed, too late, no pong
 *                                                                      closed for good ──▶ closed
 *
 * Owns: the session that can be gone on with, the messages to it (outbox.ts), which gateway is next, and all deadlines (state.ts, `dueMs`).
 *
 * Invariants:
 * - Events of a socket that was given up change nothing: not the numbers either.
 * - A message has its number, and is saved, before it is acknowledged; so has the token of a resume.
 * - Nothing but `hello` goes out before `welcome` or `resumed`: only then is it known what the session has got.
 * - A gap is told once for each session that was lost, before anything of the next.
 * - A gateway that welcomes and closes is not hammered: `retries` falls to zero only after a connection was good for STABLE_MS.
 *
 * Not here: WebSockets, timers, tokens, listeners (client.ts).
 */
import { retryDelayMs, retryHintMs } from './backoff.ts'
import { afterClose } from './close-codes.ts'
import type { GapReason, ServerControl, Terms } from './controls.ts'
import { add, confirm, restart, rewind } from './outbox.ts'
import { fullBucket } from './rate.ts'
import {
  clientState,
  control,
  same,
  type Effect,
  type Event,
  type Moment,
  type Open,
  type State,
  type Step,
  type Phase,
} from './state.ts'
import { acknowledge, flush } from './traffic.ts'

type AttemptEvent = Extract<Event, { id: number }>
type Of<Type extends Event['type']> = Extract<Event, { type: Type }>

const STABLE_MS = 5_000
/** A tick that is so late has slept: what has come meanwhile may not have been looked at yet. */
const LATE_MS = 2_000

export function step(state: State, event: Event, moment: Moment): Step {
  const next = state.phase.is === 'closed' ? same(state) : after(state, event, moment)
  const told = clientState(next.state)
  if (told === clientState(state)) return next
  return { state: next.state, effects: [{ type: 'tellState', state: told }, ...next.effects] }
}

function after(state: State, event: Event, moment: Moment): Step {
  if ('id' in event) return afterAttempt(state, event, moment)
  switch (event.type) {
    case 'start':
      return attempt(state, moment)
    case 'tick':
      return onTick(state, moment)
    case 'wake':
      return onWake(state, moment)
    case 'send':
      return flush({ ...state, outbox: add(state.outbox, event.message) }, moment)
    case 'close':
      return onClose(state)
  }
}

function afterAttempt(state: State, event: AttemptEvent, moment: Moment): Step {
  const { phase } = state
  if (!('id' in phase) || phase.id !== event.id) return same(state)
  switch (event.type) {
    case 'token':
      return onToken(state, event, moment)
    case 'tokenFailed':
      return phase.is === 'authorizing' ? lost(state, moment, 1006, 'no token') : same(state)
    case 'opened':
      return onOpened(state)
    case 'control':
      return onControl(state, event.control, moment)
    case 'messages':
      return onMessages(state, event.messages, moment)
    case 'closed':
      return onClosed(state, event, moment)
  }
}

// To a gateway.

function attempt(state: State, moment: Moment): Step {
  const id = state.lastId + 1
  const phase: Phase = { is: 'authorizing', id, deadlineMs: moment.nowMs + state.settings.connectTimeoutMs }
  const next = { ...state, lastId: id, phase }
  if (state.settings.asksForTokens) return { state: next, effects: [{ type: 'askToken', id }] }
  return onToken(next, { type: 'token', id, token: state.settings.token }, moment)
}

function onToken(state: State, { id, token }: Of<'token'>, { nowMs }: Moment): Step {
  const { phase, settings, cursor } = state
  if (phase.is === 'open') {
    return token === undefined ? same(state) : { state, effects: [control(id, { type: 'auth', token })] }
  }
  if (phase.is !== 'authorizing') return same(state)
  return {
    state: { ...state, phase: { is: 'connecting', id, token, deadlineMs: nowMs + settings.connectTimeoutMs } },
    effects: [{ type: 'open', id, url: settings.urls[cursor] ?? '' }],
  }
}

function onOpened(state: State): Step {
  const { phase, session } = state
  if (phase.is !== 'connecting') return same(state)
  const { id, token, deadlineMs } = phase
  const resume = session?.token === undefined ? undefined : { token: session.token, seq: session.seq }
  return {
    state: { ...state, phase: { is: 'joining', id, deadlineMs } },
    effects: [control(id, { type: 'hello', token, resume })],
  }
}

// From the gateway.

function onControl(state: State, told: ServerControl, moment: Moment): Step {
  const { phase } = state
  if (told.type === 'malformed') return giveUp(state, moment, 'a malformed frame')
  if (phase.is === 'joining') return onAnswer(state, told, moment)
  if (phase.is !== 'open') return same(state)
  const heard = { ...state, phase: hear(phase, moment) }
  switch (told.type) {
    case 'received':
      return same({ ...heard, outbox: confirm(state.outbox, told.received) })
    case 'expiring': {
      const effects: readonly Effect[] = [{ type: 'askToken', id: phase.id }]
      return state.settings.asksForTokens ? { state: heard, effects } : same(heard)
    }
    // Out of place.
    case 'welcome':
    case 'resumed':
    case 'resume_failed':
    case 'other':
      return same(heard)
  }
}

/** To `hello`. */
function onAnswer(state: State, told: Exclude<ServerControl, { type: 'malformed' }>, moment: Moment): Step {
  const { session, outbox } = state
  switch (told.type) {
    case 'welcome': {
      const why = session?.token === undefined ? 'not_resumable' : 'gone'
      const begun = session === undefined ? same(state) : lose(state, why, session.seq)
      return join(begun, { seq: 0, isResumed: false, terms: told.terms }, moment)
    }
    case 'resumed': {
      const resumed = same({ ...state, outbox: rewind(outbox, told.received) })
      return join(resumed, { seq: told.seq, isResumed: true, terms: told.terms }, moment)
    }
    case 'resume_failed':
      return lose(state, told.why, told.seq)
    case 'received':
    case 'expiring':
    case 'other':
      return same(state)
  }
}

/** The session can't be gone on with. */
function lose(state: State, why: GapReason, seq: number): Step {
  const { outbox } = state
  // What was sent to a session that can't be resumed was not kept.
  const unconfirmed = outbox.tried + (why === 'not_resumable' ? outbox.first : 0)
  return {
    state: { ...state, session: undefined, outbox: restart(outbox) },
    effects: [
      { type: 'save', resume: undefined },
      { type: 'tellGap', gap: { why, seq, unconfirmed } },
    ],
  }
}

function join(
  { state, effects }: Step,
  { seq, isResumed, terms }: { readonly seq: number; readonly isResumed: boolean; readonly terms: Terms },
  moment: Moment,
): Step {
  if (state.phase.is !== 'joining') return { state, effects }
  const { nowMs } = moment
  const { id } = state.phase
  const bucket = fullBucket(state.settings.maxMessagesPerSecond, nowMs)
  const phase: Open = {
    ...{ is: 'open', id, sinceMs: nowMs, heardMs: nowMs, bucket },
    ...{ pingedMs: undefined, ackDueMs: undefined, flushDueMs: undefined },
  }
  const session = { token: terms.token, seq, acked: seq, ackEvery: terms.ackEvery }
  const flushed = flush({ ...state, phase, session, wasRefused: false }, moment)
  return {
    state: flushed.state,
    effects: [
      ...effects,
      ...save(flushed.state),
      control(id, { type: 'ack', seq }),
      { type: 'tellOpen', isResumed },
      ...flushed.effects,
    ],
  }
}

function onMessages(state: State, messages: readonly unknown[], moment: Moment): Step {
  const { phase, session } = state
  if (phase.is !== 'open' || session === undefined) return giveUp(state, moment, 'a message before the welcome')
  const seq = session.seq + messages.length
  const next: State = { ...state, phase: hear(phase, moment), session: { ...session, seq } }
  const acked = acknowledge(next, moment)
  return {
    state: acked.state,
    effects: [{ type: 'tellMessages', messages, firstSeq: session.seq + 1 }, ...save(next), ...acked.effects],
  }
}

function hear(phase: Open, { nowMs }: Moment): Open {
  return { ...phase, heardMs: nowMs, pingedMs: undefined }
}

// While it is open.

function onTick(state: State, moment: Moment): Step {
  const { phase } = state
  const { nowMs } = moment
  switch (phase.is) {
    case 'authorizing':
    case 'connecting':
    case 'joining':
      return nowMs < phase.deadlineMs ? same(state) : giveUp(state, moment, 'no connection in time')
    case 'waiting':
      return nowMs < phase.dueMs ? same(state) : attempt(state, moment)
    case 'open':
      return onBeat(state, phase, moment)
    case 'closed':
      return same(state)
  }
}

function onBeat(state: State, phase: Open, moment: Moment): Step {
  const { settings } = state
  const { nowMs } = moment
  const { pingedMs, heardMs, flushDueMs = Infinity } = phase
  const lateMs = pingedMs === undefined ? -1 : nowMs - pingedMs - settings.pingTimeoutMs
  if (lateMs >= 0 && lateMs < LATE_MS) return giveUp(state, moment, 'no answer to a ping')
  const pings = pingedMs === undefined ? nowMs >= heardMs + settings.pingAfterMs : lateMs >= 0
  const beaten: Step = pings
    ? { state: { ...state, phase: { ...phase, pingedMs: nowMs } }, effects: [control(phase.id, { type: 'ping' })] }
    : same(state)
  const acked = acknowledge(beaten.state, moment)
  const flushed = nowMs >= flushDueMs ? flush(acked.state, moment) : same(acked.state)
  return { state: flushed.state, effects: [...beaten.effects, ...acked.effects, ...flushed.effects] }
}

function onWake(state: State, moment: Moment): Step {
  const { phase } = state
  const { nowMs } = moment
  if (phase.is === 'waiting') {
    const due = { ...phase, dueMs: Math.min(phase.dueMs, Math.max(nowMs, phase.notBeforeMs)) }
    return onTick({ ...state, phase: due }, moment)
  }
  if (phase.is !== 'open' || phase.pingedMs !== undefined) return same(state)
  return {
    state: { ...state, phase: { ...phase, pingedMs: nowMs } },
    effects: [control(phase.id, { type: 'ping' })],
  }
}

// Ends.

function onClose(state: State): Step {
  const ended = end(state, 1000, 'closed by the client')
  const { phase } = state
  if (!('id' in phase)) return ended
  return { state: ended.state, effects: [{ type: 'closeSocket', id: phase.id, code: 1000 }, ...ended.effects] }
}

function onClosed(state: State, { code, reason, isRetried }: Of<'closed'>, moment: Moment): Step {
  const rule = afterClose(code)
  const renews = rule === 'renew' && state.settings.asksForTokens && !state.wasRefused
  if (isRetried ?? (renews || rule === 'retry'))
    return lost({ ...state, wasRefused: state.wasRefused || rule === 'renew' }, moment, code, reason)
  return end(state, code, reason)
}

/** The socket is left to itself, so that the session goes on. */
function giveUp(state: State, moment: Moment, why: string): Step {
  const next = lost(state, moment, 1006, why)
  const { phase } = state
  if (!('id' in phase)) return next
  return { state: next.state, effects: [{ type: 'closeSocket', id: phase.id, code: undefined }, ...next.effects] }
}

function lost(state: State, { nowMs, fraction }: Moment, code: number, reason: string): Step {
  const { phase, settings } = state
  const retries = phase.is === 'open' && nowMs - phase.sinceMs >= STABLE_MS ? 0 : state.retries
  const hintMs = retryHintMs(reason)
  const retryInMs = retryDelayMs(settings, retries, hintMs, fraction)
  return {
    state: {
      ...state,
      phase: { is: 'waiting', dueMs: nowMs + retryInMs, notBeforeMs: nowMs + hintMs },
      outbox: { ...state.outbox, sent: 0 },
      cursor: (state.cursor + 1) % settings.urls.length,
      retries: retries + 1,
    },
    effects: [{ type: 'tellClose', close: { code, reason, retryInMs } }],
  }
}

function end(state: State, code: number, reason: string): Step {
  return {
    state: { ...state, phase: { is: 'closed' } },
    effects: [
      { type: 'save', resume: undefined },
      { type: 'tellClose', close: { code, reason, retryInMs: undefined } },
    ],
  }
}

function save({ session }: State): readonly Effect[] {
  if (session?.token === undefined) return []
  return [{ type: 'save', resume: { token: session.token, seq: session.seq } }]
}
