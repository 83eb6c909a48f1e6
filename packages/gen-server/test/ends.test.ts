/**
 * How servers end, and what is reported of it.
 */
import { call, cast, GenServer, start, type Call, type CallResult, type From, type Status } from '@pidmesh/gen-server'
import type { ExitReason } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { Puppet, useLab, type Script } from './lab.ts'

const lab = useLab()

const FAULTS: Record<string, () => unknown> = {
  throws: () => {
    throw new RangeError('on demand')
  },
  rejects: () => Promise.reject(new RangeError('on demand')),
}
const ERROR = { error: { name: 'RangeError', message: 'on demand' } }

describe.each(Object.entries(FAULTS))('a callback that %s', (_how, fault) => {
  it.each(['handleCall', 'handleCast', 'handleInfo'] as const)(
    'ends the server with the error as its reason, after terminate, once: %s',
    async (callback) => {
      const events: string[] = []
      const pid = await lab.run(start(lab.a, Puppet, [{ [callback]: fault }, events]))
      const ends = await lab.endsOf(pid)
      const calling = callback === 'handleCall' ? call(lab.b, pid, { type: 'go' }) : undefined
      if (callback === 'handleCast') cast(lab.b, pid, { type: 'go' })
      if (callback === 'handleInfo') lab.b.send(pid, { type: 'note' })
      await lab.advance(10)
      expect(ends).toMatchObject([ERROR])
      expect(events).toEqual(['init', expect.any(String), 'terminate error'])
      if (calling !== undefined)
        expect(await lab.failure(calling)).toMatchObject({ code: 'ERR_CALL_EXIT', serverReason: ERROR })
      expect(lab.crashReports()).toHaveLength(1)
    },
  )

  it('terminate: its error takes the place of the reason', async () => {
    const events: string[] = []
    const script: Script = { handleCast: (puppet) => puppet.make.stop('normal'), terminate: fault }
    const pid = await lab.run(start(lab.a, Puppet, [script, events]))
    const ends = await lab.endsOf(pid)
    cast(lab.a, pid, { type: 'go' })
    await lab.settle()
    expect(ends).toMatchObject([ERROR])
    expect(events).toEqual(['init', 'cast', 'terminate normal'])
    expect(lab.crashReports()).toHaveLength(1)
  })
})

describe('terminate', () => {
  it('runs for self.exit in a callback, with the reason of that', async () => {
    const events: string[] = []
    const pid = await lab.run(start(lab.a, Puppet, [{ handleCast: (puppet) => puppet.context.exit('left') }, events]))
    const ends = await lab.endsOf(pid)
    cast(lab.a, pid, { type: 'go' })
    await lab.settle()
    expect(events).toEqual(['init', 'cast', 'terminate left'])
    expect(ends).toEqual(['left'])
  })

  it('does not run if the server is killed, or gets an exit signal and does not trap exits', async () => {
    for (const reason of ['kill', 'shutdown']) {
      const events: string[] = []
      const pid = await lab.run(start(lab.a, Puppet, [{}, events]))
      lab.a.exit(pid, reason)
      await lab.settle()
      expect(events).toEqual(['init'])
      expect(lab.a.isProcessAlive(pid)).toBe(false)
    }
  })

  it('that never settles keeps the server, which takes no message any more, until it is killed', async () => {
    const events: string[] = []
    const script: Script = {
      handleCast: (puppet) => puppet.make.stop('normal'),
      terminate: () => new Promise(() => undefined),
    }
    const pid = await lab.run(start(lab.a, Puppet, [script, events]))
    cast(lab.a, pid, { type: 'go' })
    lab.a.send(pid, { type: 'note' })
    await lab.advance(1_000)
    expect(events).toEqual(['init', 'cast', 'terminate normal'])
    expect(lab.a.isProcessAlive(pid)).toBe(true)
    const ends = await lab.endsOf(pid)
    lab.a.exit(pid, 'kill')
    await lab.settle()
    expect(ends).toEqual(['killed'])
  })
})

