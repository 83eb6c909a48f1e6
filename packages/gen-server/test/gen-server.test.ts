import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { handler, hasType, via, type ExitReason, type Node, type Pid, type Via } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import {
  call,
  type CallError,
  cast,
  GenServer,
  reply,
  start,
  startLink,
  type Call,
  type From,
  type ServerPid,
} from '@pidmesh/gen-server'

type CounterCall =
  | Call<{ type: 'get' }, number>
  | Call<{ type: 'add'; by: number }, number>
  | Call<{ type: 'describe' }, { text: string }>
  | Call<{ type: 'wait' }, string>
  | Call<{ type: 'stop'; reason: string }, 'bye'>
  | Call<{ type: 'crash' }, never>
  | Call<{ type: 'call_yourself' }, string>
type CounterCast = { type: 'reset' } | { type: 'release'; with: string } | { type: 'stop' }

class Counter extends GenServer<CounterCall, CounterCast> {
  private count = 0
  private waiting: Array<From<string>> = []
  private log2: string[] = []

  override init(start: number, log: string[] = []) {
    if (start < 0) return this.stop('negative')
    this.count = start
    this.log2 = log
    return undefined
  }

  override handleCall(request: CounterCall, from: From) {
    switch (request.type) {
      case 'get':
        return this.reply(request, this.count)
      case 'add':
        return this.reply(request, (this.count += request.by))
      case 'describe':
        return this.reply(request, { text: `count is ${this.count}` })
      case 'wait':
        this.waiting.push(this.defer(request, from))
        return this.noreply()
      case 'stop':
        return this.stopAfterReply(request, 'bye', request.reason)
      case 'crash':
        throw new RangeError('crashed on demand')
      case 'call_yourself':
        return this.callMyself()
    }
  }

  override handleCast(request: CounterCast) {
    switch (request.type) {
      case 'reset':
        this.count = 0
        return this.noreply()
      case 'release':
        for (const from of this.waiting.splice(0)) this.replyTo(from, request.with)
        return this.noreply()
      case 'stop':
        return this.stop('normal')
    }
  }

  override handleInfo(message: unknown) {
    if (hasType(message, 'note')) this.log2.push('note')
  }

  override terminate(reason: ExitReason) {
    this.log2.push(`terminate ${typeof reason === 'string' ? reason : JSON.stringify(Object.keys(reason))}`)
  }

  private async callMyself() {
    await this.call(this.pid, { type: 'get' })
    return this.noreply()
  }
}

let cluster: TestCluster
let a: Node
let b: Node

beforeEach(async () => {
  cluster = new TestCluster()
  a = await cluster.start('a')
  b = await cluster.start('b')
})

afterEach(async () => {
  await cluster.stop()
})

async function failure(promise: Promise<unknown>): Promise<CallError> {
  return cluster.run(
    promise.then(
      () => Promise.reject(new Error('it did not fail')),
      (error: unknown) => error as CallError,
    ),
  )
}

