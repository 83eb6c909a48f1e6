/**
 * What doesn't compile. The code is never run: each line with an `@ts-expect-error` is an error of the types, or the check of the types fails.
 */
import {
  call,
  cast,
  child,
  GenStatem,
  start,
  startLink,
  startMonitor,
  stop,
  sys,
  type Call,
  type CallEvent,
  type CastEvent,
  type EventResult,
  type From,
  type InfoEvent,
  type Monitored,
  type ServerPid,
  type StatemEvent,
  type StatemState,
  type StateTimeoutEvent,
  type TimeoutEvent,
} from '@pidmesh/gen-server'
import type { Context, Node } from '@pidmesh/runtime'
import { expect, expectTypeOf, it } from 'vitest'

type DoorCall = Call<{ type: 'unlock'; code: string }, boolean> | Call<{ type: 'knocks' }, number>

interface Door {
  state: { type: 'locked'; attempts: number } | { type: 'open' }
  calls: DoorCall
  casts: { type: 'knock' }
  internal: 'alarm'
  stateTimeout: undefined
  timeouts: { report: undefined; battery: number }
}

class CodeLock extends GenStatem<Door> {
  #knocks = 0

  override init(code: string) {
    if (code === '') return this.stop('no_code')
    return this.ok({ type: 'locked', attempts: 0 }, this.timeout('battery', 60_000, 100))
  }

  override handleEvent(event: StatemEvent<Door>, state: Door['state']) {
    switch (state.type) {
      case 'locked':
        return this.locked(event, state.attempts)
      case 'open':
        return event.type === 'state_timeout' ? this.nextState({ type: 'locked', attempts: 0 }) : this.keepState()
    }
  }

