/**
 * The events of docs/telemetry.md, each once, with its duration on the virtual clock.
 */
import {
  call,
  cast,
  enterLoop,
  GenServer,
  start,
  stop,
  Supervisor,
  sys,
  telemetry,
  type Call,
  type From,
  type Operation,
  type TelemetryEvent,
} from '@pidmesh/gen-server'
import { handler, via, type Context, type Node, type Pid, type Propagation } from '@pidmesh/runtime'
import { AsyncLocalStorage } from 'node:async_hooks'
import { beforeEach, describe, expect, it } from 'vitest'
import { Puppet, untyped, useLab, type Script } from './lab.ts'
import { play } from './gen-statem/puppet.ts'
import { useTree } from './supervisor/tree.ts'

const lab = useLab()

let events: TelemetryEvent[]
let detach: () => void

beforeEach(() => {
  events = []
  detach = telemetry.attach(lab.a, (event) => void events.push(event))
})

/** Waits on the virtual clock, as a callback that does I/O. */
const wait = (self: Context, ms: number): Promise<unknown> => self.awaitDown(lab.a.self.pid, ms)

async function puppet(script: Script, node: Node = lab.a): Promise<Pid> {
  const pid = await lab.run(start(node, Puppet, [script, []], { label: 'its label' }))
  await lab.settle()
  return pid
}

/** Without what is the same in all. */
const brief = (types: RegExp): unknown[] =>
  events
    .filter(({ type }) => types.test(type))
    .map((event) => {
      const { node, ...rest } = event
      expect(node).toBe(lab.a.name)
      return rest
    })

