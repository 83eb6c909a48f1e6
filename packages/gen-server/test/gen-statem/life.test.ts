/**
 * A state machine as a server: its start, its end, what `sys` sees of it, and other nodes.
 */
import {
  call,
  cast,
  GenStatem,
  reply,
  start,
  startLink,
  startMonitor,
  stop,
  sys,
  type Call,
  type From,
  type StatemEvent,
  type StatemStatus,
} from '@pidmesh/gen-server'
import { handler, Ref, via, type Pid, type Via } from '@pidmesh/runtime'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { untyped, useLab } from '../lab.ts'
import { play, Puppet, textOf, type PuppetEvent } from './puppet.ts'

const lab = useLab()

interface Line {
  state: 'idle' | 'busy' | { type: 'held'; by: Pid }
  calls:
    | Call<{ type: 'dial'; number: string }, string>
    | Call<{ type: 'hang_up' }, 'ok'>
    | Call<{ type: 'later' }, string>
  casts: { type: 'hold'; by: Pid } | { type: 'crash' }
  stateTimeout: undefined
}

/** One call at a time; whoever dials meanwhile waits until the line is idle. */
class Telephone extends GenStatem<Line> {
  private number = ''
  private secret = 'pin 1234'
  private later: From<string> | undefined = undefined

  override init(number: string = '') {
    this.number = number
    return this.ok('idle')
  }

  override handleEvent(event: StatemEvent<Line>, state: Line['state']) {
    switch (event.type) {
      case 'call':
        return this.called(event, state)
      case 'cast':
        if (event.request.type === 'crash') throw new Error('line is dead')
        return this.nextState({ type: 'held', by: event.request.by })
      case 'state_timeout':
        return this.nextState('idle')
      case 'info':
        if (this.later !== undefined) this.replyTo(this.later, 'later')
        return this.unhandled(event)
    }
  }

  private called({ request, from }: Extract<StatemEvent<Line>, { type: 'call' }>, state: Line['state']) {
    switch (request.type) {
      case 'dial':
        if (state !== 'idle') return this.keepState(this.postpone())
        this.number = request.number
        return this.nextState('busy', this.stateTimeout(60_000), this.reply(request, `talking to ${request.number}`))
      case 'hang_up':
        return this.nextState('idle', this.reply(request, 'ok'))
      case 'later':
        this.later = this.defer(request, from)
        return this.keepState()
    }
  }

  override formatStatus(status: StatemStatus): StatemStatus {
    const data = { ...(status.state.data as object), secret: '***' }
    return super.formatStatus({ ...status, state: { ...status.state, data } })
  }
}

describe('the start', () => {
  it('a name that is taken is told with the pid that has it', async () => {
    const first = await lab.run(start(lab.a, Telephone, [''], { name: 'telephone' }))
    const failure = await lab.failure(start(lab.a, Telephone, [''], { name: 'telephone' }))
    expect(failure).toMatchObject({ code: 'ERR_ALREADY_STARTED', pid: first })
    await expect(lab.run(call(lab.b, { name: 'telephone', node: lab.a.name }, { type: 'hang_up' }))).resolves.toBe('ok')
  })

  it('startMonitor tells the end; startLink makes the caller the parent', async () => {
    const { self, messages } = await lab.process()
    const { pid, ref } = await lab.run(startMonitor(self, Telephone, ['']))
    const linked = await lab.run(startLink(self, Telephone, [''], { trapExit: true }))
    await lab.run(stop(lab.a, pid))
    await lab.run(stop(lab.a, linked, 'shutdown'))
    await lab.settle()
    expect(messages).toEqual([
      { type: 'DOWN', ref, pid, reason: 'normal' },
      { type: 'EXIT', from: linked, reason: 'shutdown' },
    ])
  })

  it('the parent that exits takes the machine with it, after terminate', async () => {
    const { self } = await lab.process({ trapExit: false })
    const seen: string[] = []
    await lab.run(startLink(self, Puppet, [{}, seen], { trapExit: true }))
    lab.a.exit(self.pid, 'shutdown')
    await lab.settle()
    expect(seen).toEqual(['terminate shutdown in a'])
  })

  it('a machine with a name in a Via is reached by it', async () => {
    const table = new Map<string, Pid>()
    const names: Via = {
      capabilities: {
        resolve: 'memory',
        holders: 'one',
        newestWins: false,
        order: 'always',
        purge: 'noticed',
        knowsAbsence: true,
        reachesPids: true,
      },
      registerName: (name, pid) => {
        table.set(name, pid)
        return 'yes'
      },
      unregisterName: (name) => {
        table.delete(name)
        return 'ok'
      },
      whereisName: (name) => table.get(name),
      resolveName: (name) => table.get(name),
      send: (name, message) => {
        const pid = table.get(name)
        return pid === undefined ? 'noproc' : lab.a.send(pid, message)
      },
      setMeta: () => 'ok',
    }
    await lab.run(start(lab.a, Telephone, [''], { name: via(names, 'telephone') }))
    await expect(lab.run(call(lab.a, via(names, 'telephone'), { type: 'hang_up' }))).resolves.toBe('ok')
  })
})

