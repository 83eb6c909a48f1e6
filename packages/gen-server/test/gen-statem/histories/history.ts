/**
 * A history of one state machine: what it is sent, and what each of its callbacks returns, whichever is called. Played by ours.ts, model.ts and beam.ts.
 *
 * The n-th callback that runs gives the n-th of `returns`: `event` if it is for an event, `enter` if it is for a state. After the last it keeps its state.
 */
import fc from 'fast-check'

export const STATES = ['a', 'b', 'c'] as const
export const KEYS = ['state_timeout', 'event_timeout', 'timeout:x', 'timeout:y'] as const
export const CALLS = [0, 1, 2, 3] as const

export type StateName = (typeof STATES)[number]
export type Key = (typeof KEYS)[number]

export type Act =
  | { readonly type: 'reply'; readonly call: number }
  | { readonly type: 'postpone' }
  | { readonly type: 'insert'; readonly as: 'internal' | 'cast' | 'info'; readonly content: number }
  /** `far`: later than the history lasts. */
  | { readonly type: 'start'; readonly key: Key; readonly time: 'zero' | 'far' | 'infinity'; readonly content: number }
  | { readonly type: 'update'; readonly key: Key; readonly content: number }
  | { readonly type: 'cancel'; readonly key: Key }
  | { readonly type: 'hibernate' }
  | { readonly type: 'bad' }
  | { readonly type: 'bad_reply' }

export type Return =
  | { readonly type: 'next'; readonly state: StateName; readonly acts: readonly Act[] }
  | { readonly type: 'keep'; readonly acts: readonly Act[] }
  | { readonly type: 'repeat'; readonly acts: readonly Act[] }
  | { readonly type: 'stop' }
  | { readonly type: 'stop_and_reply'; readonly replies: readonly Act[] }
  | { readonly type: 'bad' }

export type Message =
  | { readonly type: 'call'; readonly call: number; readonly content: number }
  | { readonly type: 'cast' | 'info'; readonly content: number }
  /** The timer of a timeout fires, if it is running. Not on BEAM, where none does. */
  | { readonly type: 'fire'; readonly key: Key }

export interface History {
  readonly enters: boolean
  readonly init: readonly Act[]
  readonly returns: readonly { readonly event: Return; readonly enter: Return }[]
  readonly messages: readonly Message[]
}

/** What has been seen: each callback, each reply, and how it ended. */
export type Observation = readonly string[]

const content = fc.nat({ max: 9 })
const call = fc.constantFrom(...CALLS)
const key = fc.constantFrom(...KEYS)
const time = fc.constantFrom('zero', 'far', 'infinity')

const reply: fc.Arbitrary<Act> = fc.record({ type: fc.constant('reply'), call })
const timeout: fc.Arbitrary<Act> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('start'), key, time, content }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('update'), key, content }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('cancel'), key }) },
)
const postpone: fc.Arbitrary<Act> = fc.constant({ type: 'postpone' })
const insert: fc.Arbitrary<Act> = fc.record({
  type: fc.constant('insert'),
  as: fc.constantFrom('internal', 'cast', 'info'),
  content,
})
const hibernate: fc.Arbitrary<Act> = fc.constant({ type: 'hibernate' })
const bad: fc.Arbitrary<Act> = fc.constantFrom({ type: 'bad' }, { type: 'bad_reply' })

const legalAnywhere = [
  { weight: 20, arbitrary: reply },
  { weight: 60, arbitrary: timeout },
  { weight: 4, arbitrary: hibernate },
]
const ofEvents = fc.oneof(
  ...legalAnywhere,
  { weight: 60, arbitrary: postpone },
  { weight: 40, arbitrary: insert },
  { weight: 1, arbitrary: bad },
)
const ofEnters = fc.oneof(...legalAnywhere, { weight: 1, arbitrary: fc.oneof(postpone, insert, bad) })
const state = fc.constantFrom(...STATES)

function returnOf(
  act: fc.Arbitrary<Act>,
  weights: { readonly next: number; readonly keep: number },
): fc.Arbitrary<Return> {
  const acts = fc.array(act, { maxLength: 4 })
  return fc.oneof(
    { weight: weights.next, arbitrary: fc.record({ type: fc.constant('next'), state, acts }) },
    { weight: weights.keep, arbitrary: fc.record({ type: fc.constant('keep'), acts }) },
    { weight: 15, arbitrary: fc.record({ type: fc.constant('repeat'), acts }) },
    { weight: 1, arbitrary: fc.constant({ type: 'stop' }) },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('stop_and_reply'),
        replies: fc.array(fc.oneof({ weight: 9, arbitrary: reply }, { weight: 1, arbitrary: fc.oneof(bad, postpone) })),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ type: 'bad' }) },
  )
}

/** @param fires whether timers may fire */
export function histories(fires: boolean): fc.Arbitrary<History> {
  const message: fc.Arbitrary<Message> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ type: fc.constant('call'), call, content }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('cast', 'info'), content }) },
    { weight: fires ? 4 : 0, arbitrary: fc.record({ type: fc.constant('fire'), key }) },
  )
  return fc.record({
    enters: fc.boolean(),
    init: fc.array(fc.oneof({ weight: 30, arbitrary: ofEnters }, { weight: 10, arbitrary: insert }), { maxLength: 3 }),
    returns: fc.array(
      fc.record({
        event: returnOf(ofEvents, { next: 35, keep: 60 }),
        enter: returnOf(ofEnters, { next: 1, keep: 60 }),
      }),
      { maxLength: 40 },
    ),
    messages: fc.array(message, { maxLength: 15 }),
  })
}