describe('Messages that a server handles', () => {
  it.each<[string, Script, object]>([
    ['a reply', { handleCall: ({ make }) => make.reply() }, { outcome: 'reply' }],
    ['no reply', { handleCall: ({ make }) => make.noreply() }, { outcome: 'noreply' }],
    [
      'a reply after a while',
      { handleCall: (self) => wait(self.context, 7).then(() => self.make.reply()) },
      { outcome: 'reply', durationMs: 7 },
    ],
    ['a stop', { handleCall: ({ make }) => make.stop('normal') }, { outcome: 'stop', reason: 'normal' }],
    [
      'a stop after a reply',
      { handleCall: ({ make }) => make.stopAfterReply('shutdown') },
      { outcome: 'stop', reason: 'shutdown' },
    ],
    ['a stop with a reason', { handleCall: ({ make }) => make.stop('broken') }, { outcome: 'crash', reason: 'broken' }],
    [
      'an error',
      {
        handleCall: () => {
          throw new RangeError('no')
        },
      },
      { outcome: 'crash', reason: { error: { name: 'RangeError', message: 'no' } } },
    ],
    [
      'a rejection after a while',
      { handleCall: (self) => wait(self.context, 7).then(() => Promise.reject(new RangeError('no'))) },
      { outcome: 'crash', durationMs: 7, reason: { error: { name: 'RangeError' } } },
    ],
    ['a bad return', { handleCall: () => 7 }, { outcome: 'crash', reason: { bad_return_value: '7' } }],
  ])('a call: %s', async (_what, script, expected) => {
    const pid = await puppet(script)
    events = []
    call(lab.b, pid, { type: 'go' }, 50).catch(() => undefined)
    await lab.advance(20)
    expect(brief(/_handled/)).toMatchObject([
      {
        type: 'call_handled',
        server: { pid, module: 'Puppet', label: 'its label' },
        request: 'go',
        durationMs: 0,
        reason: undefined,
        ...expected,
      },
    ])
  })

  it('a call that a state machine has answered, and one that it has not', async () => {
    const { pid } = await play(lab, {
      event: ({ keep, reply }, event) => (event.type === 'call' && events.length === 0 ? keep(reply('x')) : keep()),
    })
    events = []
    await lab.run(call(lab.b, pid, { type: 'go' }))
    call(lab.b, pid, { type: 'go' }, 5).catch(() => undefined)
    await lab.advance(10)
    expect(brief(/call_handled/)).toMatchObject([{ outcome: 'reply' }, { outcome: 'noreply' }])
  })

  it('a call with which a state machine answers another one only, that it has kept', async () => {
    const calls: From[] = []
    const { pid } = await play(lab, {
      event: ({ keep, answer }, event) => {
        if (event.type !== 'call') return keep()
        calls.push(event.from)
        return calls.length === 2 && calls[0] !== undefined ? keep(answer(calls[0], 'x')) : keep()
      },
    })
    events = []
    const first = call(lab.b, pid, { type: 'go' })
    call(lab.b, pid, { type: 'go' }, 5).catch(() => undefined)
    expect(await lab.run(first)).toBe('x')
    await lab.advance(10)
    expect(brief(/call_handled/)).toMatchObject([{ outcome: 'noreply' }, { outcome: 'noreply' }])
  })

  it('a call whose process is ended by another’s hand while it waits', async () => {
    const pid = await puppet({ handleCall: (self) => wait(self.context, 7).catch(() => undefined) })
    call(lab.b, pid, { type: 'go' }).catch(() => undefined)
    await lab.advance(5)
    lab.a.exit(pid, 'kill')
    await lab.advance(5)
    expect(brief(/_handled/)).toMatchObject([{ type: 'call_handled', outcome: 'exited', reason: undefined }])
  })

  it('a reply of a call before is not taken for one of this', async () => {
    let calls = 0
    const pid = await puppet({ handleCall: ({ make }) => (++calls === 1 ? make.reply() : make.noreply()) })
    await lab.run(call(lab.a, pid, { type: 'go' }))
    call(lab.a, pid, { type: 'go' }, 10).catch(() => undefined)
    cast(lab.a, pid, { type: 'go' })
    await lab.advance(20)
    expect(
      events.filter(({ type }) => /_handled/.test(type)).map((event) => 'outcome' in event && event.outcome),
    ).toEqual(['reply', 'noreply', 'noreply'])
  })

  it('a cast and any other message: once each; those of sys, and its start, are not told', async () => {
    const pid = await puppet({})
    events = []
    await lab.run(sys.getState(lab.a, pid))
    cast(lab.a, pid, { type: 'go' })
    lab.a.send(pid, { type: 'ball' })
    lab.a.send(pid, 7)
    await lab.settle()
    expect(brief(/./)).toMatchObject([
      { type: 'cast_handled', request: 'go', outcome: 'noreply', durationMs: 0 },
      { type: 'info_handled', request: 'ball', outcome: 'noreply' },
      { type: 'info_handled', request: 'number', outcome: 'noreply' },
    ])
  })

  it('what was held while the server was suspended is told when it is handled', async () => {
    const pid = await puppet({})
    events = []
    await lab.run(sys.suspend(lab.a, pid))
    cast(lab.a, pid, { type: 'go' })
    await lab.settle()
    expect(events).toEqual([])
    await lab.run(sys.resume(lab.a, pid))
    await lab.settle()
    expect(brief(/./)).toMatchObject([{ type: 'cast_handled' }])
  })
})

