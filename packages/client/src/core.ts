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
import {
  beatMs,
  before,
  clientState,
  control,
  dueMs,
  same,
  to,
  type Event,
  type Moment,
  type Open,
  type ResumeState,
  type Session,
  type State,
  type Step,
} from './state.ts'
import { acknowledge, flush } from './traffic.ts'

type AttemptEvent = Extract<Event, { id: number }>
type Of<Type extends Event['type']> = Extract<Event, { type: Type }>

/** Or one that comes too early. */
const MALFORMED = 'a malformed frame'

const STABLE_MS = 5_000
/** A tick that is so late has slept: what has come meanwhile may not have been looked at yet. Once: in a page that is not seen each tick is late, for ever. */
const LATE_MS = 2_000

export function step(state: State, event: Event, moment: Moment): Step {
  const next = state.phase.is === 'closed' ? same(state) : after(state, event, moment)
  const told = clientState(next.state)
  return told === clientState(state) ? next : before(next, { type: 'tell', name: 'state', event: told })
}

function after(state: State, event: Event, moment: Moment): Step {
  if ('id' in event) return afterAttempt(state, event, moment)
  switch (event.type) {
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

function attempt(state: State, { nowMs }: Moment): Step {
  const id = state.lastId + 1
  const dueMs = nowMs + state.settings.connectTimeoutMs
  return to({ ...state, lastId: id }, { is: 'authorizing', id, dueMs }, { type: 'askToken', id })
}

function onToken(state: State, { id, token }: Of<'token'>, { nowMs }: Moment): Step {
  const { phase, settings, cursor } = state
  if (phase.is === 'open' && token !== undefined) return to(state, phase, control(id, { type: 'auth', token }))
  if (phase.is !== 'authorizing') return same(state)
  const dueMs = nowMs + settings.connectTimeoutMs
  const url = settings.urls[cursor] ?? ''
  return to(state, { is: 'connecting', id, token, dueMs }, { type: 'open', id, url })
}

function onOpened(state: State): Step {
  const { phase, session } = state
  if (phase.is !== 'connecting') return same(state)
  const { id, token, dueMs } = phase
  const resume = resumeOf(session)
  return to(state, { is: 'joining', id, dueMs }, control(id, { type: 'hello', token, resume }))
}

// From the gateway.

function onControl(state: State, told: ServerControl, moment: Moment): Step {
  const { phase, outbox, settings } = state
  if (told.type === 'malformed') return giveUp(state, moment, MALFORMED)
  if (phase.is === 'joining') return onAnswer(state, phase.id, told, moment)
  if (phase.is !== 'open') return same(state)
  const heard = to(state, hear(phase, moment))
  if (told.type === 'received') return same({ ...heard.state, outbox: confirm(outbox, told.received) })
  const asks = told.type === 'expiring' && settings.asksForTokens
  return asks ? before(heard, { type: 'askToken', id: phase.id }) : heard
}

/** To `hello`. */
function onAnswer(state: State, id: number, told: ServerControl, moment: Moment): Step {
  const { session, outbox } = state
  if (told.type === 'resume_failed') return lose(state, told.why, told.seq)
  if (told.type === 'resumed') return join(same({ ...state, outbox: rewind(outbox, told.received) }), id, told, moment)
  if (told.type !== 'welcome') return same(state)
  const why = session?.token === undefined ? 'not_resumable' : 'gone'
  return join(session === undefined ? same(state) : lose(state, why, session.seq), id, told, moment)
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
      { type: 'tell', name: 'gap', event: { why, seq, unconfirmed } },
    ],
  }
}

function join(
  { state, effects }: Step,
  id: number,
  { type, seq, terms }: Extract<ServerControl, { terms: Terms }>,
  moment: Moment,
): Step {
  const { nowMs } = moment
  const phase: Open = { is: 'open', id, sinceMs: nowMs, heardMs: nowMs, bucket: { tokens: Infinity, atMs: nowMs } }
  const session = { ...terms, seq, acked: seq }
  return before(
    flush({ ...state, phase, session, wasRefused: false }, moment),
    ...effects,
    { type: 'save', resume: resumeOf(session) },
    control(id, { type: 'ack', seq }),
    { type: 'tell', name: 'open', event: { isResumed: type === 'resumed' } },
  )
}