describe('call', () => {
  it('the reply and its type follow from the request, on the same node and from another', async () => {
    const counter = await cluster.run(start(a, Counter, [5]))
    const sum = await cluster.run(call(a, counter, { type: 'add', by: 2 }))
    expectTypeOf(sum).toEqualTypeOf<number>()
    expect(sum).toBe(7)
    const text = await cluster.run(call(b, counter, { type: 'describe' }))
    expectTypeOf(text).toEqualTypeOf<{ text: string }>()
    expect(text).toEqual({ text: 'count is 7' })
  })

  it('the stack of one that fails leads to who called', async () => {
    const counter = await cluster.run(start(a, Counter, [0]))
    const askInVain = async (): Promise<unknown> => await call(a, counter, { type: 'wait' }, 100)
    expect((await failure(askInVain())).stack).toContain('askInVain')
  })

  it('a wrong request, a wrong cast, wrong arguments and a wrong reply do not compile', () => {
    const never = () => {
      const counter = undefined as unknown as ServerPid<CounterCall, CounterCast>
      // @ts-expect-error -- there is no such request
      void call(a, counter, { type: 'multiply' })
      // @ts-expect-error -- `by` is a number
      void call(a, counter, { type: 'add', by: '2' })
      // @ts-expect-error -- a cast is no call
      void call(a, counter, { type: 'reset' })
      // @ts-expect-error -- there is no such cast
      cast(a, counter, { type: 'add', by: 2 })
      // @ts-expect-error -- init takes a number
      void start(a, Counter, ['5'])
      class Wrong extends GenServer<CounterCall> {
        override handleCall(request: CounterCall) {
          // @ts-expect-error -- the reply of `get` is a number
          if (request.type === 'get') return this.reply(request, 'text')
          return this.noreply()
        }
      }
      class Forgetful extends GenServer<CounterCall> {
        // @ts-expect-error -- a request is forgotten
        override handleCall(request: CounterCall) {
          if (request.type === 'get') return this.reply(request, 1)
          if (request.type === 'add') return this.reply(request, 2)
        }
      }
      return [Wrong, Forgetful]
    }
    expect(never).toBeTypeOf('function')
  })

  it('noreply now and a reply later, also from another process on another node', async () => {
    const counter = await cluster.run(start(a, Counter, [0]))
    const waiting = call(b, counter, { type: 'wait' })
    await cluster.advance(10)
    cast(a, counter, { type: 'release', with: 'freedom' })
    await expect(cluster.run(waiting)).resolves.toBe('freedom')

    class Delegating extends GenServer<Call<{ type: 'ask' }, string>> {
      override init(readonly: { delegate: Pid }) {
        this.delegate = readonly.delegate
      }
      private delegate: Pid | undefined
      override handleCall(request: Call<{ type: 'ask' }, string>, from: From) {
        if (this.delegate !== undefined) this.self.send(this.delegate, { from: this.defer(request, from) })
        return this.noreply()
      }
    }
    const delegate = b.spawn(
      handler((self) => (message) => reply(self, (message as { from: From<string> }).from, 'from b')),
    )
    const server = await cluster.run(start(a, Delegating, [{ delegate }]))
    await expect(cluster.run(call(a, server, { type: 'ask' }))).resolves.toBe('from b')
  })

  it('fails with timeout, noproc, nodedown, calling_self or the reason of the server', async () => {
    const counter = await cluster.run(start(a, Counter, [0], { name: 'counter' }))
    expect(await failure(call(b, counter, { type: 'wait' }, 100))).toMatchObject({
      code: 'ERR_CALL_TIMEOUT',
      serverReason: 'timeout',
    })
    expect(await failure(call(a, 'nobody', {}))).toMatchObject({ code: 'ERR_CALL_NOPROC', serverReason: 'noproc' })
    expect(await failure(call(b, { name: 'nobody', node: a.name }, {}))).toMatchObject({ code: 'ERR_CALL_NOPROC' })
    const pending = call(b, { name: 'counter', node: a.name }, { type: 'wait' })
    pending.catch(() => undefined)
    await cluster.advance(10)
    cluster.crash('a')
    expect(await failure(pending)).toMatchObject({ code: 'ERR_CALL_NODEDOWN', serverReason: 'nodedown' })
    expect(await failure(call(b, 5 as never, {}))).toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
    const other = await cluster.run(start(b, Counter, [0]))
    expect(await failure(call(b, other, { type: 'call_yourself' }))).toMatchObject({
      code: 'ERR_CALL_EXIT',
      serverReason: { call_failed: 'calling_self' },
    })
  })

  it('a crash in a callback fails the call with the error as data, and makes one crash report', async () => {
    const counter = await cluster.run(start(a, Counter, [0]))
    expect(await failure(call(b, counter, { type: 'crash' }))).toMatchObject({
      code: 'ERR_CALL_EXIT',
      serverReason: { error: { name: 'RangeError', message: 'crashed on demand' } },
    })
    expect(cluster.log.lines.filter((line) => line.fields['report'] === 'crash')).toHaveLength(1)
  })

  it('a server is found by its name on a node, and by its name in a Via', async () => {
    await cluster.run(start(a, Counter, [3], { name: 'counter' }))
    expect(await cluster.run(call(a, 'counter', { type: 'get' }))).toBe(3)
    expect(await cluster.run(call(b, { name: 'counter', node: a.name }, { type: 'get' }))).toBe(3)

    const table = new Map<string, Pid>()
    const names: Via = {
      registerName: (name, pid) => (table.has(name) ? 'no' : (table.set(name, pid), 'yes')),
      unregisterName: (name) => (table.delete(name), 'ok'),
      whereisName: (name) => table.get(name),
      resolveName: async (name) => table.get(name),
      send: (name, message) => {
        const pid = table.get(name)
        return pid === undefined ? 'noproc' : a.send(pid, message)
      },
      setMeta: () => 'ok',
    }
    await cluster.run(start(a, Counter, [4], { name: via(names, 'c') }))
    expect(await cluster.run(call(a, via(names, 'c'), { type: 'get' }))).toBe(4)
    cast(a, via(names, 'c'), { type: 'reset' })
    expect(await cluster.run(call(a, via(names, 'c'), { type: 'get' }))).toBe(0)
    expect(await failure(start(a, Counter, [4], { name: via(names, 'c') }))).toMatchObject({
      code: 'ERR_ALREADY_STARTED',
      pid: table.get('c'),
    })
  })
})

