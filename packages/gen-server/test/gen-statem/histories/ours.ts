/**
 * Plays histories on the pure core of GenStatem.
 */
import { nodeName, Pid, Ref } from '@pidmesh/runtime'
import type { AnyEvent, State } from '../../../src/gen-statem/events.ts'
import { machineIn, step, type Effect, type Input, type Machine, type Step } from '../../../src/gen-statem/machine.ts'
import type { Action } from '../../../src/gen-statem/results.ts'
import type { From } from '../../../src/protocol.ts'
import { CALLS, type Act, type History, type Key, type Message, type Observation, type Return } from './history.ts'

const FAR_MS = 1_000_000_000
const TIMES = { zero: 0, far: FAR_MS, infinity: Infinity }
const ORIGIN = { name: nodeName('a@127.0.0.1'), incarnation: 1 }
const CALLERS: readonly From[] = CALLS.map((call) => ({
  pid: new Pid(ORIGIN, 1),
  tag: new Ref(ORIGIN, call + 1),
}))

export function playOurs(history: History): Observation {
  const seen: string[] = []
  const returns = [...history.returns]
  let machine: Machine = machineIn('a', { enters: history.enters, maxHeldEvents: 1_000_000 })
  let hasEnded = false
  const started: Input[] = []

  const perform = (effects: readonly Effect[]): Extract<Effect, { type: 'call_event' | 'call_enter' }> | undefined => {
    for (const effect of effects) {
      if (effect.type === 'start_timer') started.push({ ...effect, type: 'timer' })
      if (effect.type === 'reply') seen.push(`reply ${CALLERS.findIndex(({ tag }) => tag.equals(effect.to.tag))}`)
      if (effect.type === 'call_event' || effect.type === 'call_enter') return effect
      if (effect.type === 'stop') {
        const { reason } = effect
        hasEnded = true
        seen.push(`end ${typeof reason === 'string' ? reason : Object.keys(reason).join()} ${nameOf(machine.state)}`)
      }
    }
    return undefined
  }
  /** All that have been started for it: those that are no longer its timer fire late, and are to do nothing. */
  const timersOf = (key: Key): Input[] => started.filter((timer) => timer.type === 'timer' && timer.timeout === key)
  const run = (first: Step): void => {
    let next = first
    for (;;) {
      machine = next.machine
      const called = perform(next.effects)
      if (called === undefined) return
      const given = returns.shift()
      if (called.type === 'call_enter') seen.push(`enter ${nameOf(called.state)} from ${nameOf(called.previous)}`)
      else seen.push(`${textOf(called.event)} in ${nameOf(called.state)}`)
      const result = given?.[called.type === 'call_enter' ? 'enter' : 'event'] ?? { type: 'keep', acts: [] }
      next = step(machine, { type: 'result', result: resultOf(result) })
    }
  }

  run(step(machine, { type: 'begin', actions: history.init.map(actionOf) as never }))
  for (const message of history.messages) {
    if (hasEnded) break
    if (message.type === 'fire') for (const timer of timersOf(message.key)) run(step(machine, timer))
    else run(step(machine, inputOf(message)))
  }
  if (!hasEnded) seen.push(`waits in ${nameOf(machine.state)}`)
  return seen
}

function inputOf(message: Exclude<Message, { type: 'fire' }>): Input {
  switch (message.type) {
    case 'call':
      return { type: 'event', event: { type: 'call', request: message.content, from: callerOf(message.call) } }
    case 'cast':
      return { type: 'event', event: { type: 'cast', request: message.content } }
    case 'info':
      return { type: 'event', event: { type: 'info', message: message.content } }
  }
}

function callerOf(call: number): From {
  const caller = CALLERS[call]
  if (caller === undefined) throw new Error(`there is no call ${call}`)
  return caller
}

function resultOf(given: Return): unknown {
  switch (given.type) {
    case 'next':
      return { type: 'next_state', state: given.state, actions: given.acts.map(actionOf) }
    case 'keep':
      return { type: 'keep_state', actions: given.acts.map(actionOf) }
    case 'repeat':
      return { type: 'repeat_state', actions: given.acts.map(actionOf) }
    case 'stop':
      return { type: 'stop', reason: 'done' }
    case 'stop_and_reply':
      return { type: 'stop_and_reply', reason: 'done', replies: given.replies.map(actionOf) }
    case 'bad':
      return 'bad'
  }
}

function actionOf(act: Act): Action {
  switch (act.type) {
    case 'reply':
      return { type: 'reply', from: callerOf(act.call), value: 'reply' }
    case 'insert':
      return { type: 'next_event', event: eventOf(act.as, act.content) }
    case 'start':
      return { type: 'start_timeout', timeout: act.key, timeoutMs: TIMES[act.time], content: act.content }
    case 'update':
      return { type: 'update_timeout', timeout: act.key, content: act.content }
    case 'cancel':
      return { type: 'cancel_timeout', timeout: act.key }
    case 'postpone':
    case 'hibernate':
      return { type: act.type }
    case 'bad':
      return 'bad' as never
    case 'bad_reply':
      return { type: 'reply', from: 'nobody' as never, value: 'reply' }
  }
}

function eventOf(type: 'internal' | 'cast' | 'info', content: number): AnyEvent {
  if (type === 'internal') return { type, content }
  return type === 'cast' ? { type, request: content } : { type, message: content }
}

function textOf(event: AnyEvent): string {
  switch (event.type) {
    case 'call':
    case 'cast':
      return `${event.type} ${String(event.request)}`
    case 'info':
      return `info ${String(event.message)}`
    case 'timeout':
      return `timeout:${event.name} ${String(event.content)}`
    case 'internal':
    case 'state_timeout':
    case 'event_timeout':
      return `${event.type} ${String(event.content)}`
  }
}

/** The states of histories are texts. */
function nameOf(state: State): string {
  return typeof state === 'string' ? state : state.type
}