describe('a callback under way', () => {
  it('holds back all messages until it settles; one that never does holds them for ever, and a kill ends it', async () => {
    const events: string[] = []
    const pid = await lab.run(start(lab.a, Puppet, [{ handleCast: () => new Promise(() => undefined) }, events]))
    cast(lab.a, pid, { type: 'go' })
    const calling = call(lab.a, pid, { type: 'ping' }, Infinity)
    await lab.advance(60_000)
    expect(events).toEqual(['init', 'cast'])
    lab.a.exit(pid, 'kill')
    expect(await lab.failure(calling)).toMatchObject({ code: 'ERR_CALL_EXIT', serverReason: 'killed' })
  })

  it('that goes on after its process was killed changes nothing, and makes no unhandled rejection', async () => {
    const faults = await faultsOf(async () => {
      for (const after of ['reply', 'throw'] as const) {
        let go = (): void => undefined
        const events: string[] = []
        const handleCall = (puppet: Puppet): Promise<CallResult> =>
          new Promise((resolve, reject) => {
            go = () => (after === 'reply' ? resolve(puppet.make.reply()) : reject(new Error('too late')))
          })
        const pid = await lab.run(start(lab.a, Puppet, [{ handleCall }, events]))
        void call(lab.a, pid, { type: 'go' })
        await lab.settle()
        lab.a.exit(pid, 'kill')
        go()
        await lab.settle()
        expect(events).toEqual(['init', 'call'])
      }
    })
    expect(faults).toEqual([])
    expect(lab.crashReports()).toEqual([])
  })
})

describe('a message that nobody handles', () => {
  class Bare extends GenServer<Call<{ type: 'x' }, number>, { type: 'y' }, { type: 'z' }> {
    override init(isContinuing: boolean) {
      return this.ok(isContinuing ? { continue: { type: 'z' } } : undefined)
    }
    // As a callback does with what it has no case for.
    override handleCall(request: Call<{ type: 'x' }, number>, from: From) {
      return super.handleCall(request, from)
    }
    override handleCast(request: { type: 'y' }) {
      return super.handleCast(request)
    }
  }

  it('is logged if it is neither call nor cast, by its type, and the server goes on', async () => {
    const pid = await lab.run(start(lab.a, Bare, [false]))
    lab.a.send(pid, { type: 'secret_plan', of: 'mine' })
    await lab.settle()
    const lines = lab.cluster.log.lines.filter((line) => line.level === 'warn' && line.message.startsWith('Bare got'))
    expect(lines.map((line) => line.fields['message'])).toEqual(['secret_plan'])
    expect(JSON.stringify(lines)).not.toContain('mine')
    expect(lab.a.isProcessAlive(pid)).toBe(true)
  })

  it('ends the server if it is a call, a cast or a continue that it should have had a callback for', async () => {
    const first = await lab.run(start(lab.a, Bare, [false]))
    expect(await lab.failure(call(lab.a, first, { type: 'x' }))).toMatchObject({ serverReason: { bad_call: 'x' } })
    const second = await lab.run(start(lab.a, Bare, [false]))
    const ends = await lab.endsOf(second)
    cast(lab.a, second, { type: 'y' })
    await lab.settle()
    expect(ends).toEqual([{ bad_cast: 'y' }])
    await lab.run(start(lab.a, Bare, [true]))
    await lab.settle()
    expect(lab.crashReports().map((line) => line.fields['reason'])).toContainEqual({ bad_continue: 'z' })
  })
})