describe('Calls that are made', () => {
  it('a reply, and how long it took', async () => {
    const pid = await puppet({ handleCall: (self) => wait(self.context, 7).then(() => self.make.reply()) }, lab.b)
    events = []
    const { self } = await lab.process()
    await lab.run(call(self, pid, { type: 'go' }))
    expect(brief(/./)).toMatchObject([
      { type: 'call_made', pid: self.pid, server: pid.toString(), request: 'go', outcome: 'reply', reason: undefined },
    ])
    expect(events[0]).toHaveProperty('durationMs', expect.closeTo(9, 5))
  })

  it.each<[string, (pid: Pid) => Promise<unknown>, object]>([
    ['timeout', (pid) => call(lab.a, pid, { type: 'go' }, 10), { durationMs: 10 }],
    ['noproc', () => call(lab.a, 'nobody', untyped({ type: 'go' })), { server: 'nobody' }],
    [
      'nodedown',
      () => call(lab.a, { name: 'x', node: 'c@127.0.0.1' as never }, untyped('go')),
      { server: 'x on c@127.0.0.1', request: 'string' },
    ],
    ['failed', (pid) => call(lab.b, pid, untyped({ type: 'go', code: () => 1 })), {}],
    ['failed', (pid) => call(lab.a, pid, { type: 'go' }, -1), { reason: { error: { code: 'ERR_BAD_ARGUMENT' } } }],
  ])('%s', async (outcome, make, expected) => {
    telemetry.attach(lab.b, (event) => void events.push(event))
    const pid = await puppet({ handleCall: ({ make: to }) => to.noreply() })
    events = []
    await lab.run(make(pid).catch(() => undefined))
    expect(events.filter(({ type }) => type === 'call_made')).toMatchObject([
      { type: 'call_made', outcome, ...expected },
    ])
  })

  it('exit, with the reason of the server; failed, if the caller has ended', async () => {
    const pid = await puppet({ handleCall: ({ make }) => make.stop('broken') })
    await lab.run(call(lab.a, pid, { type: 'go' }).catch(() => undefined))
    expect(brief(/call_made/)).toMatchObject([{ outcome: 'exit', reason: 'broken' }])
    events = []
    const { self } = await lab.process()
    const other = await puppet({ handleCall: ({ make }) => make.noreply() })
    void call(self, other, { type: 'go' }).catch(() => undefined)
    lab.a.exit(self.pid, 'kill')
    await lab.settle()
    expect(brief(/call_made/)).toMatchObject([{ outcome: 'failed', reason: { error: { name: 'ProcessExited' } } }])
  })

  it('through a Via: as the caller has named it', async () => {
    const pid = await puppet({ handleCall: ({ make }) => make.reply() })
    const names = { resolveName: () => pid } as never
    await lab.run(call(lab.a, via(names, 'its name'), untyped({ type: 'go' })))
    expect(brief(/call_made/)).toMatchObject([{ server: 'via its name', outcome: 'reply' }])
  })

  it.each<[string, (pid: Pid) => unknown, object]>([
    ['and the store is slow', (pid) => wait(lab.a.self, 40).then(() => pid), { outcome: 'reply', durationMs: 40 }],
    ['and nobody has the name', () => undefined, { outcome: 'noproc', durationMs: 0 }],
    ['and the store says late that nobody has it', () => wait(lab.a.self, 40), { outcome: 'noproc', durationMs: 40 }],
    ['and the store says nothing', () => new Promise(() => undefined), { outcome: 'timeout', durationMs: 50 }],
    [
      'and the store has failed',
      () => Promise.reject(new RangeError('no store')),
      { outcome: 'failed', reason: { error: { name: 'RangeError' } } },
    ],
    ['and it is the caller’s own', () => lab.a.self.pid, { outcome: 'failed', reason: 'calling_self' }],
  ])('through a Via, %s: to find who has the name is part of the call', async (_what, resolveName, expected) => {
    const pid = await puppet({ handleCall: ({ make }) => make.reply() })
    events = []
    const operations: string[] = []
    telemetry.instrument(lab.a, ({ type }, run) => {
      operations.push(type)
      run()
    })
    const names = { resolveName: () => resolveName(pid) } as never
    await lab.run(call(lab.a, via(names, 'its name'), untyped({ type: 'go' }), 50).catch(() => undefined))
    expect(brief(/call_made/)).toMatchObject([
      { server: 'via its name', request: 'go', reason: undefined, ...expected },
    ])
    expect(operations.filter((type) => type === 'call')).toHaveLength(1)
  })

  it('to itself: failed', async () => {
    const { self } = await lab.process()
    await lab.failure(call(self, self.pid as never, untyped({ type: 'go' })))
    expect(brief(/call_made/)).toMatchObject([{ outcome: 'failed', reason: 'calling_self' }])
  })
})

