/**
 * `sys` with servers that have no code for it, on the same node and across nodes.
 */
import {
  call,
  cast,
  GenServer,
  GenStatem,
  start,
  startLink,
  sys,
  type Call,
  type ServerPid,
  type Status,
  type SystemEvent,
} from '@pidmesh/gen-server'
import { formatReason, handler, type ExitReason, type Node, type Pid } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { Puppet, untyped, useLab } from './lab.ts'

const lab = useLab()

type TallyCall = Call<{ type: 'get' }, number>
type TallyCast = { type: 'add'; by: number } | { type: 'slow' }

class Tally extends GenServer<TallyCall, TallyCast> {
  #count = 0
  #ends: string[] = []

  override init(count: number, ends: string[] = []) {
    this.#count = count
    this.#ends = ends
  }

  override handleCall(request: TallyCall) {
    return this.reply(request, this.#count)
  }

  override handleCast(request: TallyCast) {
    if (request.type === 'slow') return Promise.resolve(undefined)
    this.#count += request.by
    return undefined
  }

  override getState(): { readonly count: number } {
    return { count: this.#count }
  }

  override replaceState(state: { readonly count: number }) {
    if (typeof state.count !== 'number') throw new TypeError('count is a number')
    this.#count = state.count
  }

  override formatStatus(status: Status): Status {
    return { ...status, state: 'a secret' }
  }

  override terminate(reason: ExitReason) {
    this.#ends.push(formatReason(reason))
  }
}

type Tallied = ServerPid<TallyCall, TallyCast, { readonly count: number }>

const tally = (...args: [count: number, ends?: string[]]): Promise<Tallied> => lab.run(start(lab.a, Tally, args))
const nodes: [string, () => Node][] = [
  ['the same node', () => lab.a],
  ['another node', () => lab.b],
]

describe.each(nodes)('from %s', (_where, node) => {
  it('getState gives the state, with its type', async () => {
    const state = await lab.run(sys.getState(node(), await tally(3)))
    expectTypeOf(state).toEqualTypeOf<{ readonly count: number }>()
    expect(state).toEqual({ count: 3 })
  })

  it('getStatus gives what formatStatus lets be seen, and whether it is suspended', async () => {
    const server = await tally(3)
    const status = { module: 'Tally', state: 'a secret', statistics: undefined }
    await expect(lab.run(sys.getStatus(node(), server))).resolves.toEqual({ ...status, status: 'running' })
    await lab.run(sys.suspend(node(), server))
    await expect(lab.run(sys.getStatus(node(), server))).resolves.toEqual({ ...status, status: 'suspended' })
  })

  it('statistics count messages and replies from on until off', async () => {
    const server = await tally(3)
    await expect(lab.run(sys.statistics(node(), server, 'get'))).resolves.toBeUndefined()
    await lab.run(sys.statistics(node(), server, 'on'))
    await lab.run(call(lab.a, server, { type: 'get' }))
    cast(lab.a, server, { type: 'add', by: 1 })
    const counted = await lab.run(sys.statistics(node(), server, 'get'))
    expect(counted).toMatchObject({ messagesIn: 2, messagesOut: 1 })
    expect(counted?.reductions).toBeGreaterThanOrEqual(2)
    await lab.run(sys.statistics(node(), server, 'off'))
    await expect(lab.run(sys.statistics(node(), server, 'get'))).resolves.toBeUndefined()
  })

  it('trace writes what it takes and replies to the log, until it is switched off', async () => {
    const server = await tally(3)
    await lab.run(sys.trace(node(), server, true))
    await lab.run(call(lab.a, server, { type: 'get' }))
    const lines = () =>
      lab.cluster.log.lines.filter((line) => 'trace' in line.fields).map((line) => line.fields['trace'])
    expect(lines()).toEqual(['in', 'out'])
    await lab.run(sys.trace(node(), server, false))
    await lab.run(call(lab.a, server, { type: 'get' }))
    expect(lines()).toHaveLength(2)
  })

  it('terminate runs terminate, and ends it with the reason, though it traps no exits', async () => {
    const ends: string[] = []
    const server = await tally(3, ends)
    const reasons = await lab.endsOf(server)
    await lab.run(sys.terminate(node(), server, 'shutdown'))
    await lab.settle()
    expect(ends).toEqual(['shutdown'])
    expect(reasons).toEqual(['shutdown'])
  })

  it('a name, a server that is gone and one that does not answer fail as a call does', async () => {
    await lab.run(start(lab.a, Tally, [7], { name: 'tally' }))
    await expect(lab.run(sys.getState(node(), { name: 'tally', node: lab.a.name }))).resolves.toEqual({ count: 7 })
    const gone = { name: 'nobody', node: lab.a.name }
    expect(await lab.failure(sys.getState(node(), gone))).toMatchObject({ code: 'ERR_CALL_NOPROC' })
    const plain = lab.a.spawn(handler(() => () => undefined))
    expect(await lab.failure(sys.suspend(node(), plain, 100))).toMatchObject({ code: 'ERR_CALL_TIMEOUT' })
  })
})

describe('a suspended server', () => {
  it('handles system messages only, and afterwards what has waited, in order, before what comes then', async () => {
    const events: string[] = []
    const server = await lab.run(start(lab.a, Puppet, [{}, events]))
    await lab.run(sys.suspend(lab.a, server))
    lab.a.send(server, { type: 'first' })
    const pong = call(lab.a, server, { type: 'ping' })
    cast(lab.a, server, { type: 'go' })
    await lab.advance(100)
    expect(events).toEqual(['init'])
    void sys.resume(lab.a, server)
    lab.a.send(server, { type: 'last' })
    await expect(lab.run(pong)).resolves.toBe('pong')
    expect(events).toEqual(['init', 'info first', 'cast', 'info last'])
  })

  it('that is resumed answers system messages in their turn, behind what waits', async () => {
    const server = await tally(0)
    await lab.run(sys.suspend(lab.a, server))
    cast(lab.a, server, { type: 'add', by: 1 })
    await expect(lab.run(sys.getState(lab.a, server))).resolves.toEqual({ count: 0 })
    void sys.resume(lab.a, server)
    cast(lab.a, server, { type: 'add', by: 10 })
    await expect(lab.run(sys.getState(lab.a, server))).resolves.toEqual({ count: 11 })
  })

  it('keeps the order of 10,000 messages, of which some are handled with promises, and lets others in between', async () => {
    const server = await tally(0)
    await lab.run(sys.suspend(lab.a, server))
    for (let i = 0; i < 10_000; i++) cast(lab.a, server, i % 100 === 0 ? { type: 'slow' } : { type: 'add', by: 1 })
    void sys.resume(lab.a, server)
    cast(lab.a, server, { type: 'add', by: 1 })
    await expect(lab.run(call(lab.a, server, { type: 'get' }))).resolves.toBe(9_901)
    await expect(lab.run(sys.getStatus(lab.a, server))).resolves.toMatchObject({ status: 'running' })
  })

  it('may be suspended again before all that waited is handled', async () => {
    const events: string[] = []
    const server = await lab.run(start(lab.a, Puppet, [{}, events]))
    await lab.run(sys.suspend(lab.a, server))
    for (let i = 0; i < 3; i++) lab.a.send(server, { type: `note ${i}` })
    void sys.resume(lab.a, server)
    void sys.suspend(lab.a, server)
    lab.a.send(server, { type: 'last' })
    await lab.settle()
    const before = [...events]
    await lab.run(sys.resume(lab.a, server))
    await lab.settle()
    expect(before.length).toBeLessThan(5)
    expect(events).toEqual(['init', 'info note 0', 'info note 1', 'info note 2', 'info last'])
  })

  it('that is told to end by several of the messages that have waited ends once', async () => {
    const events: string[] = []
    const terminate = (): Promise<void> =>
      new Promise((resolve) => void lab.cluster.clock.setTimer(10, () => resolve()))
    const server = await lab.run(start(lab.a, Puppet, [{ terminate }, events]))
    await lab.run(sys.suspend(lab.a, server))
    for (let i = 0; i < 3; i++) lab.a.send(server, { type: `note ${i}` })
    const told = [sys.resume(lab.a, server), sys.suspend(lab.a, server)]
    for (const reason of ['first', 'second', 'third']) told.push(sys.terminate(lab.a, server, reason))
    const ends = await lab.endsOf(server)
    await lab.run(Promise.allSettled(told))
    await lab.advance(100)
    expect(events).toEqual(['init', 'info note 0', 'info note 1', 'info note 2', 'terminate first'])
    expect(ends).toEqual(['first'])
  })

  // OTP: `sys:suspend_loop` receives selectively.
  it('that is suspended again by a message that has waited is asked, and resumed, by those behind it', async () => {
    const server = await tally(0)
    await lab.run(sys.suspend(lab.a, server))
    for (let i = 0; i < 3; i++) cast(lab.a, server, { type: 'add', by: 1 })
    await lab.settle()
    const asked = Promise.all([
      sys.resume(lab.a, server),
      sys.suspend(lab.a, server),
      call(lab.a, server, { type: 'get' }),
      sys.getStatus(lab.a, server),
      sys.resume(lab.a, server),
      sys.getStatus(lab.a, server),
    ])
    cast(lab.a, server, { type: 'add', by: 10 })
    await expect(lab.run(asked)).resolves.toMatchObject([
      undefined,
      undefined,
      3,
      { status: 'suspended' },
      undefined,
      { status: 'running' },
    ])
    await expect(lab.run(sys.getState(lab.a, server))).resolves.toEqual({ count: 13 })
  })

  it('that is suspended again by a message that has waited terminates when its parent has exited meanwhile', async () => {
    const ends: string[] = []
    const { self: parent } = await lab.process({ trapExit: false })
    const server = await lab.run(startLink(parent, Tally, [0, ends], { trapExit: true }))
    await lab.run(sys.suspend(lab.a, server))
    for (let i = 0; i < 3; i++) cast(lab.a, server, { type: 'add', by: 1 })
    await lab.settle()
    void sys.resume(lab.a, server)
    void sys.suspend(lab.a, server)
    lab.a.exit(parent.pid, 'shutdown')
    await lab.settle()
    expect(ends).toEqual(['shutdown'])
    expect(lab.a.isProcessAlive(server)).toBe(false)
  })

  it('terminates when its parent exits', async () => {
    const ends: string[] = []
    const { self: parent } = await lab.process({ trapExit: false })
    const server = await lab.run(startLink(parent, Tally, [0, ends], { trapExit: true }))
    await lab.run(sys.suspend(lab.a, server))
    lab.a.exit(parent.pid, 'shutdown')
    await lab.settle()
    expect(ends).toEqual(['shutdown'])
    expect(lab.a.isProcessAlive(server)).toBe(false)
  })

  it('ends by sys.terminate', async () => {
    const server = await tally(0)
    await lab.run(sys.suspend(lab.a, server))
    await lab.run(sys.terminate(lab.a, server, 'normal'))
    await lab.settle()
    expect(lab.a.isProcessAlive(server)).toBe(false)
  })

  it('looks at a message once: what it is then it is, and is answered', async () => {
    const events: string[] = []
    const server = await lab.run(start(lab.a, Puppet, [{}, events]))
    const { self, messages } = await lab.process()
    const replyTo = self.alias()
    await lab.run(sys.suspend(lab.a, server))
    let reads = 0
    lab.a.send(server, {
      type: '$system',
      request: { type: 'get_state' },
      get replyTo() {
        reads++
        return reads === 1 ? replyTo : 'nobody'
      },
    })
    await lab.settle()
    expect(reads).toBe(1)
    expect(messages).toMatchObject([{ type: 'ok' }])
    expect(events).toEqual(['init'])
  })

  it('says so in the log when very much waits', async () => {
    const server = await tally(0)
    await lab.run(sys.suspend(lab.a, server))
    for (let i = 0; i < 100_000; i++) lab.a.send(server, 1)
    await lab.settle()
    expect(lab.cluster.log.lines.filter((line) => line.message.includes('is suspended'))).toHaveLength(1)
  })
})

describe('the state of a server that says nothing about it', () => {
  class Plain extends GenServer<never, never> {
    text = 'text'
    private list = [1, 2]
    #hidden = 1

    override handleInfo() {
      this.list.push(this.#hidden++)
    }
  }

  it('is its own fields, #fields left out', async () => {
    const server = await lab.run(start(lab.a, Plain, []))
    await expect(lab.run(sys.getState(lab.b, server))).resolves.toEqual({ text: 'text', list: [1, 2] })
  })

  it('is replaced field by field, and a field that it does not have changes nothing', async () => {
    const server = await lab.run(start(lab.a, Plain, []))
    await expect(lab.run(sys.replaceState(lab.a, server, () => ({ text: 'other' })))).resolves.toEqual({
      text: 'other',
      list: [1, 2],
    })
    for (const wrong of [{ text: 'x', nothing: 1 }, JSON.parse('{"__proto__":{}}') as unknown, 5, null]) {
      expect(await lab.failure(sys.replaceState(lab.a, server, () => wrong))).toMatchObject({ code: 'ERR_SYS_FAILED' })
    }
    await expect(lab.run(sys.getState(lab.a, server))).resolves.toEqual({ text: 'other', list: [1, 2] })
    expect(lab.a.isProcessAlive(server)).toBe(true)
  })
})

describe('replaceState', () => {
  it('gives the server what the function makes of its state, with its type', async () => {
    const server = await tally(3)
    const replaced = await lab.run(sys.replaceState(lab.a, server, (state) => ({ count: state.count * 2 })))
    expectTypeOf(replaced).toEqualTypeOf<{ readonly count: number }>()
    expect(replaced).toEqual({ count: 6 })
    await expect(lab.run(call(lab.a, server, { type: 'get' }))).resolves.toBe(6)
  })

  it('changes nothing if the function throws, or the server refuses what it gives', async () => {
    const server = await tally(3)
    const thrown = sys.replaceState(lab.a, server, () => {
      throw new RangeError('no')
    })
    expect(await lab.failure(thrown)).toMatchObject({
      code: 'ERR_SYS_FAILED',
      serverReason: { error: { name: 'RangeError', message: 'no' } },
    })
    const promised = sys.replaceState(lab.a, server, () => untyped(Promise.reject(new Error('later'))))
    expect(await lab.failure(promised)).toMatchObject({ code: 'ERR_SYS_FAILED' })
    const refused = sys.replaceState(lab.a, server, () => untyped({ count: 'many' }))
    expect(await lab.failure(refused)).toMatchObject({ code: 'ERR_SYS_FAILED' })
    await expect(lab.run(call(lab.a, server, { type: 'get' }))).resolves.toBe(3)
  })

  it('takes a function, which can not be sent to another node: an error at the caller', async () => {
    const server = await tally(3)
    expect(await lab.failure(sys.replaceState(lab.b, server, (state) => state))).toMatchObject({
      code: 'ERR_NOT_SENDABLE',
    })
    expect(await lab.failure(sys.install(lab.b, server, () => undefined))).toMatchObject({ code: 'ERR_NOT_SENDABLE' })
    await expect(lab.run(sys.getState(lab.b, server))).resolves.toEqual({ count: 3 })
  })
})

describe('install', () => {
  it('tells a listener of messages and replies until it is removed', async () => {
    const events: SystemEvent[] = []
    const listener = (event: SystemEvent) => void events.push(event)
    const server = await tally(3)
    await lab.run(sys.install(lab.a, server, listener))
    await lab.run(call(lab.a, server, { type: 'get' }))
    expect(events).toMatchObject([
      { type: 'in', message: { type: '$gen_call', request: { type: 'get' } } },
      { type: 'out', message: 3 },
    ])
    await lab.run(sys.remove(lab.a, server, listener))
    await lab.run(call(lab.a, server, { type: 'get' }))
    expect(events).toHaveLength(2)
  })

  it('ends with a listener that says done, or throws; the server and other listeners go on', async () => {
    const told = { done: 0, thrown: 0, other: 0 }
    const server = await tally(3)
    await lab.run(sys.install(lab.a, server, () => (told.done++, 'done')))
    await lab.run(
      sys.install(lab.a, server, () => {
        told.thrown++
        throw new Error('thrown')
      }),
    )
    await lab.run(sys.install(lab.a, server, () => untyped(Promise.reject(new Error('rejected')))))
    await lab.run(sys.install(lab.a, server, () => void told.other++))
    await lab.run(call(lab.a, server, { type: 'get' }))
    await lab.run(call(lab.a, server, { type: 'get' }))
    expect(told).toEqual({ done: 1, thrown: 1, other: 4 })
  })
})

describe('what goes wrong', () => {
  it('a state that can not be sent to the node that asks fails there, and harms nobody', async () => {
    class Closure extends GenServer<never, never> {
      act = () => 1
    }
    const server = await lab.run(start(lab.a, Closure, []))
    expect(await lab.failure(sys.getState(lab.b, server))).toMatchObject({ code: 'ERR_SYS_FAILED' })
    await expect(lab.run(sys.getState(lab.a, server))).resolves.toHaveProperty('act')
  })

  it('a getState or formatStatus that throws fails the request, and harms nobody', async () => {
    class Broken extends GenServer<never, never> {
      override getState(): never {
        throw new Error('no state')
      }
    }
    const server = await lab.run(start(lab.a, Broken, []))
    for (const ask of [sys.getState, sys.getStatus])
      expect(await lab.failure(ask(lab.a, server))).toMatchObject({ code: 'ERR_SYS_FAILED' })
    expect(lab.a.isProcessAlive(server)).toBe(true)
  })

  it('bad arguments are an error at the caller', async () => {
    const server = await tally(0)
    const bad = [
      sys.terminate(lab.a, server, untyped(undefined)),
      sys.statistics(lab.a, server, untyped('what')),
      sys.trace(lab.a, server, untyped('yes')),
      sys.replaceState(lab.a, server, untyped(5)),
      sys.install(lab.a, server, untyped({})),
      sys.getState(lab.a, untyped(7)),
      sys.getState(lab.a, server, -1),
    ]
    for (const promise of bad) expect(await lab.failure(promise)).toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
  })

  it('a server that asks itself is told so', async () => {
    const failures: unknown[] = []
    const script = {
      handleInfo: async (puppet: Puppet) => {
        failures.push(await sys.getState(puppet.context, puppet.context.pid).catch((error: unknown) => error))
      },
    }
    const server = await lab.run(start(lab.a, Puppet, [script, []]))
    lab.a.send(server, { type: 'note' })
    await lab.settle()
    expect(failures).toMatchObject([{ code: 'ERR_CALL_SELF' }])
  })

  it.each([{ type: '$system' }, { type: '$system', replyTo: 5, request: { type: 'suspend' } }, { type: '$note' }])(
    'what only looks like a system message is as any other: %j',
    async (message) => {
      const events: string[] = []
      const server = await lab.run(start(lab.a, Puppet, [{}, events]))
      lab.a.send(server, message)
      await lab.settle()
      expect(events).toEqual(['init', `info ${message.type}`])
    },
  )

  it('a getState, a replaceState, a replaceData or a formatStatus that is async is refused; its promise makes no unhandled rejection', async () => {
    const late = (): never => untyped(Promise.reject(new Error('late')))
    class State extends GenServer {
      override getState = late
    }
    class Replace extends GenServer {
      override replaceState = late
    }
    class Format extends GenServer {
      override formatStatus = late
    }
    class Machine extends GenStatem<{ state: 'only' }> {
      override init() {
        return this.ok('only')
      }
      override handleEvent() {
        return this.keepState()
      }
      override replaceData = late
    }
    class Hidden extends Machine {
      override getData = late
    }
    class Shown extends Machine {
      override formatStatus = late
    }
    const faults = await faultsOf(async () => {
      const [state, replace, format] = [
        await lab.run(start(lab.a, State, [])),
        await lab.run(start(lab.a, Replace, [])),
        await lab.run(start(lab.a, Format, [])),
      ]
      const [machine, hidden, shown] = [
        await lab.run(start(lab.a, Machine, [])),
        await lab.run(start(lab.a, Hidden, [])),
        await lab.run(start(lab.a, Shown, [])),
      ]
      const asked: Promise<unknown>[] = [
        sys.getState(lab.a, state),
        sys.getState(lab.b, state),
        sys.replaceState(lab.a, replace, (fields) => fields),
        sys.getStatus(lab.a, format),
        sys.replaceState(lab.a, machine, (fields) => fields),
        sys.getState(lab.a, hidden),
        sys.getStatus(lab.a, shown),
      ]
      for (const promise of asked) expect(await lab.failure(promise)).toMatchObject({ code: 'ERR_SYS_FAILED' })
      await lab.settle()
    })
    expect(faults).toEqual([])
  })

  it('a caller that is killed while it waits makes no unhandled rejection', async () => {
    const plain: Pid = lab.a.spawn(handler(() => () => undefined))
    const { self } = await lab.process()
    const faults = await faultsOf(async () => {
      void sys.getState(self, plain)
      void sys.statistics(self, plain, 'get')
      await lab.settle()
      lab.a.exit(self.pid, 'kill')
      await lab.settle()
    })
    expect(faults).toEqual([])
  })
})

it('a server that is resumed handles all that came before, though its mailbox is full of what comes then, and drops', async () => {
  const mailbox = { limit: 4, policy: 'drop' } as const
  const server = await lab.run(start(lab.a, Tally, [0], { mailbox }))
  await lab.run(sys.suspend(lab.a, server))
  for (let n = 0; n < 3; n++) {
    cast(lab.a, server, { type: 'add', by: 1 })
    await lab.settle()
  }
  const resumed = sys.resume(lab.a, server)
  for (let n = 0; n < 8; n++) cast(lab.a, server, { type: 'add', by: 100 })
  await lab.run(resumed)
  await lab.settle()
  expect(lab.a.counters().messagesDropped).toBe(5)
  await expect(lab.run(sys.getState(lab.a, server))).resolves.toEqual({ count: 303 })
})
