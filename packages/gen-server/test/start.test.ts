/**
 * How servers start: what a start waits for, what it resolves with, and what is left of one that fails.
 */
import {
  call,
  enterLoop,
  GenServer,
  start,
  startLink,
  startMonitor,
  type Call,
  type Monitored,
} from '@pidmesh/gen-server'
import { handler, via, type Pid, type Via, type ViaCapabilities } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { Puppet, untyped, useLab, type PuppetPid, type Script } from './lab.ts'

const lab = useLab()

const STARTS = { start, startLink, startMonitor }

/** A `Via` that answers later, and forgets nobody by itself: what isn't given back stays. */
class Names implements Via {
  readonly table: Map<string, Pid> = new Map()
  readonly capabilities: ViaCapabilities = {
    resolve: 'memory',
    holders: 'one',
    newestWins: false,
    order: 'always',
    purge: 'noticed',
    knowsAbsence: true,
    reachesPids: true,
  }

  async registerName(name: string, pid: Pid): Promise<'yes' | 'no'> {
    if (this.table.has(name)) return 'no'
    this.table.set(name, pid)
    return 'yes'
  }
  async unregisterName(name: string): Promise<'ok'> {
    this.table.delete(name)
    return 'ok'
  }
  whereisName(name: string): Pid | undefined {
    return this.table.get(name)
  }
  async resolveName(name: string): Promise<Pid | undefined> {
    return this.table.get(name)
  }
  send(): 'noproc' {
    return 'noproc'
  }
  setMeta(): 'error' {
    return 'error'
  }
}