describe('Starts and ends', () => {
  it('a start, with how long init took; and none of one that ignores', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{ init: (self) => wait(self.context, 7) as never }, []]))
    await lab.run(start(lab.a, Puppet, [{ init: ({ make }) => make.ignore() }, []]))
    expect(brief(/./)).toMatchObject([{ type: 'server_started', server: { pid, module: 'Puppet' }, durationMs: 7 }])
  })

  it.each<[string, Script, unknown]>([
    ['stops', { init: ({ make }) => make.stop('no') }, 'no'],
    [
      'throws',
      {
        init: () => {
          throw new RangeError('no')
        },
      },
      { error: { name: 'RangeError' } },
    ],
    ['rejects', { init: () => Promise.reject(new RangeError('no')) }, { error: { name: 'RangeError' } }],
  ])('a start whose init %s has failed', async (_what, script, reason) => {
    await lab.failure(start(lab.a, Puppet, [script, []]))
    expect(brief(/./)).toMatchObject([{ type: 'server_start_failed', server: { module: undefined }, reason }])
  })

  it('enterLoop is a start, too', async () => {
    lab.a.spawn(handler((self) => enterLoop(self, new Puppet())))
    await lab.settle()
    expect(brief(/./)).toMatchObject([{ type: 'server_started', server: { module: 'Puppet' }, durationMs: undefined }])
  })

  it.each([
    ['server_stopped', 'normal'],
    ['server_stopped', { shutdown: 'enough' }],
    ['server_crashed', 'broken'],
  ] as const)('%s: %o', async (type, reason) => {
    const pid = await puppet({})
    await lab.run(stop(lab.a, pid, reason))
    expect(brief(/server_(stopped|crashed)/)).toMatchObject([{ type, server: { pid, module: 'Puppet' }, reason }])
  })

  it('what terminate throws takes the place of the reason', async () => {
    const pid = await puppet({
      terminate: () => {
        throw new RangeError('no')
      },
    })
    cast(lab.a, pid, { type: 'go' })
    stop(lab.a, pid).catch(() => undefined)
    await lab.settle()
    expect(brief(/server_(stopped|crashed)/)).toMatchObject([
      { type: 'server_crashed', reason: { error: { name: 'RangeError' } } },
    ])
  })

  it('one that is killed while it terminates, or in its init, tells nothing', async () => {
    const pid = await puppet({ terminate: (self) => wait(self.context, 7).catch(() => undefined) })
    events = []
    stop(lab.a, pid).catch(() => undefined)
    await lab.advance(5)
    lab.a.exit(pid, 'kill')
    await lab.advance(5)
    const starting = start(lab.a, Puppet, [{ init: (self) => wait(self.context, 7) as never }, []], {
      name: 'starting',
    })
    await lab.advance(5)
    const begun = lab.a.whereis('starting')
    if (begun !== undefined) lab.a.exit(begun, 'kill')
    await lab.failure(starting)
    await lab.advance(5)
    expect(events).toEqual([])
  })

  it('one that is killed tells nothing', async () => {
    const pid = await puppet({})
    events = []
    lab.a.exit(pid, 'kill')
    await lab.settle()
    expect(events).toEqual([])
  })
})

describe('Supervisors', () => {
  const tree = useTree()

  it('a start, an end, a restart, a start that fails, giving up, each with the id of the child', async () => {
    const told: TelemetryEvent[] = []
    telemetry.attach(tree.node, (event) => void told.push(event))
    const supervisor = await tree.run(
      Supervisor.start(tree.node, { intensity: 2 }, [tree.worker('a')], { name: 'sup' }),
    )
    const kill = async (): Promise<void> => {
      const [child] = await tree.run(Supervisor.whichChildren(tree.node, supervisor))
      if (typeof child?.pid === 'object') tree.node.exit(child.pid, 'kill')
      await tree.settle()
    }
    await kill()
    tree.failing.add('a')
    await kill()
    expect(
      told.flatMap((event) =>
        'child' in event ? [[event.type, event.supervisor, event.child, event.reason, event.restarts]] : [],
      ),
    ).toEqual([
      ['child_started', 'sup', 'a', undefined, 0],
      ['child_ended', 'sup', 'a', 'killed', 0],
      ['child_restarted', 'sup', 'a', undefined, 1],
      ['child_ended', 'sup', 'a', 'killed', 1],
      ['child_start_failed', 'sup', 'a', 'boom', 2],
      ['supervisor_gave_up', 'sup', 'a', 'reached_max_restart_intensity', 2],
    ])
    const [first] = told.flatMap((event) => (event.type === 'child_started' ? [event] : []))
    expect(first?.pid.equals(supervisor)).toBe(true)
  })
})