  private locked(event: StatemEvent<Door>, attempts: number) {
    switch (event.type) {
      case 'call':
        if (event.request.type === 'knocks') return this.keepState(this.reply(event.request, this.#knocks))
        return event.request.code === '1234'
          ? this.nextState({ type: 'open' }, this.reply(event.request, true), this.stateTimeout(10_000))
          : this.nextState({ type: 'locked', attempts: attempts + 1 }, this.reply(event.request, false))
      case 'cast':
        this.#knocks++
        return this.keepState(this.nextEvent({ type: 'internal', content: 'alarm' }))
      case 'timeout':
        if (event.name === 'battery') expectTypeOf(event.content).toEqualTypeOf<number>()
        return this.keepState(this.timeout('battery', 'update', 5), this.timeout('report', 'cancel'))
      case 'info':
      case 'internal':
      case 'state_timeout':
        return this.unhandled(event)
    }
  }

  override getData(): { readonly knocks: number } {
    return { knocks: this.#knocks }
  }
}

type DoorPid = ServerPid<DoorCall, { type: 'knock' }, StatemState<Door['state'], { readonly knocks: number }>>

/** Nothing but what is wrong is missing: a machine whose handleEvent is the one of the type. */
abstract class Unfinished extends GenStatem<Door> {
  override init() {
    return this.ok({ type: 'open' })
  }
}

it('types: a machine is started, called, cast and stopped as a GenServer is', () => {
  const right = async (node: Node, self: Context): Promise<void> => {
    const door = await start(node, CodeLock, ['1234'])
    expectTypeOf(door).toEqualTypeOf<DoorPid>()
    expectTypeOf(await startLink(self, CodeLock, ['1234'])).toEqualTypeOf<DoorPid>()
    expectTypeOf(await startMonitor(self, CodeLock, ['1234'])).toEqualTypeOf<Monitored<DoorPid>>()
    expectTypeOf(await call(node, door, { type: 'unlock', code: '1' })).toEqualTypeOf<boolean>()
    expectTypeOf(await call(node, door, { type: 'knocks' })).toEqualTypeOf<number>()
    cast(node, door, { type: 'knock' })
    const { state, data } = await sys.getState(node, door)
    expectTypeOf(state).toEqualTypeOf<Door['state']>()
    expectTypeOf(data).toEqualTypeOf<{ readonly knocks: number }>()
    await sys.replaceState(node, door, (before) => ({ ...before, state: { type: 'open' } }))
    await stop(node, door)
  }
  const wrong = (node: Node, door: DoorPid): void => {
    // @ts-expect-error there is no such request
    void call(node, door, { type: 'knock' })
    // @ts-expect-error there is no such cast
    cast(node, door, { type: 'unlock', code: '1' })
    // @ts-expect-error init takes a text
    void start(node, CodeLock, [1234])
    // @ts-expect-error init takes one
    void start(node, CodeLock, [])
    // @ts-expect-error there is no such state
    void sys.replaceState(node, door, (before) => ({ ...before, state: { type: 'ajar' } }))
  }
  expect([right, wrong]).toHaveLength(2)
})

it('types: a machine is a child of a supervisor, with the arguments of its init', () => {
  const typed = (): void => {
    child(CodeLock, ['1234'], { name: 'door', restart: 'transient' })
    // @ts-expect-error init takes a code
    child(CodeLock, [])
    // @ts-expect-error init takes a text
    child(CodeLock, [1234])
  }
  expect(typed).toBeTypeOf('function')
})

it('types: a machine that may be ignored may be undefined', () => {
  class Choosy extends GenStatem<{ state: 'on' }> {
    override init(wanted: boolean) {
      return wanted ? this.ok('on') : this.ignore()
    }
    override handleEvent() {
      return this.keepState()
    }
  }
  const choose = async (node: Node): Promise<void> => {
    expectTypeOf(await start(node, Choosy, [true])).toExtend<ServerPid<never, never> | undefined>()
    // @ts-expect-error it may be ignored
    void stop(node, await start(node, Choosy, [true]))
  }
  expect(choose).toBeTypeOf('function')
})

it('types: only the events that a machine names can come, and each that it names', () => {
  expectTypeOf<StatemEvent<{ state: 'on' }>>().toEqualTypeOf<InfoEvent>()
  expectTypeOf<StatemEvent<{ state: 'on'; info: 'tick'; stateTimeout: undefined }>>().toEqualTypeOf<
    InfoEvent<'tick'> | StateTimeoutEvent<undefined>
  >()
  expectTypeOf<StatemEvent<{ state: 'on'; casts: string; timeouts: { ping: 1; pong: 2 } }>>().toEqualTypeOf<
    CastEvent<string> | InfoEvent | TimeoutEvent<'ping', 1> | TimeoutEvent<'pong', 2>
  >()
  expectTypeOf<Extract<StatemEvent<Door>, { type: 'call' }>>().toEqualTypeOf<CallEvent<DoorCall>>()
})

it('types: a state or an event that is forgotten does not compile, nor does a name that means nothing', () => {
  class ForgetsAState extends Unfinished {
    // @ts-expect-error what if it is open?
    override handleEvent(event: StatemEvent<Door>, state: Door['state']) {
      if (state.type === 'locked') return event.type === 'call' ? this.keepState(this.postpone()) : this.keepState()
    }
  }
  class ForgetsAnEvent extends Unfinished {
    // @ts-expect-error what of the other timeout, messages, …?
    override handleEvent(event: StatemEvent<Door>) {
      if (event.type === 'call' || event.type === 'cast') return this.keepState()
      if (event.type === 'state_timeout') return this.repeatState()
    }
  }
  class ForgetsAll extends Unfinished {
    // @ts-expect-error nothing is returned
    override handleEvent() {}
  }
  // @ts-expect-error there are no events to handle, and no init
  class ForgetsTheMethods extends GenStatem<Door> {}
  // @ts-expect-error it is called casts
  abstract class Misspelt extends GenStatem<{ state: 'on'; cast: string }> {}
  // @ts-expect-error a state is a text, or has a type
  abstract class Numbered extends GenStatem<{ state: number }> {}
  // @ts-expect-error there is a state to be in
  abstract class Stateless extends GenStatem<{ casts: string }> {}
  expect([ForgetsAState, ForgetsAnEvent, ForgetsAll, ForgetsTheMethods, Misspelt, Numbered, Stateless]).toHaveLength(7)
})

it('types: replies, states, timeouts and inserted events are those of the machine', () => {
  class Wrong extends Unfinished {
    override handleEvent(event: StatemEvent<Door>): EventResult<Door['state']> {
      if (event.type === 'call' && event.request.type === 'unlock') {
        expectTypeOf(this.defer(event.request, event.from)).toEqualTypeOf<From<boolean>>()
        // @ts-expect-error it is answered with a boolean
        this.reply(event.request, 'yes')
        // @ts-expect-error it waits for a boolean
        this.answer(this.defer(event.request, event.from), 'yes')
        // @ts-expect-error it waits for a boolean
        this.replyTo(this.defer(event.request, event.from), 'yes')
        // @ts-expect-error a call must not be left without an answer by mistake
        return this.unhandled(event)
      }
      // @ts-expect-error there is no such state
      if (event.type === 'info') return this.nextState({ type: 'ajar' })
      // @ts-expect-error it has attempts
      if (event.type === 'info') return this.nextState({ type: 'locked' })
      // @ts-expect-error there is no such event
      this.nextEvent({ type: 'internal', content: 'siren' })
      // @ts-expect-error the machine has no event timeout
      this.eventTimeout(5)
      // @ts-expect-error a number of milliseconds
      this.stateTimeout('5')
      // @ts-expect-error it brings nothing along
      this.stateTimeout(5, 'locked')
      // @ts-expect-error there is no such timeout
      this.timeout('batery', 5)
      // @ts-expect-error it brings a number along
      this.timeout('battery', 5)
      // @ts-expect-error it brings a number along
      this.timeout('battery', 'update')
      // @ts-expect-error nothing comes with a cancellation
      this.timeout('battery', 'cancel', 5)
      // @ts-expect-error a reason is a text or an object
      if (event.type === 'info') return this.stop(5)
      // @ts-expect-error only replies
      if (event.type === 'info') return this.stopAndReply('normal', this.postpone())
      // @ts-expect-error to ignore is for init
      if (event.type === 'info') return this.ignore()
      // @ts-expect-error what is a reply alone is an action
      return this.reply({ type: 'knocks' }, 1)
    }
  }
  expect(Wrong).toBeTypeOf('function')
})

it('types: entering a state neither postpones, nor inserts events, nor goes to another one; a start postpones nothing', () => {
  abstract class Entering extends GenStatem<Door> {
    override handleEvent() {
      return this.keepState(this.postpone(), this.nextEvent({ type: 'cast', request: { type: 'knock' } }))
    }
    protected all() {
      return this.keepState(this.stateTimeout(5), this.timeout('report', Infinity), this.hibernate())
    }
  }
  class Right extends Entering {
    override init() {
      return this.ok({ type: 'open' }, this.nextEvent({ type: 'internal', content: 'alarm' }), this.stateTimeout(5))
    }
    override handleEnter(state: Door['state'], previous: Door['state']) {
      if (state.type === 'open') return this.all()
      return previous.type === 'open' ? this.repeatState(this.stateTimeout('cancel')) : this.stop('normal')
    }
  }
  class Postpones extends Unfinished {
    override handleEvent() {
      return this.keepState()
    }
    // @ts-expect-error there is no event to postpone
    override handleEnter() {
      return this.keepState(this.stateTimeout(5), this.postpone())
    }
  }
  class Inserts extends Unfinished {
    override handleEvent() {
      return this.keepState()
    }
    // @ts-expect-error events come from events
    override handleEnter() {
      return this.keepState(this.nextEvent({ type: 'cast', request: { type: 'knock' } }))
    }
  }
  class Leaves extends Unfinished {
    override handleEvent() {
      return this.keepState()
    }
    // @ts-expect-error it has just come
    override handleEnter() {
      return this.nextState({ type: 'open' })
    }
  }
  abstract class Early extends GenStatem<Door> {
    override init() {
      // @ts-expect-error there is no event to postpone
      return this.ok({ type: 'open' }, this.postpone())
    }
  }
  expect([Right, Postpones, Inserts, Leaves, Early]).toHaveLength(5)
})