describe.each(Object.entries(STARTS))('%s', (_name, startAs) => {
  it('resolves after init, whether that takes its time or not', async () => {
    for (const init of [
      () => undefined,
      () => new Promise<void>((resolve) => void lab.cluster.clock.setTimer(50, resolve)),
    ]) {
      const events: string[] = []
      const { self } = await lab.process()
      const starting: Promise<PuppetPid | Monitored<PuppetPid>> = startAs(self, Puppet, [{ init }, events])
      const started = await lab.run(starting)
      expect(events).toEqual(['init'])
      const pid = 'ref' in started ? started.pid : started
      await expect(lab.run(call(lab.a, pid, { type: 'ping' }))).resolves.toBe('pong')
    }
  })

  it('fails with the reason of an init that stops, exits, throws or rejects; the name is free by then', async () => {
    const { self } = await lab.process()
    const scripts: readonly [Script['init'], unknown][] = [
      [(puppet) => puppet.make.stop('stopped'), 'stopped'],
      [(puppet) => puppet.context.exit('left'), 'left'],
      [() => Promise.reject(new RangeError('rejected')), { error: { name: 'RangeError', message: 'rejected' } }],
      [
        () => {
          throw new RangeError('thrown')
        },
        { error: { name: 'RangeError', message: 'thrown' } },
      ],
    ]
    for (const [init, reason] of scripts) {
      const events: string[] = []
      const wasFree: boolean[] = []
      const starting = startAs(self, Puppet, [init === undefined ? {} : { init }, events], { name: 'puppet' })
      starting.catch(() => wasFree.push(lab.a.whereis('puppet') === undefined))
      expect(await lab.failure(starting)).toMatchObject({ code: 'ERR_START_FAILED', reason })
      expect(events).toEqual(['init'])
      expect(wasFree).toEqual([true])
    }
  })

  it('makes a crash report of an init that throws, none of one that stops or exits: whoever starts it is told', async () => {
    const { self } = await lab.process()
    const stops: Script['init'][] = [(puppet) => puppet.make.stop('stopped'), (puppet) => puppet.context.exit('left')]
    for (const init of stops) await lab.failure(startAs(self, Puppet, [{ ...(init && { init }) }, []]))
    expect(lab.crashReports()).toEqual([])
    const init = (): never => {
      throw new Error('thrown')
    }
    await lab.failure(startAs(self, Puppet, [{ init }, []]))
    expect(lab.crashReports()).toHaveLength(1)
  })

  it('kills an init that takes too long, and fails with timeout when it has ended and the name is free', async () => {
    const { self } = await lab.process()
    const names = new Names()
    for (const name of ['slow', via(names, 'slow')]) {
      const init = () => new Promise(() => undefined)
      const starting = startAs(self, Puppet, [{ init }, []], { name, timeoutMs: 50 })
      const wasFree: boolean[] = []
      starting.catch(() => wasFree.push(lab.a.whereis('slow') === undefined && names.table.size === 0))
      expect(await lab.failure(starting)).toMatchObject({ code: 'ERR_START_TIMEOUT', reason: 'timeout' })
      expect(wasFree).toEqual([true])
    }
  })

  it('fails with already_started and the pid that has the name, and init does not run', async () => {
    const { self } = await lab.process()
    const names = new Names()
    for (const name of ['taken', via(names, 'taken')]) {
      const pid = await lab.run(start(lab.a, Puppet, [{}, []], { name }))
      const events: string[] = []
      const failure = await lab.failure(startAs(self, Puppet, [{}, events], { name }))
      expect(failure).toMatchObject({ code: 'ERR_ALREADY_STARTED', reason: 'already_started' })
      expect(failure.pid?.equals(pid)).toBe(true)
      expect(failure.message).toContain(`the name "taken" is that of ${pid}`)
      expect(events).toEqual([])
    }
  })

  it('gives a name in a Via back before the failure is told: stop, ignore, throw and kill', async () => {
    const { self } = await lab.process()
    const names = new Names()
    const inits: Script['init'][] = [
      (puppet) => puppet.make.stop('stopped'),
      (puppet) => puppet.make.ignore(),
      (puppet) => puppet.context.exit('left'),
      (puppet) => {
        lab.a.exit(puppet.context.pid, 'kill')
        return new Promise(() => undefined)
      },
    ]
    for (const init of inits) {
      const starting: Promise<unknown> = startAs(self, Puppet, [{ ...(init && { init }) }, []], {
        name: via(names, 'x'),
      })
      const left: number[] = []
      const note = (): unknown => left.push(names.table.size)
      starting.then(note, note)
      await lab.run(starting.catch(() => undefined))
      expect(left).toEqual([0])
    }
  })

  it('fails with what the Via says, if that fails', async () => {
    const { self } = await lab.process()
    const names = new Names()
    names.registerName = () => Promise.reject(new Error('the table is gone'))
    const failure = await lab.failure(startAs(self, Puppet, [{}, []], { name: via(names, 'x') }))
    expect(failure).toMatchObject({ code: 'ERR_START_FAILED', reason: { error: { message: 'the table is gone' } } })
    names.resolveName = () => Promise.reject(new Error('still gone'))
    const second = await lab.failure(startAs(self, Puppet, [{}, []], { name: via(names, 'x') }))
    expect(second).toMatchObject({ code: 'ERR_START_FAILED', reason: { error: { message: 'the table is gone' } } })
  })

  it('fails with timeout also if the Via never answers', async () => {
    const { self } = await lab.process()
    const names = new Names()
    names.registerName = () => new Promise(() => undefined)
    names.resolveName = () => new Promise(() => undefined)
    const failure = lab.failure(startAs(self, Puppet, [{}, []], { name: via(names, 'x'), timeoutMs: 10 }))
    await lab.advance(10_000)
    expect(await failure).toMatchObject({ code: 'ERR_START_TIMEOUT' })
  })

  it('does not run init, nor keep the name, if the Via answers when the process has been killed', async () => {
    const { self } = await lab.process()
    const names = new Names()
    const events: string[] = []
    let answer = (): void => undefined
    names.registerName = (name, pid) =>
      new Promise((resolve) => {
        answer = () => {
          names.table.set(name, pid)
          resolve('yes')
        }
      })
    await lab.failure(startAs(self, Puppet, [{}, events], { name: via(names, 'x'), timeoutMs: 10 }))
    answer()
    await lab.settle()
    expect(events).toEqual([])
    expect(names.table.size).toBe(0)
  })

  it('leaves a name in a Via to the next who has it, when the init of one that was killed ends after that', async () => {
    const { self } = await lab.process()
    const names = new Names()
    for (const end of ['stop', 'ignore', 'throw'] as const) {
      let finish = (): void => undefined
      const init: Script['init'] = async (puppet) => {
        await new Promise<void>((resolve) => (finish = resolve))
        if (end === 'throw') throw new Error('too late')
        return end === 'stop' ? puppet.make.stop('too late') : puppet.make.ignore()
      }
      const options = { name: via(names, end) }
      await lab.failure(startAs(self, Puppet, [{ init }, []], { ...options, timeoutMs: 10 }))
      await lab.run<unknown>(startAs(self, Puppet, [{}, []], options))
      finish()
      await lab.settle()
      expect(names.table.has(end)).toBe(true)
    }
  })

  it('refuses options that can not be, before there is a process', async () => {
    const { self } = await lab.process()
    const before = lab.a.counters().processesSpawned
    for (const options of [
      { timeoutMs: -1 },
      { timeoutMs: Number.NaN },
      { timeoutMs: '5' },
      { nmae: 'x' },
      { trapExit: 1 },
      { mailbox: 5 },
      { mailbox: { limit: 0 } },
      null,
    ])
      expect(await lab.failure(startAs(self, Puppet, [{}, []], untyped(options)))).toMatchObject({
        code: 'ERR_BAD_OPTION',
      })
    expect(await lab.failure(startAs(self, Puppet, [{}, []], untyped({ name: 5 })))).toMatchObject({
      code: 'ERR_BAD_OPTION',
    })
    expect(lab.a.counters().processesSpawned).toBe(before)
  })

  it('gives its process the mailbox that is asked for', async () => {
    const { self } = await lab.process()
    const mailbox = { limit: 2, policy: 'kill' } as const
    await lab.run<unknown>(startAs(self, Puppet, [{}, []], { name: 'small', mailbox }))
    for (let n = 0; n < 2; n++) self.send('small', { n })
    expect(lab.a.whereis('small')).toBeDefined()
    self.send('small', { n: 2 })
    expect(lab.a.whereis('small')).toBeUndefined()
  })

  it('makes no unhandled rejection if its caller is killed while it waits', async () => {
    const { self } = await lab.process()
    const faults = await faultsOf(async () => {
      void startAs(self, Puppet, [{ init: () => new Promise(() => undefined) }, []])
      await lab.settle()
      lab.a.exit(self.pid, 'kill')
      await lab.settle()
    })
    expect(faults).toEqual([])
  })
})