describe('Who listens', () => {
  it('is told of its own node only, and of nothing once it is detached', async () => {
    const pid = await puppet({}, lab.b)
    await lab.run(call(lab.b, pid, { type: 'ping' }))
    expect(events).toEqual([])
    detach()
    await lab.run(call(lab.a, await puppet({}), { type: 'ping' }))
    expect(events).toEqual([])
  })

  it('and throws, harms nobody', async () => {
    telemetry.attach(lab.a, () => {
      throw new Error('the listener')
    })
    telemetry.instrument(lab.a, () => {
      throw new Error('the instrument')
    })
    const pid = await puppet({})
    expect(await lab.run(call(lab.a, pid, { type: 'ping' }))).toBe('pong')
    await lab.run(stop(lab.a, pid))
    expect(brief(/./).map((event) => (event as TelemetryEvent).type)).toEqual([
      'server_started',
      'call_handled',
      'call_made',
      'server_stopped',
    ])
    expect(lab.cluster.log.lines.some(({ message }) => message === 'a listener of telemetry has failed')).toBe(true)
    expect(lab.crashReports()).toEqual([])
  })

  it('and kills what it is told of, has killed it, and nothing else', async () => {
    const pid = await puppet({})
    telemetry.attach(lab.a, (event) => {
      if (event.type === 'cast_handled') lab.a.exit(event.server.pid, 'kill')
    })
    const ends = await lab.endsOf(pid)
    cast(lab.a, pid, { type: 'go' })
    await lab.settle()
    expect(ends).toEqual(['killed'])
    expect(lab.crashReports()).toEqual([])
  })

  it.each([null, 7, {}])('must be a function, not %s', (bad) => {
    expect(() => telemetry.attach(lab.a, untyped(bad))).toThrow(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    expect(() => telemetry.instrument(lab.a, untyped(bad))).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
    )
  })

  it('if nobody does no clock is read', async () => {
    detach()
    const pid = await puppet({})
    let reads = 0
    const { self } = await lab.process()
    const { telemetry: clocked } = (self as unknown as { kernel: { telemetry: { monotonicMs: () => number } } }).kernel
    clocked.monotonicMs = () => ++reads
    await lab.run(call(lab.a, pid, { type: 'ping' }))
    expect(self.telemetry).toBeUndefined()
    expect(reads).toBe(0)
    telemetry.attach(lab.a, () => undefined)
    await lab.run(call(lab.a, pid, { type: 'ping' }))
    expect(reads).toBeGreaterThan(0)
  })
})

describe('Instruments', () => {
  it('run the sending of a call, and the callback that it leads to, and are told how each ended', async () => {
    const noted: string[] = []
    const around = (operation: Operation, run: () => void): ((event: TelemetryEvent) => void) => {
      noted.push(`${operation.type} ${operation.request}`)
      run()
      return (event) => void noted.push(`${event.type} ${'outcome' in event ? event.outcome : ''}`)
    }
    telemetry.instrument(lab.a, around)
    const pid = await puppet({
      handleCall: (self) => (noted.push('callback'), wait(self.context, 7).then(() => self.make.reply())),
    })
    await lab.run(call(lab.a, pid, { type: 'go' }))
    cast(lab.a, pid, { type: 'go' })
    lab.a.send(pid, { type: 'ball' })
    await lab.settle()
    expect(noted).toEqual([
      'call go',
      'handle_call go',
      'callback',
      // The reply is on its way before the callback is done.
      'call_made reply',
      'call_handled reply',
      'handle_cast go',
      'cast_handled noreply',
      'handle_info ball',
      'info_handled noreply',
    ])
  })
})

describe('Contexts', () => {
  type Ask = Call<{ type: 'context' }, string | undefined>

  it('what was held while a server was suspended is handled in its own, not in that of the operator', async () => {
    const texts = new AsyncLocalStorage<string | undefined>()
    const propagation: Propagation = {
      capture: () => ({ text: texts.getStore() ?? '' }),
      run: (carrier, run) => texts.run(carrier?.['text'], run),
    }
    class Server extends GenServer<Ask, { type: 'note' }> {
      noted: unknown[] = []
      override handleCall(request: Ask) {
        return this.reply(request, texts.getStore())
      }
      override handleCast() {
        this.noted.push(texts.getStore())
      }
    }
    const c = await lab.cluster.start('c', { propagation })
    const server = await lab.run(start(c, Server, []))
    await lab.run(sys.suspend(c, server))
    texts.run('one', () => cast(c, server, { type: 'note' }))
    const answer = texts.run('two', () => call(c, server, { type: 'context' }))
    cast(c, server, { type: 'note' })
    await lab.settle()
    await lab.run(texts.run('operator', () => sys.resume(c, server)))
    expect(await lab.run(answer)).toBe('two')
    await lab.settle()
    expect(await lab.run(sys.getState(c, server))).toEqual({ noted: ['one', ''] })
  })
})