describe('a crash report', () => {
  class Vault extends GenServer<Call<{ type: 'open'; key: string }, never>, ExitReason> {
    treasure = 'gold'
    #format: (status: Status) => Status = (status) => super.formatStatus(status)

    override init(format?: (status: Status) => Status) {
      if (format !== undefined) this.#format = format
    }
    override handleCall(): CallResult {
      throw new Error('it does not open')
    }
    override handleCast(reason: ExitReason) {
      return this.stop(reason)
    }
    override formatStatus(status: Status): Status {
      return this.#format(status)
    }
  }

  it.each(['normal', 'shutdown', { shutdown: 'because' }])('is not made for the reason %j', async (reason) => {
    const asked: Status[] = []
    const pid = await lab.run(start(lab.a, Vault, [(status: Status) => (asked.push(status), status)]))
    cast(lab.a, pid, reason)
    await lab.settle()
    expect(lab.a.isProcessAlive(pid)).toBe(false)
    expect(lab.crashReports()).toEqual([])
    expect(asked).toEqual([])
  })

  it('is made for any other: with the class, the type of the last message, the state and the reason', async () => {
    const pid = await lab.run(start(lab.a, Vault, [], { name: 'vault' }))
    await lab.failure(call(lab.a, pid, { type: 'open', key: 'a secret' }))
    const reports = lab.crashReports()
    expect(reports).toHaveLength(1)
    expect(reports[0]?.fields).toMatchObject({
      pid: pid.toString(),
      registeredName: 'vault',
      server: 'Vault',
      lastMessage: 'open',
      state: "{ treasure: 'gold' }",
      reason: { name: 'Error', message: 'it does not open' },
    })
    expect(JSON.stringify(reports[0])).not.toContain('a secret')
  })

  it('is made of a stop with another reason, too', async () => {
    const pid = await lab.run(start(lab.a, Vault, []))
    cast(lab.a, pid, 'fire')
    await lab.settle()
    expect(lab.crashReports().map((line) => line.fields)).toMatchObject([
      { reason: 'fire', state: "{ treasure: 'gold' }" },
    ])
  })

  it('shows what formatStatus lets be seen: it is given the state, the request and the reason', async () => {
    const given: Status[] = []
    const format = (status: Status): Status => {
      given.push(status)
      return { state: 'locked', message: 'a key' }
    }
    const pid = await lab.run(start(lab.a, Vault, [format]))
    await lab.failure(call(lab.a, pid, { type: 'open', key: 'a secret' }))
    expect(given).toMatchObject([
      {
        state: { treasure: 'gold' },
        message: { type: 'open', key: 'a secret' },
        reason: { error: { message: 'it does not open' } },
      },
    ])
    expect(lab.crashReports()[0]?.fields).toMatchObject({ state: 'locked', lastMessage: 'a key' })
  })

  it('shows neither state nor message if formatStatus fails', async () => {
    const format = (): never => {
      throw new Error('it can not be told')
    }
    const pid = await lab.run(start(lab.a, Vault, [format]))
    await lab.failure(call(lab.a, pid, { type: 'open', key: 'a secret' }))
    expect(lab.crashReports()).toHaveLength(1)
    expect(lab.crashReports()[0]?.fields).toMatchObject({ state: 'formatStatus has failed: Error: it can not be told' })
    expect(JSON.stringify(lab.crashReports())).not.toMatch(/gold|a secret/)
  })

  it('shows neither if a method that is asked at once is async, and its promise makes no unhandled rejection', async () => {
    class Later extends GenServer<never, string> {
      override getState(): Promise<never> {
        return Promise.reject(new Error('later'))
      }
      override handleCast(): never {
        throw new Error('it breaks')
      }
    }
    const faults = await faultsOf(async () => {
      cast(lab.a, await lab.run(start(lab.a, Later, [])), 'a secret')
      await lab.settle()
    })
    expect(faults).toEqual([])
    expect(lab.crashReports()[0]?.fields).toMatchObject({
      state: 'formatStatus has failed: PidmeshError: getState gives a state at once, not by a promise',
    })
  })

  it('holds at most 4,096 characters of a state, however large, deep or circular it is', async () => {
    class Large extends GenServer<never, never> {
      list = Array.from({ length: 100_000 }, (_, i) => ({ i, text: 'x'.repeat(1_000) }))
      self_: unknown = this
    }
    const pid = await lab.run(start(lab.a, Large, []))
    lab.a.send(pid, { type: '$gen_cast', request: 1 })
    await lab.settle()
    const state = lab.crashReports()[0]?.fields['state']
    expect(state).toHaveLength(4_097)
  })
})