describe('what a server is to the one who started it', () => {
  it('start: nothing. Its end is not told, and the exit of its starter does not end it', async () => {
    const { self, messages } = await lab.process()
    const pid = await lab.run(start(self, Puppet, [{}, []]))
    lab.a.exit(self.pid, 'kill')
    await lab.settle()
    expect(lab.a.isProcessAlive(pid)).toBe(true)
    expect(messages).toEqual([])
  })

  it('start: an exit signal of its starter is a message as any other to a server that traps exits', async () => {
    // OTP: gen_server:start makes the server its own parent.
    const events: string[] = []
    const pid = await lab.run(start(lab.a, Puppet, [{}, events], { trapExit: true }))
    lab.a.exit(pid, 'shutdown')
    await lab.settle()
    expect(events).toEqual(['init', 'info EXIT'])
  })

  it('startLink: a child. Its parent gets its exit signal, and its parent’s exit ends it', async () => {
    const { self, messages } = await lab.process()
    const first = await lab.run(startLink(self, Puppet, [{}, []]))
    lab.a.exit(first, 'kill')
    await lab.settle()
    expect(messages).toEqual([{ type: 'EXIT', from: first, reason: 'killed' }])
    const second = await lab.run(startLink(self, Puppet, [{}, []]))
    lab.a.exit(self.pid, 'kill')
    await lab.settle()
    expect(lab.a.isProcessAlive(second)).toBe(false)
  })

  it('startLink: a start that fails sends its parent an exit signal too', async () => {
    const { self, messages } = await lab.process()
    await lab.failure(startLink(self, Puppet, [{ init: (puppet) => puppet.make.stop('no') }, []]))
    await lab.settle()
    expect(messages).toMatchObject([{ type: 'EXIT', reason: 'no' }])
  })

  it('startLink: one that takes too long sends none', async () => {
    // OTP: start_link takes the link back before it kills.
    const init = () => new Promise(() => undefined)
    const trapping = await lab.process()
    await lab.failure(startLink(trapping.self, Puppet, [{ init }, []], { timeoutMs: 5 }))
    const { self } = await lab.process({ trapExit: false })
    await lab.failure(startLink(self, Puppet, [{ init }, []], { timeoutMs: 5 }))
    await lab.settle()
    expect(trapping.messages).toEqual([])
    expect(self.isAlive).toBe(true)
  })

  it('startLink: the exit of its parent runs terminate with that reason, if it traps exits; of another it is a message', async () => {
    const events: string[] = []
    const { self } = await lab.process({ trapExit: false })
    const pid = await lab.run(startLink(self, Puppet, [{}, events], { trapExit: true }))
    lab.a.exit(pid, 'shutdown')
    await lab.settle()
    expect(events).toEqual(['init', 'info EXIT'])
    lab.a.exit(self.pid, 'goodbye')
    await lab.settle()
    expect(events).toEqual(['init', 'info EXIT', 'terminate goodbye'])
    expect(lab.a.isProcessAlive(pid)).toBe(false)
    expect(lab.crashReports()).toHaveLength(1)
  })

  it('startMonitor: its end is told by one DOWN; of a start that fails or is ignored none is told', async () => {
    const { self, messages } = await lab.process()
    const started = await lab.run(startMonitor(self, Puppet, [{}, []]))
    await lab.failure(startMonitor(self, Puppet, [{ init: (puppet) => puppet.make.stop('no') }, []]))
    await lab.run(startMonitor(self, Puppet, [{ init: (puppet) => puppet.make.ignore() }, []]))
    await lab.failure(startMonitor(self, Puppet, [{ init: () => new Promise(() => undefined) }, []], { timeoutMs: 5 }))
    let finish = (): void => undefined
    const slow: Script['init'] = () => new Promise<void>((resolve) => (finish = resolve))
    await lab.failure(startMonitor(self, Puppet, [{ init: slow }, []], { timeoutMs: 5 }))
    finish()
    await lab.settle()
    expect(messages).toEqual([])
    lab.a.exit(started.pid, 'kill')
    await lab.settle()
    expect(messages).toEqual([{ type: 'DOWN', ref: started.ref, pid: started.pid, reason: 'killed' }])
  })
})

describe('enterLoop', () => {
  class Echo extends GenServer<Call<{ type: 'echo'; text: string }, string>> {
    readonly #prefix: string

    constructor(prefix: string) {
      super()
      this.#prefix = prefix
    }

    override handleCall(request: Call<{ type: 'echo'; text: string }, string>) {
      return this.reply(request, this.#prefix + request.text)
    }
  }

  it('makes a process that was spawned by other means a server, with no init', async () => {
    const pid = lab.a.spawn(handler((self) => enterLoop(self, new Echo('> '))))
    await expect(lab.run(call(lab.b, pid, { type: 'echo', text: 'x' }))).resolves.toBe('> x')
  })

  it('ends the server with the parent that it names', async () => {
    const { self: parent } = await lab.process({ trapExit: false })
    const pid = parent.spawnLink(
      handler((self) => enterLoop(self, new Echo('> '), { parent: parent.pid })),
      { trapExit: true },
    )
    await lab.settle()
    lab.a.exit(parent.pid, 'shutdown')
    await lab.settle()
    expect(lab.a.isProcessAlive(pid)).toBe(false)
  })
})