describe('sys', () => {
  it('getState gives the state and the data; replaceState puts others in their place, and enters nothing', async () => {
    const { pid, seen } = await play(lab, { enter: () => undefined })
    const telephone = await lab.run(start(lab.a, Telephone, ['1']))
    expect(await lab.run(sys.getState(lab.b, telephone))).toEqual({
      state: 'idle',
      data: { number: '1', secret: 'pin 1234', later: undefined },
    })
    const replaced = await lab.run(
      sys.replaceState(lab.a, telephone, ({ data }) => ({ state: 'busy', data: { ...(data as object), number: '2' } })),
    )
    expect(replaced).toMatchObject({ state: 'busy', data: { number: '2' } })
    await lab.run(sys.replaceState(lab.a, pid, () => ({ state: 'b', data: {} })))
    cast(lab.a, pid, '1')
    await lab.settle()
    expect(seen).toEqual(['enter a from a', 'cast 1 in b'])
  })

  it.each([
    ['no state', { data: {} }],
    ['no object', 'idle'],
    ['nothing', undefined],
    ['data that the machine does not have', { state: 'busy', data: { nubmer: '2' } }],
    ['no data', { state: 'busy' }],
  ])('replaceState refuses %s, and has changed nothing', async (_what, state) => {
    const telephone = await lab.run(start(lab.a, Telephone, ['1']))
    const failure = await lab.failure(sys.replaceState(lab.a, telephone, () => untyped(state)))
    expect(failure).toMatchObject({ code: 'ERR_SYS_FAILED', serverReason: { error: { code: 'ERR_BAD_ARGUMENT' } } })
    expect(await lab.run(sys.getState(lab.a, telephone))).toMatchObject({ state: 'idle', data: { number: '1' } })
  })

  it('getStatus shows what waits, which timeouts run, and the data as formatStatus gives it', async () => {
    const telephone = await lab.run(start(lab.a, Telephone, ['']))
    await lab.run(call(lab.a, telephone, { type: 'dial', number: '110' }))
    const second = call(lab.a, telephone, { type: 'dial', number: '112' })
    await lab.settle()
    expect(await lab.run(sys.getStatus(lab.a, telephone))).toMatchObject({
      module: 'Telephone',
      status: 'running',
      state: {
        state: 'busy',
        data: { number: '110', secret: '***' },
        postponed: ['call'],
        queued: [],
        timeouts: ['state_timeout'],
      },
    })
    await lab.advance(0)
    await lab.run(stop(lab.a, telephone))
    await expect(lab.failure(second)).resolves.toMatchObject({ code: 'ERR_CALL_EXIT' })
  })

  it('getStatus shows postponed events in the order in which they will come', async () => {
    const { pid } = await play(lab, { event: (make) => make.keep(make.postpone()) })
    cast(lab.a, pid, '1')
    lab.a.send(pid, { type: 'note' })
    await lab.settle()
    expect(await lab.run(sys.getStatus(lab.a, pid))).toMatchObject({ state: { postponed: ['cast', 'info'] } })
  })

  it('a machine that is suspended handles no event, nor a timeout that is over; afterwards all come in order', async () => {
    const { pid, seen } = await play(lab, {
      event: (make, event) => (textOf(event) === 'cast 1' ? make.keep(make.stateTimeout(50, 's')) : make.keep()),
    })
    cast(lab.a, pid, '1')
    await lab.run(sys.suspend(lab.a, pid))
    cast(lab.a, pid, '2')
    await lab.advance(60)
    cast(lab.a, pid, '3')
    await lab.settle()
    expect(seen).toEqual(['cast 1 in a'])
    await lab.run(sys.resume(lab.a, pid))
    await lab.settle()
    expect(seen.slice(1)).toEqual(['cast 2 in a', 'state_timeout s in a', 'cast 3 in a'])
  })

  it('a listener is told of messages and replies', async () => {
    const telephone = await lab.run(start(lab.a, Telephone, ['']))
    const told: string[] = []
    await lab.run(sys.install(lab.a, telephone, ({ type }) => void told.push(type)))
    await lab.run(call(lab.a, telephone, { type: 'hang_up' }))
    expect(told).toEqual(['in', 'out'])
  })
})

