/**
 * What the code of servers and callers throws, rejects and forgets.
 */
import {
  call,
  cast,
  DynamicSupervisor,
  enterLoop,
  GenServer,
  GenStatem,
  start,
  Supervisor,
  sys,
  type Call,
  type ContinueResult,
  type EventResult,
  type StatemEvent,
} from '@pidmesh/gen-server'
import { handler, type Node, type Pid } from '@pidmesh/runtime'
import { faultsOf, TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { untyped } from './lab.ts'

let cluster: TestCluster
let a: Node

beforeEach(async () => {
  cluster = new TestCluster()
  a = await cluster.start('a')
})

afterEach(async () => {
  await cluster.stop()
})

class Mute extends GenServer<Call<{ type: 'x' }, never>, () => number> {
  override handleCall() {
    return this.noreply()
  }
  override handleCast(): void {}
}

describe('call', () => {
  it('of two calls side by side, of which one is awaited, a kill makes no unhandled rejection', async () => {
    const server = await cluster.run(start(a, Mute, []))
    const faults = await faultsOf(async () => {
      const pid = a.spawn(async (self) => {
        const first = call(self, server, { type: 'x' })
        const second = call(self, server, { type: 'x' })
        await first
        await second
      })
      await cluster.settle()
      a.exit(pid, 'kill')
      await cluster.settle()
      expect(a.isProcessAlive(pid)).toBe(false)
    })
    expect(faults).toEqual([])
  })
})

describe('an address that is none', () => {
  it.each([null, 5, '', {}, Object.create(null), Symbol('x')])(
    'is told at the caller, whatever it is',
    async (address) => {
      const failed = expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' })
      const calling: unknown = await cluster.run(call(a, untyped(address), untyped(1)).catch((error: unknown) => error))
      expect(calling).toEqual(failed)
      expect(() => cast(a, untyped(address), 1)).toThrowError(failed)
    },
  )
})

describe('cast', () => {
  it('throws at the caller what can not be sent to another node, and takes it for a server of the same node', async () => {
    const b = await cluster.start('b')
    const server = await cluster.run(start(a, Mute, []))
    expect(() => cast(b, server, () => 1)).toThrowError(expect.objectContaining({ code: 'ERR_NOT_SENDABLE' }))
    expect(() => cast(a, server, () => 1)).not.toThrow()
    expect(b.nodes()).toEqual([a.name])
  })
})

describe('messages of the protocol of servers', () => {
  const garbage: unknown[] = [
    { type: '$gen_call' },
    { type: '$gen_call', from: null, request: 1 },
    { type: '$gen_call', from: { pid: 7, tag: 7 }, request: 1 },
    { type: '$gen_ready' },
    { type: '$gen_ready', replyTo: 'nobody' },
  ]

  it.each(garbage)('that are malformed are as any other message: %j', async (message) => {
    const got: unknown[] = []
    class Listener extends GenServer {
      override handleInfo(info: unknown) {
        got.push(info)
      }
    }
    const server = await cluster.run(start(a, Listener, []))
    a.send(server, message)
    await cluster.settle()
    expect(got).toEqual([message])
    expect(a.isProcessAlive(server)).toBe(true)
  })
})

describe('messages of the same node that throw when they are looked at', () => {
  const broken = (): never => {
    throw new Error('not to be looked at')
  }
  const withGetters = (type: string): object =>
    Object.defineProperties({ type }, { from: { get: broken }, reason: { get: broken }, request: { get: broken } })
  const messages: Record<string, unknown> = {
    'a call': withGetters('$gen_call'),
    'a cast': withGetters('$gen_cast'),
    'an exit': withGetters('EXIT'),
    'a system message': withGetters('$system'),
    'a proxy': new Proxy({ type: 'x' }, { getPrototypeOf: broken }),
    'a proxy of an idle note': new Proxy({ type: '$idle' }, { getPrototypeOf: broken }),
    'a proxy of a note': new Proxy({ type: '$note' }, { getPrototypeOf: broken }),
  }

  class Listener extends GenServer {
    override handleInfo() {}
  }
  class Machine extends GenStatem<{ state: 'only' }> {
    override init() {
      return this.ok('only')
    }
    override handleEvent() {
      return this.keepState()
    }
  }

  it.each(Object.entries(messages))('end no server of any kind, suspended or not: %s', async (_name, message) => {
    const suspended = await cluster.run(start(a, Listener, []))
    await cluster.run(sys.suspend(a, suspended))
    const servers: Pid[] = [
      suspended,
      await cluster.run(start(a, Listener, [])),
      await cluster.run(start(a, Machine, [])),
      await cluster.run(Supervisor.start(a, {}, [])),
      await cluster.run(DynamicSupervisor.start(a)),
    ]
    for (const server of servers) a.send(server, message)
    await cluster.settle()
    await cluster.run(sys.resume(a, suspended))
    await cluster.settle()
    expect(servers.map((server) => a.isProcessAlive(server))).toEqual([true, true, true, true, true])
  })
})

describe('the code of a server that is killed in the midst of a callback', () => {
  /** Waits in its callbacks for `go`, and tells which ran. */
  let go: () => void
  let ran: string[]
  const wait = (): Promise<void> => new Promise((resolve) => (go = resolve))

  beforeEach(() => {
    ran = []
  })

  class Worker extends GenServer<never, 'stop' | 'continue', 'more'> {
    override async handleCast(how: 'stop' | 'continue') {
      await wait()
      return how === 'stop' ? this.stop('done') : this.noreply({ continue: 'more' })
    }
    override async handleContinue() {
      ran.push('handleContinue')
      await wait()
      return this.noreply({ continue: 'more' })
    }
    override terminate() {
      ran.push('terminate')
    }
  }

  it.each(['stop', 'continue'] as const)('runs no more when that returns: %s', async (how) => {
    const server = await cluster.run(start(a, Worker, []))
    cast(a, server, how)
    await cluster.settle()
    a.exit(server, 'kill')
    await cluster.settle()
    go()
    await cluster.settle()
    expect(ran).toEqual([])
  })

  it('runs no more if it would go on for ever', async () => {
    const server = await cluster.run(start(a, Worker, []))
    cast(a, server, 'continue')
    await cluster.settle()
    go()
    await cluster.settle()
    expect(ran).toEqual(['handleContinue'])
    a.exit(server, 'kill')
    await cluster.settle()
    go()
    await cluster.settle()
    expect(ran).toEqual(['handleContinue'])
  })

  it('runs no more if it has killed itself, and has not waited: neither that of a GenServer nor of a GenStatem', async () => {
    class Server extends GenServer<never, 'stop' | 'continue', 'more'> {
      override handleCast(how: 'stop' | 'continue') {
        this.self.exit(this.pid, 'kill')
        return how === 'stop' ? this.stop('done') : this.noreply({ continue: 'more' })
      }
      override handleContinue() {
        ran.push('handleContinue')
      }
      override terminate() {
        ran.push('terminate')
      }
    }
    class Machine extends GenStatem<{ state: 'only'; casts: 'go'; internal: 'more' }> {
      override init() {
        return this.ok('only')
      }
      override handleEvent(event: { type: string }) {
        ran.push(event.type)
        this.self.exit(this.pid, 'kill')
        return this.keepState(this.nextEvent({ type: 'internal', content: 'more' }))
      }
    }
    const server = await cluster.run(start(a, Server, []))
    cast(a, server, 'stop')
    const other = await cluster.run(start(a, Server, []))
    cast(a, other, 'continue')
    const machine = await cluster.run(start(a, Machine, []))
    cast(a, machine, 'go')
    await cluster.settle()
    expect(ran).toEqual(['cast'])
  })
})

describe('a server that goes on by itself for ever', () => {
  const later = (): Promise<void> => Promise.resolve()

  class Continues extends GenServer<never, 'go', 'more'> {
    override handleCast() {
      return this.noreply({ continue: 'more' })
    }
    override handleContinue(): ContinueResult | Promise<ContinueResult> {
      return this.noreply({ continue: 'more' })
    }
  }
  class ContinuesLater extends Continues {
    override async handleContinue() {
      await later()
      return this.noreply({ continue: 'more' })
    }
  }
  class Inserts extends GenStatem<{ state: 'only'; casts: 'go'; internal: 'more' }> {
    override init() {
      return this.ok('only')
    }
    override handleEvent(): EventResult<'only'> | Promise<EventResult<'only'>> {
      return this.keepState(this.nextEvent({ type: 'internal', content: 'more' }))
    }
  }
  class InsertsLater extends Inserts {
    override async handleEvent() {
      await later()
      return this.keepState(this.nextEvent({ type: 'internal', content: 'more' }))
    }
  }

  it.each([Continues, ContinuesLater, Inserts, InsertsLater])(
    'lets others have their turn, and can be killed: %o',
    async (server) => {
      const pid = await cluster.run(start<never, 'go', [], void, unknown>(a, untyped(server), []))
      const ended = new Promise<unknown>((resolve) => {
        a.spawn(async (self) => {
          cast(self, pid, 'go')
          for (let turns = 0; turns < 10; turns++)
            await self.awaitDown(
              self.spawn(() => undefined),
              Infinity,
            )
          const down = self.awaitDown(pid, Infinity)
          self.exit(pid, 'kill')
          resolve(await down)
        })
      })
      expect(await cluster.run(ended)).toBe('killed')
    },
  )
})

describe('terminate', () => {
  class Stubborn extends GenServer<never, 'throw' | 'reject' | 'never'> {
    private how = ''

    override handleCast(how: 'throw' | 'reject' | 'never') {
      this.how = how
      return this.stop('bye')
    }

    override terminate(): void | Promise<void> {
      if (this.how === 'throw') throw new Error('thrown')
      if (this.how === 'reject') return Promise.reject(new Error('rejected'))
      return new Promise(() => undefined)
    }
  }

  it.each(['throw', 'reject', 'never'] as const)(
    'that should %s makes no unhandled rejection, also if a kill comes upon it',
    async (how) => {
      const server = await cluster.run(start(a, Stubborn, []))
      const faults = await faultsOf(async () => {
        cast(a, server, how)
        await cluster.settle()
        a.exit(server, 'kill')
        await cluster.settle()
      })
      expect(faults).toEqual([])
      expect(a.isProcessAlive(server)).toBe(false)
    },
  )
})

describe('the log, of a message for which there is no handleInfo,', () => {
  class Latch extends GenStatem<{ state: 'shut' }> {
    override init() {
      return this.ok('shut')
    }
    override handleEvent(event: StatemEvent<{ state: 'shut' }>) {
      return this.unhandled(event)
    }
  }

  it.each([
    ['a server', (): Promise<Pid> => start(a, Mute, [], { trapExit: true })],
    ['a state machine', (): Promise<Pid> => start(a, Latch, [], { trapExit: true })],
  ])('says why, if it is an end: %s', async (_what, starting) => {
    const pid = await cluster.run(starting())
    a.exit(pid, { name_conflict: 'doc:1' })
    a.send(pid, { type: 'DOWN', reason: 'x'.repeat(10_000) })
    a.send(pid, { type: 'EXIT', reason: 5 })
    a.send(pid, {
      type: 'EXIT',
      get reason(): never {
        throw new Error('it throws when it is looked at')
      },
    })
    a.send(pid, { type: 'note', reason: 'what nobody is to read' })
    await cluster.settle()
    const lines = cluster.log.lines.filter(({ message }) => message.includes("doesn't handle"))
    expect(lines.map(({ fields }) => [fields['message'], fields['reason']])).toEqual([
      ['EXIT', '{"name_conflict":"doc:1"}'],
      ['DOWN', 'x'.repeat(4_096)],
      ['EXIT', undefined],
      ['EXIT', undefined],
      ['note', undefined],
    ])
    expect(a.isProcessAlive(pid)).toBe(true)
  })
})

describe('a class', () => {
  /** What it says of itself. */
  type Who = Call<{ type: 'who' }, string>

  class Room extends GenServer<Who> {
    members = 0
    enter(): void {
      this.members++
    }
    override init() {
      this.enter()
    }
    override handleCall(request: Who) {
      return this.reply(request, `${this.members} on ${this.node}`)
    }
  }

  type JobTypes = { state: 'waits' | 'runs'; calls: Who }
  class Job extends GenStatem<JobTypes> {
    enter(): 'waits' {
      return 'waits'
    }
    begin(): 'runs' {
      return 'runs'
    }
    override init() {
      return this.ok(this.enter())
    }
    override handleEvent(event: StatemEvent<JobTypes>, state: JobTypes['state']) {
      if (event.type === 'info') return this.unhandled(event)
      return this.nextState(this.begin(), this.reply(event.request, `${state} on ${this.node}`))
    }
  }

  it('may have methods of its own with whatever names this package calls its servers by', async () => {
    const ask = async (server: Pid): Promise<unknown> => call(a, server, { type: 'who' })
    const room = await cluster.run(start(a, Room, []))
    expect(await cluster.run(ask(room))).toBe('1 on a@127.0.0.1')
    const loop = a.spawn(handler((self) => enterLoop(self, new Room())))
    expect(await cluster.run(ask(loop))).toBe('0 on a@127.0.0.1')
    const job = await cluster.run(start(a, Job, []))
    expect([await cluster.run(ask(job)), await cluster.run(ask(job))]).toEqual([
      'waits on a@127.0.0.1',
      'runs on a@127.0.0.1',
    ])
  })
})