function onMessages(state: State, messages: readonly unknown[], moment: Moment): Step {
  const { phase, session } = state
  if (phase.is !== 'open' || session === undefined) return giveUp(state, moment, MALFORMED)
  const next = { ...session, seq: session.seq + messages.length }
  return before(
    acknowledge({ ...state, phase: hear(phase, moment), session: next }, moment),
    { type: 'tellMessages', messages, seq: session.seq + 1 },
    { type: 'save', resume: resumeOf(next) },
  )
}

function hear(phase: Open, { nowMs }: Moment): Open {
  return { ...phase, heardMs: nowMs, pingedMs: undefined }
}

// While it is open.

function onTick(state: State, moment: Moment): Step {
  const { phase } = state
  if (phase.is === 'open') return onBeat(state, phase, moment)
  if (moment.nowMs < dueMs(state)) return same(state)
  return phase.is === 'waiting' ? attempt(state, moment) : giveUp(state, moment, 'no connection in time')
}

function onBeat(state: State, phase: Open, moment: Moment): Step {
  const { pingedMs, hasSlept } = phase
  const lateMs = moment.nowMs - beatMs(phase, state.settings)
  const hasAsked = pingedMs !== undefined
  if (hasAsked && lateMs >= 0 && (lateMs < LATE_MS || hasSlept)) return giveUp(state, moment, 'no answer to a ping')
  const beaten = lateMs < 0 ? same(state) : ping(state, phase, moment, hasAsked)
  const acked = acknowledge(beaten.state, moment)
  return before(flush(acked.state, moment), ...beaten.effects, ...acked.effects)
}

function ping(state: State, phase: Open, { nowMs }: Moment, hasSlept?: boolean): Step {
  return to(state, { ...phase, pingedMs: nowMs, hasSlept }, control(phase.id, { type: 'ping' }))
}

function onWake(state: State, moment: Moment): Step {
  const { phase } = state
  if (phase.is === 'waiting') {
    const dueMs = Math.max(moment.nowMs, phase.notBeforeMs)
    return onTick({ ...state, phase: { ...phase, dueMs } }, moment)
  }
  return phase.is === 'open' && phase.pingedMs === undefined ? ping(state, phase, moment) : same(state)
}

// Ends.

function onClose(state: State): Step {
  return leave(state, end(state, 1000, 'closed'), 1000)
}

function onClosed(state: State, { code, reason, isRetried }: Of<'closed'>, moment: Moment): Step {
  const rule = afterClose(code)
  const renews = rule === 'renew' && state.settings.asksForTokens && !state.wasRefused
  if (isRetried ?? (renews || rule === 'retry'))
    return lost({ ...state, wasRefused: state.wasRefused || rule === 'renew' }, moment, code, reason)
  return end(state, code, reason)
}

/** The session shall go on: no code. */
function giveUp(state: State, moment: Moment, why: string): Step {
  return leave(state, lost(state, moment, 1006, why), undefined)
}

/** `next`, and whatever socket there is is closed. */
function leave({ phase }: State, next: Step, code: 1000 | undefined): Step {
  return 'id' in phase ? before(next, { type: 'closeSocket', id: phase.id, code }) : next
}

function lost(state: State, { nowMs, fraction }: Moment, code: number, reason: string): Step {
  const { phase, settings } = state
  const retries = phase.is === 'open' && nowMs - phase.sinceMs >= STABLE_MS ? 0 : state.retries
  const hintMs = retryHintMs(reason)
  const retryInMs = retryDelayMs(settings, retries, hintMs, fraction)
  return to(
    { ...state, cursor: (state.cursor + 1) % settings.urls.length, retries: retries + 1 },
    { is: 'waiting', dueMs: nowMs + retryInMs, notBeforeMs: nowMs + hintMs },
    { type: 'tell', name: 'close', event: { code, reason, retryInMs } },
  )
}

function end(state: State, code: number, reason: string): Step {
  return to(
    state,
    { is: 'closed' },
    { type: 'save', resume: undefined },
    { type: 'tell', name: 'close', event: { code, reason, retryInMs: undefined } },
  )
}

function resumeOf(session: Session | undefined): ResumeState | undefined {
  return session?.token === undefined ? undefined : { token: session.token, seq: session.seq }
}