describe('cast', () => {
  it('never fails, whoever it is for', async () => {
    const counter = await cluster.run(start(a, Counter, [5]))
    cast(b, counter, { type: 'reset' })
    await cluster.advance(10)
    expect(await cluster.run(call(a, counter, { type: 'get' }))).toBe(0)
    cast(a, 'nobody', {})
    cast(a, { name: 'nobody', node: b.name }, {})
    cast(a, counter, { type: 'stop' })
    await cluster.settle()
    cast(a, counter, { type: 'reset' })
  })
})

describe('start', () => {
  it('a failed init fails the start with its reason, and the name is free by then', async () => {
    expect(await failure(start(a, Counter, [-1], { name: 'counter' }))).toMatchObject({
      code: 'ERR_START_FAILED',
      reason: 'negative',
    })
    expect(a.whereis('counter')).toBeUndefined()
    await expect(cluster.run(start(a, Counter, [1], { name: 'counter' }))).resolves.toBeDefined()
  })

  it('a name that is taken fails the start with the pid that has it', async () => {
    const first = await cluster.run(start(a, Counter, [1], { name: 'counter' }))
    expect(await failure(start(a, Counter, [1], { name: 'counter' }))).toMatchObject({
      code: 'ERR_ALREADY_STARTED',
      pid: first,
    })
  })

  it('an init that takes too long is killed, and the start fails with timeout', async () => {
    class Slow extends GenServer {
      override init() {
        return new Promise<void>(() => undefined)
      }
    }
    expect(await failure(start(a, Slow, [], { name: 'slow', timeoutMs: 50 }))).toMatchObject({
      code: 'ERR_START_TIMEOUT',
    })
    expect(a.whereis('slow')).toBeUndefined()
  })
})

describe('the end of a server', () => {
  it('a stop with a reply replies first, then runs terminate once, then ends with the reason', async () => {
    const log: string[] = []
    const counter = await cluster.run(start(a, Counter, [0, log]))
    const downs: unknown[] = []
    a.spawn(
      handler((self) => {
        self.monitor(counter)
        return (message) => {
          downs.push(message)
        }
      }),
    )
    await cluster.settle()
    expect(await cluster.run(call(a, counter, { type: 'stop', reason: 'shutdown' }))).toBe('bye')
    await cluster.settle()
    expect(log).toEqual(['terminate shutdown'])
    expect(downs).toMatchObject([{ type: 'DOWN', reason: 'shutdown' }])
    expect(cluster.log.lines.filter((line) => line.fields['report'] === 'crash')).toEqual([])
  })

  it('a parent that exits makes a trapping server run terminate and stop with its reason', async () => {
    const log: string[] = []
    const parent = a.spawn(async (self) => {
      await startLink(self, Counter, [0, log], { trapExit: true, name: 'child' })
      await self.receive('go')
      self.exit('shutdown')
    })
    await cluster.settle()
    expect(a.whereis('child')).toBeDefined()
    a.send(parent, { type: 'go' })
    await cluster.settle()
    expect(log).toEqual(['terminate shutdown'])
    expect(a.whereis('child')).toBeUndefined()
  })

  it('messages that are neither call nor cast go to handleInfo', async () => {
    const log: string[] = []
    const counter = await cluster.run(start(a, Counter, [0, log]))
    a.send(counter, { type: 'note' })
    await cluster.settle()
    expect(log).toEqual(['note'])
  })

  it('an illegal return of a callback ends the server with bad_return_value', async () => {
    class Illegal extends GenServer<Call<{ type: 'x' }, 1>> {
      override handleCall() {
        return 'nonsense' as never
      }
    }
    const server = await cluster.run(start(a, Illegal, []))
    expect(await failure(call(a, server, { type: 'x' }))).toMatchObject({
      serverReason: { bad_return_value: 'nonsense' },
    })
  })
})
