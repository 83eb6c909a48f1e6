/**
 * What a state machine is of, and the events that follow from it. One interface names all its types, and only the events of those that it names can come.
 *
 *   interface Door {
 *     state: 'locked' | 'open'
 *     calls: Call<{ type: 'code'; digits: string }, boolean>
 *     stateTimeout: undefined
 *   }
 *   StatemEvent<Door>:  call | info | state_timeout
 */
import { isFrom, type From } from '../protocol.ts'

/** A state: a text, or an object whose `type` says which. */
export type State = string | { readonly type: string }

/** The types of one state machine. What isn't named there isn't: it can't be sent, started or handled. */
export interface StatemTypes {
  readonly state: State
  /** Requests with their replies: a union of `Call<Request, Reply>`. */
  readonly calls?: object
  readonly casts?: unknown
  /** Any other messages, as you say that they are: nothing checks them. @default unknown */
  readonly info?: unknown
  /** What the machine tells itself, by `nextEvent`. */
  readonly internal?: unknown
  /** What the state timeout brings along; `undefined`: nothing. */
  readonly stateTimeout?: unknown
  /** What the event timeout brings along; `undefined`: nothing. */
  readonly eventTimeout?: unknown
  /** The names of the generic timeouts, and what each brings along. */
  readonly timeouts?: object
}

/** Refuses a name that means nothing: a misspelt one would take something away from the machine in silence. */
export type Known<Types> = StatemTypes & { readonly [Name in Exclude<keyof Types, keyof StatemTypes>]: never }

export type StateOf<Types> = Types extends { readonly state: infer S extends State } ? S : never
export type CallsOf<Types> = Types extends { readonly calls: infer Calls extends object } ? Calls : never
export type CastsOf<Types> = Types extends { readonly casts: infer Casts } ? Casts : never
export type TimeoutsOf<Types> = Types extends { readonly timeouts: infer Timeouts extends object } ? Timeouts : object
/** The types of what one of the timeouts brings along: in a tuple, so that one that isn't named can be told from one that brings `undefined`. */
export type StateTimeoutOf<Types> = Types extends { readonly stateTimeout: infer Content } ? [Content] : never
export type EventTimeoutOf<Types> = Types extends { readonly eventTimeout: infer Content } ? [Content] : never

/** A `call` has come. It is answered with the action `reply`, or later. */
export interface CallEvent<Request = unknown> {
  readonly type: 'call'
  readonly request: Request
  readonly from: From
}

/** A `cast` has come. */
export interface CastEvent<Request = unknown> {
  readonly type: 'cast'
  readonly request: Request
}

/** Any other message: `EXIT`, `DOWN`, timers of one's own, what was sent with `send`. */
export interface InfoEvent<Message = unknown> {
  readonly type: 'info'
  readonly message: Message
}

/** The machine has told itself. */
export interface InternalEvent<Content = unknown> {
  readonly type: 'internal'
  readonly content: Content
}

/** The machine has been in its state for as long as it has asked. */
export interface StateTimeoutEvent<Content = unknown> {
  readonly type: 'state_timeout'
  readonly content: Content
}

/** No event has come for as long as the machine has asked. OTP's `timeout`. */
export interface EventTimeoutEvent<Content = unknown> {
  readonly type: 'event_timeout'
  readonly content: Content
}

/** The time of a generic timeout is over. OTP's `{timeout, Name}`. */
export interface TimeoutEvent<Name = string, Content = unknown> {
  readonly type: 'timeout'
  readonly name: Name
  readonly content: Content
}

/** What `handleEvent` is called with, of a machine of these types. */
export type StatemEvent<Types> =
  | ([CallsOf<Types>] extends [never] ? never : CallEvent<CallsOf<Types>>)
  | (Types extends { readonly casts: infer Casts } ? CastEvent<Casts> : never)
  | InfoEvent<Types extends { readonly info: infer Message } ? Message : unknown>
  | (Types extends { readonly internal: infer Content } ? InternalEvent<Content> : never)
  | (Types extends { readonly stateTimeout: infer Content } ? StateTimeoutEvent<Content> : never)
  | (Types extends { readonly eventTimeout: infer Content } ? EventTimeoutEvent<Content> : never)
  | { [Name in keyof TimeoutsOf<Types>]: TimeoutEvent<Name, TimeoutsOf<Types>[Name]> }[keyof TimeoutsOf<Types>]

/** An event of any machine. */
export type AnyEvent =
  | CallEvent
  | CastEvent
  | InfoEvent
  | InternalEvent
  | StateTimeoutEvent
  | EventTimeoutEvent
  | TimeoutEvent

/** Which timeout: there is one of a state, one between events, and one of each name. */
export type TimeoutKey = 'state_timeout' | 'event_timeout' | `timeout:${string}`

const NAMED = 'timeout:'

/** The event of a timeout that is over. */
export function timeoutEvent(key: TimeoutKey, content: unknown): AnyEvent {
  return key === 'state_timeout' || key === 'event_timeout'
    ? { type: key, content }
    : { type: 'timeout', name: key.slice(NAMED.length), content }
}

export function isTimeoutKey(key: unknown): key is TimeoutKey {
  return key === 'state_timeout' || key === 'event_timeout' || (typeof key === 'string' && key.startsWith(NAMED))
}

/** Whether a value that isn't held to the types is an event. */
export function isEvent(value: unknown): value is AnyEvent {
  if (typeof value !== 'object' || value === null) return false
  const { type, from, name } = value as { readonly type?: unknown; readonly from?: unknown; readonly name?: unknown }
  switch (type) {
    case 'call':
      return isFrom(from)
    case 'timeout':
      return typeof name === 'string'
    case 'cast':
    case 'info':
    case 'internal':
    case 'state_timeout':
    case 'event_timeout':
      return true
    default:
      return false
  }
}
