/**
 * A state machine whose callbacks return what a test says, and that writes down what happens to it.
 */
import {
  GenStatem,
  start,
  type Action,
  type Call,
  type EnterResult,
  type EventResult,
  type From,
  type InitAction,
  type ReplyAction,
  type ServerPid,
  type StatemEvent,
  type StatemInitResult,
} from '@pidmesh/gen-server'
import type { ExitReason } from '@pidmesh/runtime'
import type { Lab } from '../lab.ts'

export type PuppetCall = Call<{ type: 'go' }, string>

export interface PuppetTypes {
  state: 'a' | 'b' | 'c' | { type: 'd'; tags: readonly string[]; at?: unknown; until?: unknown }
  calls: PuppetCall
  casts: string
  internal: string
  stateTimeout: string
  eventTimeout: string
  timeouts: { x: string; y: string }
}

export type PuppetEvent = StatemEvent<PuppetTypes>
export type PuppetState = PuppetTypes['state']
export type PuppetPid = ServerPid<PuppetCall, string>

/** What each callback returns, or throws; nothing: the machine keeps its state. */
export interface Script {
  readonly init?: (make: Make) => unknown
  readonly event?: (make: Make, event: PuppetEvent, state: PuppetState) => unknown
  readonly enter?: (make: Make, state: PuppetState, previous: PuppetState) => unknown
  readonly terminate?: () => unknown
  readonly maxHeldEvents?: number
}

class Plain extends GenStatem<PuppetTypes> {
  #script: Script = {}
  #seen: string[] = []

  override init(script: Script, seen: string[]): StatemInitResult<PuppetState> {
    this.#script = script
    this.#seen = seen
    return (script.init === undefined ? this.ok('a') : script.init(this.make)) as never
  }

  override handleEvent(event: PuppetEvent, state: PuppetState): EventResult<PuppetState> {
    this.#seen.push(`${textOf(event)} in ${nameOf(state)}`)
    const { event: act } = this.#script
    return (act === undefined ? this.keepState() : act(this.make, event, state)) as never
  }

  override terminate(reason: ExitReason, state: PuppetState): void {
    const text = typeof reason === 'string' ? reason : Object.keys(reason).join()
    this.#seen.push(`terminate ${text} in ${nameOf(state)}`)
    return this.#script.terminate?.() as never
  }

  protected override get maxHeldEvents(): number {
    return this.#script.maxHeldEvents ?? super.maxHeldEvents
  }

  /** `handleEnter` of the machine that has one. */
  protected enterState(state: PuppetState, previous: PuppetState): EnterResult {
    this.#seen.push(`enter ${nameOf(state)} from ${nameOf(previous)}`)
    return this.#script.enter?.(this.make, state, previous) as never
  }

  /** The ways to make results and actions, for scripts. */
  get make() {
    const go: PuppetCall = { type: 'go' }
    return {
      log: (text: string): unknown => this.#seen.push(text),
      ok: (state: PuppetState, ...actions: InitAction[]) => this.ok(state, ...actions),
      ignore: () => this.ignore(),
      stop: (reason: ExitReason) => this.stop(reason),
      next: (state: PuppetState, ...actions: Action[]) => this.nextState(state, ...actions),
      keep: (...actions: Action[]) => this.keepState(...actions),
      repeat: (...actions: Action[]) => this.repeatState(...actions),
      stopAndReply: (reason: ExitReason, ...replies: ReplyAction[]) => this.stopAndReply(reason, ...replies),
      postpone: () => this.postpone(),
      insert: (content: string) => this.nextEvent({ type: 'internal', content }),
      insertEvent: (event: PuppetEvent) => this.nextEvent(event),
      hibernate: () => this.hibernate(),
      reply: (value: string) => this.reply(go, value),
      answer: (from: From, value: string) => this.answer(this.defer(go, from), value),
      replyTo: (from: From, value: string) => this.replyTo(this.defer(go, from), value),
      unhandled: (event: Exclude<PuppetEvent, { type: 'call' }>) => this.unhandled(event),
      stateTimeout: (ms: number, content: string) => this.stateTimeout(ms, content),
      updateStateTimeout: (content: string) => this.stateTimeout('update', content),
      cancelStateTimeout: () => this.stateTimeout('cancel'),
      eventTimeout: (ms: number, content: string) => this.eventTimeout(ms, content),
      updateEventTimeout: (content: string) => this.eventTimeout('update', content),
      cancelEventTimeout: () => this.eventTimeout('cancel'),
      timeout: (name: 'x' | 'y', ms: number, content: string) => this.timeout(name, ms, content),
      updateTimeout: (name: 'x' | 'y', content: string) => this.timeout(name, 'update', content),
      cancelTimeout: (name: 'x' | 'y') => this.timeout(name, 'cancel'),
    }
  }
}

export type Make = Plain['make']

/** With `handleEnter`. */
class Entering extends Plain {
  override handleEnter(state: PuppetState, previous: PuppetState): EnterResult {
    return this.enterState(state, previous)
  }
}

export { Entering as EnteringPuppet, Plain as Puppet }

/** Starts a puppet; it has `handleEnter` if the script has `enter`. */
export async function play(lab: Lab, script: Script): Promise<{ pid: PuppetPid; seen: string[] }> {
  const seen: string[] = []
  const pid = await lab.run(start(lab.a, script.enter === undefined ? Plain : Entering, [script, seen]))
  await lab.settle()
  return { pid: pid as PuppetPid, seen }
}

export function textOf(event: PuppetEvent): string {
  switch (event.type) {
    case 'call':
      return 'call'
    case 'cast':
      return `cast ${event.request}`
    case 'info':
      return `info ${(event.message as { readonly type: string }).type}`
    case 'timeout':
      return `timeout ${event.name} ${event.content}`
    case 'internal':
    case 'state_timeout':
    case 'event_timeout':
      return `${event.type} ${event.content}`
  }
}

function nameOf(state: PuppetState): string {
  return typeof state === 'string' ? state : `${state.type}[${state.tags.join()}]`
}
