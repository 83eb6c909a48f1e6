/**
 * What the client knows, what can happen to it, and what it wants done. The rules are in core.ts.
 */
import type { Encoded } from './codec.ts'
import type { GapReason, ServerControl } from './controls.ts'
import type { BackoffLimits } from './backoff.ts'
import type { Bucket } from './rate.ts'
import { EMPTY_OUTBOX, type Outbox, type OutboxLimits } from './outbox.ts'

export interface Settings extends BackoffLimits, OutboxLimits {
  readonly urls: readonly string[]
  /** There is a function that gives a fresh one each time. */
  readonly asksForTokens: boolean
  readonly connectTimeoutMs: number
  readonly pingAfterMs: number
  readonly pingTimeoutMs: number
  readonly maxMessagesPerSecond: number
}

/** What another client could go on with, in the same page after a reload. */
export interface ResumeState {
  /** Of the session. Who has it, and is the same user, has the session. */
  readonly token: string
  /** The number of the last message. */
  readonly seq: number
}

export interface Session {
  /** `undefined`: it can't be resumed. */
  readonly token: string | undefined
  readonly seq: number
  readonly acked: number
  readonly ackEvery: number
}

/** `id` tells one attempt from another: what comes of a socket that was given up changes nothing. */
export type Phase =
  /** It is asked for a token. */
  | { readonly is: 'authorizing'; readonly id: number; readonly dueMs: number }
  /** The socket opens. */
  | {
      readonly is: 'connecting'
      readonly id: number
      readonly dueMs: number
      readonly token: string | undefined
    }
  /** The gateway has been greeted. */
  | { readonly is: 'joining'; readonly id: number; readonly dueMs: number }
  | {
      readonly is: 'open'
      readonly id: number
      readonly sinceMs: number
      readonly heardMs: number
      /** When a ping was sent that nothing has come after. */
      readonly pingedMs?: number | undefined
      /** The last ping was sent because the answer to the one before may have been slept through. */
      readonly hasSlept?: boolean | undefined
      readonly ackDueMs?: number | undefined
      readonly flushDueMs?: number | undefined
      readonly bucket: Bucket
    }
  | { readonly is: 'waiting'; readonly dueMs: number; readonly notBeforeMs: number }
  | { readonly is: 'closed' }

export type Open = Extract<Phase, { is: 'open' }>

export interface State {
  readonly settings: Settings
  readonly phase: Phase
  /** `undefined`: there is none to go on with. */
  readonly session: Session | undefined
  readonly outbox: Outbox
  /** Place in `urls` of the gateway that is in use, or tried next. */
  readonly cursor: number
  /** Attempts that came to nothing since the last good connection. */
  readonly retries: number
  readonly lastId: number
  /** The last token was refused. */
  readonly wasRefused: boolean
}

/** With each event. */
export interface Moment {
  /** On a clock that only goes forward. */
  readonly nowMs: number
  /** A random number in [0, 1). */
  readonly fraction: number
}

export type Event =
  | { readonly type: 'token'; readonly id: number; readonly token: string | undefined }
  | { readonly type: 'tokenFailed'; readonly id: number }
  | { readonly type: 'opened'; readonly id: number }
  | { readonly type: 'control'; readonly id: number; readonly control: ServerControl }
  | { readonly type: 'messages'; readonly id: number; readonly messages: readonly unknown[] }
  | {
      readonly type: 'closed'
      readonly id: number
      readonly code: number
      readonly reason: string
      /** What the application says of it, if anything. */
      readonly isRetried?: boolean | undefined
    }
  | { readonly type: 'send'; readonly message: Encoded }
  | { readonly type: 'close' }
  | { readonly type: 'tick' }
  /** The page is seen again, or the network is back. */
  | { readonly type: 'wake' }

/** As it is told to the application. */
export type ClientState = 'connecting' | 'open' | 'waiting' | 'closed'

export interface Gap {
  readonly why: GapReason
  /** The last number that the gateway knows of, or else the client's own. */
  readonly seq: number
  /** So many of the client's messages may or may not have been handled. They are not sent again. */
  readonly unconfirmed: number
}

export interface Close {
  /** Of the close frame; 1006 where there was none, and what the client has given up by itself. */
  readonly code: number
  /** Of the close frame; or why the client has given up, or what the socket says of a failure: that of `ws` does, those of browsers and Node.js say nothing. */
  readonly reason: string
  /** When it is tried again; `undefined`: never. */
  readonly retryInMs: number | undefined
}

export type Effect =
  /** Get a token, then say `token` or `tokenFailed`. */
  | { readonly type: 'askToken'; readonly id: number }
  | { readonly type: 'open'; readonly id: number; readonly url: string }
  | { readonly type: 'control'; readonly id: number; readonly control: object }
  | { readonly type: 'frame'; readonly id: number; readonly messages: readonly Encoded[] }
  /** `code` undefined: the session shall go on. */
  | { readonly type: 'closeSocket'; readonly id: number; readonly code: 1000 | undefined }
  | { readonly type: 'save'; readonly resume: ResumeState | undefined }
  | { readonly type: 'tellMessages'; readonly messages: readonly unknown[]; readonly seq: number }
  | ({ readonly type: 'tell' } & Told)

export type Told =
  | { readonly name: 'open'; readonly event: { readonly isResumed: boolean } }
  | { readonly name: 'gap'; readonly event: Gap }
  | { readonly name: 'close'; readonly event: Close }
  | { readonly name: 'state'; readonly event: ClientState }

export interface Step {
  readonly state: State
  readonly effects: readonly Effect[]
}

/** @param resume What was saved, if anything @param fraction A random number in [0, 1): which gateway is the first */
export function initialState(settings: Settings, resume: ResumeState | undefined, fraction: number): State {
  return {
    settings,
    phase: { is: 'waiting', dueMs: -Infinity, notBeforeMs: 0 },
    session: resume && { ...resume, acked: resume.seq, ackEvery: 1 },
    outbox: EMPTY_OUTBOX,
    cursor: Math.floor(fraction * settings.urls.length),
    retries: 0,
    lastId: 0,
    wasRefused: false,
  }
}

export function clientState({ phase }: State): ClientState {
  return 'id' in phase && phase.is !== 'open' ? 'connecting' : phase.is
}

/** When a `tick` is due; Infinity: never. */
export function dueMs({ phase, settings }: State): number {
  if ('dueMs' in phase) return phase.dueMs
  if (phase.is === 'closed') return Infinity
  const { ackDueMs = Infinity, flushDueMs = Infinity } = phase
  return Math.min(beatMs(phase, settings), ackDueMs, flushDueMs)
}

/** When the gateway is to be asked whether it is there, or should have answered. */
export function beatMs({ heardMs, pingedMs }: Open, { pingAfterMs, pingTimeoutMs }: Settings): number {
  return pingedMs === undefined ? heardMs + pingAfterMs : pingedMs + pingTimeoutMs
}

export function same(state: State): Step {
  return { state, effects: [] }
}

/** To another phase. */
export function to(state: State, phase: Phase, ...effects: readonly Effect[]): Step {
  return { state: { ...state, phase }, effects }
}

/** The step with effects before its own. */
export function before({ state, effects }: Step, ...others: readonly Effect[]): Step {
  return { state, effects: [...others, ...effects] }
}

export function control(id: number, what: object): Effect {
  return { type: 'control', id, control: what }
}
