/**
 * What doesn't compile. The code is never run: each line with an `@ts-expect-error` is an error of the types, or the check of the types fails.
 */
import {
  abcast,
  call,
  cast,
  checkChildSpecs,
  child,
  GenServer,
  multiCall,
  reply,
  sendRequest,
  start,
  startLink,
  startMonitor,
  sys,
  type Call,
  type From,
  type InitResult,
  type Monitored,
  type MultiCallResult,
  type RequestId,
  type ServerName,
  type ServerPid,
} from '@pidmesh/gen-server'
import type { Context, Node, NodeName } from '@pidmesh/runtime'
import { expect, expectTypeOf, it } from 'vitest'

type CounterCall =
  | Call<{ type: 'get' }, number>
  | Call<{ type: 'add'; by: number }, number>
  | Call<{ type: 'describe' }, { text: string }>
  | Call<{ type: 'crash' }, never>
type CounterCast = { type: 'reset' } | { type: 'set'; to: number }

class Counter extends GenServer<CounterCall, CounterCast, 'load'> {
  #count = 0

  override init(count: number) {
    this.#count = count
  }

  override handleCall(request: CounterCall) {
    switch (request.type) {
      case 'get':
        return this.reply(request, this.#count)
      case 'add':
        return this.reply(request, (this.#count += request.by), { timeoutMs: 1_000 })
      case 'describe':
        return this.reply(request, { text: `${this.#count}` }, { continue: 'load' })
      case 'crash':
        throw new Error('on demand')
    }
  }

  override handleCast(request: CounterCast) {
    this.#count = request.type === 'set' ? request.to : 0
  }

  override getState(): { readonly count: number } {
    return { count: this.#count }
  }
}

type CounterPid = ServerPid<CounterCall, CounterCast, { readonly count: number }>

it('types: the reply of a call follows from its request, however the server is addressed', () => {
  const right = async (node: Node, counter: CounterPid): Promise<void> => {
    expectTypeOf(await call(node, counter, { type: 'add', by: 2 })).toEqualTypeOf<number>()
    expectTypeOf(await call(node, counter, { type: 'describe' })).toEqualTypeOf<{ text: string }>()
    expectTypeOf(await call(node, counter, { type: 'crash' })).toBeNever()
    const name: ServerName<CounterCall, CounterCast> = 'counter'
    expectTypeOf(await call(node, name, { type: 'get' })).toEqualTypeOf<number>()
    // Of whom it isn't known what he takes, it isn't known what he replies.
    expectTypeOf(await call(node, 'anybody', { type: 'get' })).toBeUnknown()
    expectTypeOf(sendRequest(node, counter, { type: 'get' })).toEqualTypeOf<RequestId<number>>()
    const nodes: NodeName[] = []
    expectTypeOf(await multiCall(node, { name, nodes }, { type: 'get' })).toEqualTypeOf<MultiCallResult<number>>()
  }
  void right
})

it('types: a request, a cast, an argument or a reply that is wrong does not compile', () => {
  const wrong = (node: Node, counter: CounterPid, from: From<number>): void => {
    // @ts-expect-error there is no such request
    void call(node, counter, { type: 'multiply' })
    // @ts-expect-error `by` is a number
    void call(node, counter, { type: 'add', by: '2' })
    // @ts-expect-error a cast is no call
    void call(node, counter, { type: 'reset' })
    // @ts-expect-error a call is no cast
    cast(node, counter, { type: 'add', by: 2 })
    // @ts-expect-error there is no such request
    sendRequest(node, counter, { type: 'multiply' })
    const servers = { name: 'counter' as ServerName<CounterCall, CounterCast>, nodes: [] }
    // @ts-expect-error there is no such request
    void multiCall(node, servers, { type: 'multiply' })
    // @ts-expect-error there is no such cast
    abcast(node, servers, { type: 'get' })
    // @ts-expect-error init takes a number
    void start(node, Counter, ['5'])
    // @ts-expect-error init takes one
    void start(node, Counter, [])
    // @ts-expect-error there is no such option
    void start(node, Counter, [5], { nmae: 'counter' })
    // @ts-expect-error this one waits for a number
    reply(node, from, 'text')
  }
  expect(wrong).toBeTypeOf('function')
})

it('types: callbacks return what their methods make, tied to the request, and nothing else', () => {
  class Wrong extends GenServer<CounterCall, CounterCast, 'load'> {
    override handleCall(request: CounterCall, from: From) {
      // @ts-expect-error the reply of `get` is a number
      if (request.type === 'get') return this.reply(request, 'text')
      // @ts-expect-error the reply of `get` is a number
      if (request.type === 'get') return this.stopAfterReply(request, 'text', 'normal')
      // @ts-expect-error there is no such thing to continue with
      if (request.type === 'get') return this.reply(request, 1, { continue: 'save' })
      // @ts-expect-error one of them
      if (request.type === 'get') return this.noreply({ continue: 'load', timeoutMs: 5 })
      // @ts-expect-error a number of milliseconds
      if (request.type === 'get') return this.noreply({ timeoutMs: '5' })
      // @ts-expect-error a reason is a text or an object
      if (request.type === 'get') return this.stop(5)
      if (request.type === 'add') {
        expectTypeOf(this.defer(request, from)).toEqualTypeOf<From<number>>()
        // @ts-expect-error the caller waits for a number
        this.replyTo(this.defer(request, from), 'text')
      }
      return this.noreply()
    }
  }
  class Forgetful extends GenServer<CounterCall> {
    // @ts-expect-error two requests are forgotten
    override handleCall(request: CounterCall) {
      if (request.type === 'get') return this.reply(request, 1)
      if (request.type === 'add') return this.reply(request, 2)
    }
  }
  class Misplaced extends GenServer<CounterCall> {
    // @ts-expect-error to ignore is for init
    override handleCall() {
      return this.ignore()
    }
    // @ts-expect-error a cast has no reply
    override handleCast() {
      const get: Call<{ type: 'get' }, number> = { type: 'get' }
      return this.stopAfterReply(get, 1, 'normal')
    }
    // @ts-expect-error ok is for init
    override handleInfo() {
      return this.ok()
    }
  }
  class NothingToContinue extends GenServer {
    override init() {
      // @ts-expect-error the class doesn't say what it continues with
      return this.ok({ continue: 'load' })
    }
  }
  expect([Wrong, Forgetful, Misplaced, NothingToContinue]).toHaveLength(4)
})

it('types: a class whose callbacks take less than it says is not started, and a reply is one to whatever it may be for', () => {
  type Get = Extract<CounterCall, { type: 'get' }>
  class Narrow extends GenServer<CounterCall, CounterCast> {
    override handleCall(request: Get) {
      return this.reply(request, 1)
    }
  }
  class NarrowCast extends GenServer<CounterCall, CounterCast> {
    override handleCast(_request: { type: 'reset' }) {
      return this.noreply()
    }
  }
  class Loose extends GenServer<CounterCall> {
    override handleCall(request: CounterCall) {
      // @ts-expect-error it is known of one of them only that it is answered with a number
      return this.reply(request, 1)
    }
  }
  type SameCall = Call<{ type: 'a' }, boolean> | Call<{ type: 'b' }, boolean>
  class Same extends GenServer<SameCall> {
    override handleCall(request: SameCall) {
      return this.reply(request, request.type === 'a')
    }
  }
  const wrong = (self: Context): void => {
    // @ts-expect-error three requests are not taken
    void start(self, Narrow, [])
    // @ts-expect-error three requests are not taken
    void startLink(self, Narrow, [])
    // @ts-expect-error one cast is not taken
    void startMonitor(self, NarrowCast, [])
    // @ts-expect-error three requests are not taken
    child(Narrow, [])
    void start(self, Same, [])
  }
  expect([wrong, Loose]).toHaveLength(2)
})

it('types: a class that says that it takes calls, or casts, and has no callback of its own for them is not started', () => {
  class NoCalls extends GenServer<CounterCall, CounterCast> {
    override handleCast(): void {}
  }
  class NoCasts extends GenServer<CounterCall, CounterCast> {
    override handleCall() {
      return this.noreply()
    }
  }
  class Both extends NoCasts {
    override handleCast(request: CounterCast) {
      return super.handleCast(request)
    }
  }
  class Neither extends GenServer {}
  class Any<Calls extends object, Casts> extends GenServer<Calls, Casts> {
    override handleCall(request: Calls, from: From) {
      return super.handleCall(request, from)
    }
    override handleCast(_request: Casts): void {}
  }
  const starts = (self: Context): void => {
    // @ts-expect-error it has no handleCall
    void start(self, NoCalls, [])
    // @ts-expect-error it has no handleCast
    void startLink(self, NoCasts, [])
    // @ts-expect-error it has no handleCast
    void startMonitor(self, NoCasts, [])
    // @ts-expect-error it has no handleCall
    child(NoCalls, [])
    void start(self, Both, [])
    void start(self, Neither, [])
    void start(self, Any<CounterCall, CounterCast>, [])
    void start(self, Any<CounterCall, never>, [])
  }
  expect(starts).toBeTypeOf('function')
})

it('types: a start gives the pid, and ignore only if init may ignore', () => {
  class Bare extends GenServer<CounterCall> {
    override handleCall() {
      return this.noreply()
    }
  }
  class Choosy extends Bare {
    override init(wanted: boolean) {
      if (!wanted) return this.ignore()
      return this.ok()
    }
  }
  class Vague extends GenServer {
    override async init(): Promise<InitResult> {}
  }
  const starts = async (node: Node, self: Context): Promise<void> => {
    expectTypeOf(await start(node, Counter, [5])).toEqualTypeOf<CounterPid>()
    expectTypeOf(await startLink(self, Counter, [5])).toEqualTypeOf<CounterPid>()
    expectTypeOf(await startMonitor(self, Counter, [5])).toEqualTypeOf<Monitored<CounterPid>>()
    expectTypeOf(await start(node, Choosy, [true])).toEqualTypeOf<ServerPid<CounterCall, never> | undefined>()
    expectTypeOf(await start(node, Vague, [])).toExtend<ServerPid<never, never> | undefined>()
    expectTypeOf(await start(node, Bare, [])).toEqualTypeOf<ServerPid<CounterCall, never>>()
    // @ts-expect-error it may be ignored
    void call(node, await start(node, Choosy, [true]), { type: 'get' })
  }
  void starts
})

it('types: a callback that looks only at a part of its requests changes nothing of what the server takes', () => {
  class Partial extends GenServer<CounterCall, { type: 'set'; to: number }> {
    override handleCall(request: object) {
      return this.stop({ no_idea: request })
    }
    override handleCast({ to }: { to: number }) {
      this.log.debug({ to }, 'set')
    }
  }
  const starts = async (node: Node): Promise<void> => {
    const server = await start(node, Partial, [])
    expectTypeOf(server).toEqualTypeOf<ServerPid<CounterCall, { type: 'set'; to: number }>>()
    cast(node, server, { type: 'set', to: 5 })
    // @ts-expect-error it has no type
    cast(node, server, { to: 5 })
  }
  void starts
})

it('types: the state that sys gives and takes is that of getState', () => {
  const states = async (node: Node, counter: CounterPid): Promise<void> => {
    expectTypeOf(await sys.getState(node, counter)).toEqualTypeOf<{ readonly count: number }>()
    expectTypeOf(await sys.getState(node, 'anybody')).toBeUnknown()
    await sys.replaceState(node, counter, ({ count }) => ({ count: count + 1 }))
    // @ts-expect-error count is a number
    await sys.replaceState(node, counter, () => ({ count: 'many' }))
  }
  void states
})

it('types: who takes more may stand where who takes less is wanted, and not the other way round', () => {
  type Get = Call<{ type: 'get' }, number>
  const places = (counter: CounterPid): readonly unknown[] => {
    const less: ServerPid<Get, never> = counter
    const casts: ServerPid<never, { type: 'reset' }> = counter
    // @ts-expect-error -- it takes `get` only
    const more: ServerPid<CounterCall, never> = less
    // @ts-expect-error -- it takes another request
    const other: ServerPid<Call<{ type: 'other' }, number>, never> = counter
    return [casts, more, other]
  }
  expectTypeOf(places).toBeFunction()
})

it('types: who waits for a reply is given no other, however it is kept until then', () => {
  type AskCall = Call<{ type: 'count' }, number> | Call<{ type: 'agree' }, 'yes' | 'no'>
  class Later extends GenServer<AskCall> {
    readonly #counts: From<number>[] = []
    #any: From<number | string> | undefined
    override handleCall(request: AskCall, from: From) {
      // Of an unknown request nothing is known that it could be answered with.
      expectTypeOf(this.defer(request, from)).toEqualTypeOf<From<never>>()
      // @ts-expect-error which of them is it?
      this.#counts.push(this.defer(request, from))
      if (request.type === 'count') {
        this.#counts.push(this.defer(request, from))
        // @ts-expect-error a text could be replied
        this.#any = this.defer(request, from)
      } else {
        const text: string = request.type
        // @ts-expect-error it waits for one of two texts
        this.replyTo(this.defer(request, from), text)
        // @ts-expect-error it waits for one of two texts
        reply(this.self, this.defer(request, from), text)
        this.replyTo(this.defer(request, from), 'yes')
      }
      // What comes with a request takes whatever its author says.
      this.#any = from
      this.replyTo(this.#any, 'text')
      for (const waiting of this.#counts) this.replyTo(waiting, 1)
      return this.noreply()
    }
  }
  expect(Later).toBeTypeOf('function')
})

it('types: the arguments of a start are what init takes, and no more', () => {
  class Limited extends GenServer {
    override init(options: { readonly name: string; readonly limit?: number }, _mode: 'a' | 'b' = 'a') {
      this.log.debug(options, 'limited')
    }
  }
  class Pair<T> extends GenServer {
    override init(value: T, show: (value: T) => string) {
      this.log.debug({ shown: show(value) }, 'a pair')
    }
  }
  class Bare extends GenServer {}
  const starts = (node: Node, self: Context, given: readonly [{ name: string }, 'b']): void => {
    void start(node, Limited, [{ name: 'x', limit: 5 }, 'b'])
    void start(node, Limited, given)
    child(Limited, given)
    void start(node, Pair<number>, [5, (value) => value.toFixed()])
    // @ts-expect-error it is called limit
    void start(node, Limited, [{ name: 'x', limt: 5 }])
    // @ts-expect-error it is called limit
    void startLink(self, Limited, [{ name: 'x', limt: 5 }])
    // @ts-expect-error it is called limit
    child(Limited, [{ name: 'x', limt: 5 }])
    // @ts-expect-error there is no such mode
    void startMonitor(self, Limited, [{ name: 'x' }, 'c'])
    // @ts-expect-error the init of GenServer takes nothing
    void start(node, Bare, [5])
    // @ts-expect-error the init of GenServer takes nothing
    child(Bare, [5])
  }
  expect(starts).toBeTypeOf('function')
})

it('types: an option of a child that is undefined is one that is not given', () => {
  const maybe = (restart: 'temporary' | undefined, id: string | undefined): readonly unknown[] => [
    child(Counter, [5], { restart, id, name: id }),
    // @ts-expect-error a specification has an id
    checkChildSpecs([{ ...child(Counter, [5]), id }]),
    checkChildSpecs([{ ...child(Counter, [5]), restart }])[0]?.restart,
  ]
  expect(maybe).toBeTypeOf('function')
  expect(
    checkChildSpecs([child(Counter, [5], { restart: undefined, id: undefined, shutdown: undefined })]),
  ).toMatchObject([{ id: 'Counter', restart: 'permanent', shutdown: 5_000 }])
})