describe('the end', () => {
  it('stop runs terminate with the state, and its reason is the end', async () => {
    const { pid, seen } = await play(lab, { init: (make) => make.ok('c') })
    await lab.run(stop(lab.a, pid, { shutdown: 'over' }))
    expect(seen).toEqual(['terminate shutdown in c'])
    expect(lab.crashReports()).toEqual([])
  })

  it('a crash report shows the event that it was at, and the state as formatStatus gives it', async () => {
    const telephone = await lab.run(start(lab.a, Telephone, ['']))
    await lab.run(call(lab.a, telephone, { type: 'dial', number: '110' }))
    cast(lab.a, telephone, { type: 'crash' })
    await lab.settle()
    const [report] = lab.crashReports()
    expect(report?.fields).toMatchObject({ server: 'Telephone', lastMessage: 'crash' })
    expect(report?.fields['state']).toContain("state: 'busy'")
    expect(report?.fields['state']).toContain('***')
    expect(report?.fields['state']).not.toContain('1234')
  })

  it('of an event that was postponed, or inserted, the report shows that, not the message that came before', async () => {
    const { pid } = await play(lab, {
      event: (make, event, state) => {
        if (state === 'a') return textOf(event) === 'cast go' ? make.next('b') : make.keep(make.postpone())
        throw new Error('oops')
      },
    })
    cast(lab.a, pid, untyped({ type: 'postponed' }))
    cast(lab.a, pid, 'go')
    await lab.settle()
    expect(lab.crashReports().map(({ fields }) => fields['lastMessage'])).toEqual(['postponed'])
  })

  it('the report shows what would have come next: a hundred of them, and a hundred of those that are put off', async () => {
    const { pid } = await play(lab, {
      event: (make, event) => {
        if (textOf(event) === 'cast go') return make.keep(...Array.from({ length: 103 }, () => make.insert('i')))
        return event.type === 'internal' ? untyped('bad') : make.keep(make.postpone())
      },
    })
    for (let times = 0; times < 101; times++) cast(lab.a, pid, `${times}`)
    cast(lab.a, pid, 'go')
    await lab.settle()
    const [state] = lab.crashReports().map(({ fields }) => String(fields['state']))
    // Of a list 20 are written out.
    expect(state?.match(/\w+: \[|\d+ more items/g)).toEqual([
      ...['postponed: [', '80 more items', 'queued: [', '80 more items', 'timeouts: ['],
    ])
  })

  it('of a timeout the report shows the event', async () => {
    const { pid } = await play(lab, {
      event: (make, event) => make.keep(event.type === 'cast' ? make.stateTimeout(5, 's') : untyped('bad')),
    })
    cast(lab.a, pid, 'go')
    await lab.advance(10)
    expect(lab.crashReports().map(({ fields }) => fields['lastMessage'])).toEqual(['state_timeout'])
  })

  it('a process that is killed under a callback calls no more of its code', async () => {
    let release: (() => void) | undefined
    const { pid, seen } = await play(lab, {
      event: async (make) => {
        await new Promise<void>((resolve) => {
          release = resolve
        })
        return make.next('b', make.insert('i'))
      },
    })
    cast(lab.a, pid, '1')
    await lab.settle()
    lab.a.exit(pid, 'kill')
    await lab.settle()
    release?.()
    await lab.advance(100)
    expect(seen).toEqual(['cast 1 in a'])
  })

  it('a machine that has ended leaves no timer', async () => {
    const { timers } = (lab.a as unknown as { readonly kernel: { readonly timers: { readonly size: number } } }).kernel
    const before = timers.size
    const { pid } = await play(lab, {
      event: (make) => make.keep(make.stateTimeout(9e6, 's'), make.eventTimeout(9e6, 'e'), make.timeout('x', 9e6, 't')),
    })
    for (let times = 0; times < 1_000; times++) cast(lab.a, pid, `${times}`)
    await lab.settle()
    expect(timers.size).toBe(before + 3)
    await lab.run(stop(lab.a, pid))
    expect(timers.size).toBe(before)
  })

  it('timeouts that are over, or cancelled, leave nothing behind in a machine that goes on', async () => {
    const { pid, seen } = await play(lab, {
      event: (make, event) => {
        if (event.type !== 'cast') return make.keep()
        return make.keep(make.timeout('x', 1, 'over'), make.timeout('y', 9e6, 'started anew'))
      },
    })
    const writes = vi.spyOn(Map.prototype, 'set')
    onTestFinished(() => writes.mockRestore())
    for (let times = 0; times < 500; times++) {
      cast(lab.a, pid, `${times}`)
      await lab.advance(1)
    }
    expect(seen).toHaveLength(1_000)
    const timers = writes.mock.calls.flatMap(([, value], n) => (value instanceof Ref ? [writes.mock.contexts[n]] : []))
    expect(timers.length).toBeGreaterThanOrEqual(1_000)
    for (const map of new Set(timers)) expect((map as Map<unknown, unknown>).size).toBeLessThan(10)
  })

  it('what a machine does not handle in a state is logged, and it stays', async () => {
    const telephone = await lab.run(start(lab.a, Telephone, ['']))
    lab.a.send(telephone, { type: 'wrong number' })
    await lab.settle()
    expect(lab.a.isProcessAlive(telephone)).toBe(true)
    expect(lab.cluster.log.lines.filter(({ fields }) => fields['event'] === 'info')).toHaveLength(1)
  })

  it('a bad init, or code that asks for the process or the state too early, fails the start', async () => {
    class Early extends GenStatem<{ state: 'on' }> {
      override init(how: 'pid' | 'state') {
        if (how === 'state') this.getState()
        return this.ok('on')
      }
      override handleEvent() {
        return this.keepState()
      }
    }
    const failure = await lab.failure(start(lab.a, Early, ['state']))
    expect(failure).toMatchObject({ code: 'ERR_START_FAILED', reason: { error: { name: 'TypeError' } } })
  })
})

describe('across nodes', () => {
  it('a call is answered, postponed until the state has changed, and answered later by another process', async () => {
    const telephone = await lab.run(start(lab.a, Telephone, ['']))
    await expect(lab.run(call(lab.b, telephone, { type: 'dial', number: '110' }))).resolves.toBe('talking to 110')
    const waiting = call(lab.b, telephone, { type: 'dial', number: '112' })
    let answered = false
    void waiting.then(() => {
      answered = true
    })
    await lab.advance(1_000)
    expect(answered).toBe(false)
    await lab.run(call(lab.b, telephone, { type: 'hang_up' }))
    await expect(lab.run(waiting)).resolves.toBe('talking to 112')

    const later = call(lab.b, telephone, { type: 'later' })
    await lab.advance(10)
    lab.a.send(telephone, { type: 'now' })
    await expect(lab.run(later)).resolves.toBe('later')
  })

  it('a caller is answered by a process of its own node that was sent its from', async () => {
    const helper = lab.b.spawn(handler((self) => (from: From<string>) => reply(self, from, 'by another')))
    const { pid } = await play(lab, {
      event: (make, event: PuppetEvent) => {
        if (event.type === 'call') lab.a.send(helper, event.from)
        return make.keep()
      },
    })
    await expect(lab.run(call(lab.b, pid, { type: 'go' }))).resolves.toBe('by another')
  })

  it('whoever waits for a machine whose node dies is told so', async () => {
    const telephone = await lab.run(start(lab.a, Telephone, ['']))
    await lab.run(call(lab.b, telephone, { type: 'dial', number: '110' }))
    const waiting = call(lab.b, telephone, { type: 'dial', number: '112' }, Infinity)
    await lab.advance(10)
    lab.cluster.crash('a')
    expect(await lab.failure(waiting)).toMatchObject({ code: 'ERR_CALL_NODEDOWN' })
  })
})
