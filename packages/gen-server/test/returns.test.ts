/**
 * What each callback may return, what follows from it, and what it may not return. Each twice: at once, and with a promise.
 */
import { call, cast, start, type Next } from '@pidmesh/gen-server'
import { describe, expect, it } from 'vitest'
import { Puppet, useLab, type PuppetPid, type Script } from './lab.ts'

const lab = useLab()

type Callback = 'handleCall' | 'handleCast' | 'handleInfo' | 'handleContinue'

const CALLBACKS: readonly Callback[] = ['handleCall', 'handleCast', 'handleInfo', 'handleContinue']

const TIMES = {
  'at once': (value: unknown): unknown => value,
  later: (value: unknown): unknown => Promise.resolve(value),
}

/** What a callback may ask for besides, and what comes of it. */
const NEXTS: readonly { readonly name: string; readonly next: Next<string> | undefined; readonly follows: string[] }[] =
  [
    { name: 'nothing more', next: undefined, follows: [] },
    { name: 'continue', next: { continue: 'on' }, follows: ['continue on'] },
    { name: 'an idle timeout of 50 ms', next: { timeoutMs: 50 }, follows: ['info idle_timeout'] },
    { name: 'an idle timeout of 0 ms', next: { timeoutMs: 0 }, follows: ['info idle_timeout'] },
    { name: 'no idle timeout', next: { timeoutMs: Infinity }, follows: [] },
    { name: 'hibernate', next: { hibernate: true }, follows: [] },
  ]

interface Played {
  readonly pid: PuppetPid
  readonly events: string[]
  readonly reply: Promise<unknown> | undefined
}

const EVENT: Record<Callback, string> = {
  handleCall: 'call',
  handleCast: 'cast',
  handleInfo: 'info note',
  handleContinue: 'continue first',
}

/** Starts a puppet whose `callback` gives `result` the first time, and nothing afterwards; and makes it run. */
async function play(callback: Callback, result: (puppet: Puppet) => unknown): Promise<Played & { ends: unknown[] }> {
  const events: string[] = []
  let isFirst = true
  const first = (puppet: Puppet): unknown => {
    if (!isFirst) return undefined
    isFirst = false
    return result(puppet)
  }
  const init = callback === 'handleContinue' ? { init: (puppet: Puppet) => puppet.make.ok({ continue: 'first' }) } : {}
  const script: Script = { ...init, [callback]: first }
  const starting = start(lab.a, Puppet, [script, events])
  const pid = await lab.run(starting)
  const ends = callback === 'handleContinue' ? [] : await lab.endsOf(pid)
  let reply: Promise<unknown> | undefined
  if (callback === 'handleCall') reply = call(lab.a, pid, { type: 'go' }, 1_000)
  if (callback === 'handleCast') cast(lab.a, pid, { type: 'go' })
  if (callback === 'handleInfo') lab.a.send(pid, { type: 'note' })
  await lab.advance(100)
  return { pid, events, reply, ends }
}

describe.each(Object.entries(TIMES))('a callback that returns %s', (_when, timed) => {
  describe.each(NEXTS)('with $name', ({ next, follows }) => {
    it('init: ok starts the server, and does that', async () => {
      const events: string[] = []
      const pid = await lab.run(start(lab.a, Puppet, [{ init: (puppet) => timed(puppet.make.ok(next)) }, events]))
      await lab.advance(100)
      expect(events).toEqual(['init', ...follows])
      expect(lab.a.isProcessAlive(pid)).toBe(true)
    })

    it('handleCall: reply gives the caller the reply, and does that', async () => {
      const { pid, events, reply } = await play('handleCall', (puppet) => timed(puppet.make.reply(next)))
      await expect(reply).resolves.toBe('the reply')
      expect(events).toEqual(['init', 'call', ...follows])
      expect(lab.a.isProcessAlive(pid)).toBe(true)
    })

    it('handleCall: noreply leaves the caller waiting for a later reply, and does that', async () => {
      let made: Puppet | undefined
      const { events, reply } = await play('handleCall', (puppet) => {
        made = puppet
        return timed(puppet.make.noreply(next))
      })
      expect(events).toEqual(['init', 'call', ...follows])
      made?.replyLater('later')
      await expect(lab.run(reply ?? Promise.reject(new Error('no call')))).resolves.toBe('later')
    })

    it.each(['handleCast', 'handleInfo', 'handleContinue'] as const)('%s: noreply does that', async (callback) => {
      const { pid, events } = await play(callback, (puppet) => timed(puppet.make.noreply(next)))
      expect(events).toEqual(['init', EVENT[callback], ...follows])
      expect(lab.a.isProcessAlive(pid)).toBe(true)
    })
  })

  it('init: nothing starts the server', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{ init: () => timed(undefined) }, []]))
    expect(lab.a.isProcessAlive(pid)).toBe(true)
  })

  it('init: stop fails the start with its reason, without terminate', async () => {
    const events: string[] = []
    const script: Script = { init: (puppet) => timed(puppet.make.stop({ why: 'so' })) }
    const failure = await lab.failure(start(lab.a, Puppet, [script, events], { name: 'puppet' }))
    expect(failure).toMatchObject({ code: 'ERR_START_FAILED', reason: { why: 'so' } })
    expect(events).toEqual(['init'])
    expect(lab.a.whereis('puppet')).toBeUndefined()
  })

  it('init: ignore makes the start resolve with undefined, and leaves no process', async () => {
    const events: string[] = []
    const before = lab.a.processes().length
    const script: Script = { init: (puppet) => timed(puppet.make.ignore()) }
    await expect(lab.run(start(lab.a, Puppet, [script, events], { name: 'puppet' }))).resolves.toBeUndefined()
    expect(events).toEqual(['init'])
    expect(lab.a.whereis('puppet')).toBeUndefined()
    expect(lab.a.processes()).toHaveLength(before)
    expect(lab.crashReports()).toEqual([])
  })

  it.each(['handleCast', 'handleInfo', 'handleContinue'] as const)('%s: nothing goes on', async (callback) => {
    const { pid, events } = await play(callback, () => timed(undefined))
    expect(events).toEqual(['init', EVENT[callback]])
    expect(lab.a.isProcessAlive(pid)).toBe(true)
  })

  it.each(CALLBACKS)('%s: stop runs terminate once, and ends the server with the reason', async (callback) => {
    const { pid, events, reply, ends } = await play(callback, (puppet) => timed(puppet.make.stop('shutdown')))
    expect(events).toEqual(['init', EVENT[callback], 'terminate shutdown'])
    expect(lab.a.isProcessAlive(pid)).toBe(false)
    if (callback !== 'handleContinue') expect(ends).toEqual(['shutdown'])
    if (reply !== undefined)
      await expect(reply).rejects.toMatchObject({ code: 'ERR_CALL_EXIT', serverReason: 'shutdown' })
    expect(lab.crashReports()).toEqual([])
  })

  it('handleCall: a stop with a reply replies when terminate has run, also if that throws, and ends the server with the reason', async () => {
    for (const fails of [false, true]) {
      const events: string[] = []
      const script: Script = {
        handleCall: (puppet) => timed(puppet.make.stopAfterReply('normal')),
        terminate: async () => {
          await new Promise<void>((resolve) => void lab.cluster.clock.setTimer(10, resolve))
          events.push('terminated')
          if (fails) throw new Error('on demand')
        },
      }
      const pid = await lab.run(start(lab.a, Puppet, [script, events]))
      const ends = await lab.endsOf(pid)
      void call(lab.a, pid, { type: 'go' }).then((reply) => events.push(String(reply)))
      await lab.advance(100)
      expect(events).toEqual(['init', 'call', 'terminate normal', 'terminated', 'the reply'])
      expect(ends).toMatchObject(fails ? [{ error: { message: 'on demand' } }] : ['normal'])
    }
  })
})

it('a terminate that throws at once takes no reply from who waits for one, either', async () => {
  const events: string[] = []
  const script: Script = {
    handleCall: (puppet) => puppet.make.stopAfterReply('normal'),
    terminate: () => {
      throw new Error('on demand')
    },
  }
  const pid = await lab.run(start(lab.a, Puppet, [script, events]))
  const ends = await lab.endsOf(pid)
  expect(await lab.run(call(lab.a, pid, { type: 'go' }))).toBe('the reply')
  await lab.settle()
  expect(ends).toMatchObject([{ error: { message: 'on demand' } }])
})

describe('an illegal return', () => {
  const NEVER: readonly unknown[] = [
    null,
    'nonsense',
    5,
    {},
    [],
    { type: 'nonsense' },
    { type: 'stop' },
    { type: 'stop', reason: undefined },
    { type: 'stop', reason: 7 },
    { type: 'noreply', next: {} },
    { type: 'noreply', next: 'hibernate' },
    { type: 'noreply', next: { timeoutMs: -1 } },
    { type: 'noreply', next: { timeoutMs: Number.NaN } },
    { type: 'noreply', next: { timeoutMs: '5' } },
    { type: 'noreply', next: { hibernate: false } },
    { type: 'noreply', next: { continue: 'on', timeoutMs: 5 } },
    { type: 'noreply', next: { timeoutMs: 5, hibernate: true } },
    { type: 'ok' },
    { type: 'ignore' },
  ]
  const REPLIES: readonly unknown[] = [
    { type: 'reply', value: 'the reply' },
    { type: 'stop_reply', value: 'the reply', reason: 'normal' },
  ]
  const BAD_REPLIES: readonly unknown[] = [
    undefined,
    { type: 'reply', value: 'the reply', next: { timeoutMs: -1 } },
    { type: 'stop_reply', value: 'the reply', reason: undefined },
  ]
  const rows = Object.entries(TIMES).flatMap(([when, timed]) => [
    ...[...NEVER, ...BAD_REPLIES].map((value) => ({ callback: 'handleCall' as Callback, when, timed, value })),
    ...CALLBACKS.slice(1).flatMap((callback) =>
      [...NEVER, ...REPLIES].map((value) => ({ callback, when, timed, value })),
    ),
  ])

  it.each(rows)(
    'of $callback, $value, $when, ends the server with bad_return_value',
    async ({ callback, timed, value }) => {
      const { pid, events, reply } = await play(callback, () => timed(value))
      expect(events).toEqual(['init', EVENT[callback], 'terminate bad_return_value'])
      expect(lab.a.isProcessAlive(pid)).toBe(false)
      if (reply !== undefined) {
        const serverReason = { bad_return_value: expect.any(String) as string }
        await expect(reply).rejects.toMatchObject({ code: 'ERR_CALL_EXIT', serverReason })
      }
      expect(lab.crashReports()).toHaveLength(1)
    },
  )

  const initRows = Object.entries(TIMES).flatMap(([when, timed]) =>
    [
      null,
      'ok',
      5,
      {},
      { type: 'noreply' },
      { type: 'reply' },
      { type: 'ok', next: {} },
      { type: 'stop', reason: 3 },
    ].map((value) => ({ when, timed, value })),
  )

  it.each(initRows)('of init, $value, $when, fails the start with bad_return_value', async ({ timed, value }) => {
    const failure = await lab.failure(start(lab.a, Puppet, [{ init: () => timed(value) }, []], { name: 'puppet' }))
    expect(failure).toMatchObject({
      code: 'ERR_START_FAILED',
      reason: { bad_return_value: expect.any(String) as string },
    })
    expect(lab.a.whereis('puppet')).toBeUndefined()
  })

  it('says what was returned, at most 4,096 characters of it', async () => {
    const { reply } = await play('handleCall', () => 'x'.repeat(10_000))
    const failure = await lab.failure(reply ?? Promise.resolve())
    expect(failure.serverReason).toEqual({ bad_return_value: `${'x'.repeat(4_096)}…` })
  })
})

describe('handleContinue', () => {
  it('runs before any message, also those that waited while init ran', async () => {
    const events: string[] = []
    const script: Script = { init: (puppet) => puppet.make.ok({ continue: 'on' }) }
    const starting = start(lab.a, Puppet, [script, events], { name: 'puppet' })
    cast(lab.a, 'puppet', { type: 'go' })
    lab.a.send('puppet', { type: 'note' })
    await lab.run(starting)
    await lab.settle()
    expect(events).toEqual(['init', 'continue on', 'cast', 'info note'])
  })

  it('runs after the start has been reported: one that never settles holds up no start', async () => {
    const script: Script = {
      init: (puppet) => puppet.make.ok({ continue: 'on' }),
      handleContinue: () => new Promise(() => undefined),
    }
    const pid = await lab.run(start(lab.a, Puppet, [script, []]))
    expect(await lab.failure(call(lab.a, pid, { type: 'ping' }, 100))).toMatchObject({ code: 'ERR_CALL_TIMEOUT' })
  })

  it.each(Object.entries(TIMES))('that returns %s may continue any number of times', async (_when, timed) => {
    const events: string[] = []
    let left = 20_000
    const script: Script = {
      init: (puppet) => puppet.make.ok({ continue: 'on' }),
      handleContinue: (puppet) => timed(left-- > 0 ? puppet.make.noreply({ continue: 'on' }) : puppet.make.noreply()),
    }
    const pid = await lab.run(start(lab.a, Puppet, [script, events]))
    await expect(lab.run(call(lab.a, pid, { type: 'ping' }))).resolves.toBe('pong')
    expect(events).toHaveLength(20_002)
  })

  it('that throws ends the server, after terminate; the start has succeeded', async () => {
    const events: string[] = []
    const script: Script = {
      init: (puppet) => puppet.make.ok({ continue: 'on' }),
      handleContinue: () => {
        throw new Error('thrown')
      },
    }
    const pid = await lab.run(start(lab.a, Puppet, [script, events]))
    expect(events).toEqual(['init', 'continue on', 'terminate error'])
    expect(lab.a.isProcessAlive(pid)).toBe(false)
  })
})

describe('an idle timeout', () => {
  /** A puppet that asks for an idle timeout of `timeoutMs` with each cast. */
  async function idler(timeoutMs: number): Promise<{ pid: PuppetPid; events: string[] }> {
    const events: string[] = []
    const script: Script = { handleCast: (puppet) => puppet.make.noreply({ timeoutMs }) }
    const pid = await lab.run(start(lab.a, Puppet, [script, events]))
    events.length = 0
    return { pid, events }
  }

  it('comes once, when no message has come in time, not before', async () => {
    const { pid, events } = await idler(50)
    cast(lab.a, pid, { type: 'go' })
    await lab.advance(49)
    expect(events).toEqual(['cast'])
    await lab.advance(1)
    expect(events).toEqual(['cast', 'info idle_timeout'])
    await lab.advance(1_000)
    expect(events).toEqual(['cast', 'info idle_timeout'])
  })

  it('is cancelled by any message', async () => {
    const { pid, events } = await idler(50)
    cast(lab.a, pid, { type: 'go' })
    await lab.advance(49)
    lab.a.send(pid, { type: 'note' })
    await lab.advance(1_000)
    expect(events).toEqual(['cast', 'info note'])
  })

  it('begins anew with each callback that asks for it', async () => {
    const { pid, events } = await idler(50)
    cast(lab.a, pid, { type: 'go' })
    await lab.advance(40)
    cast(lab.a, pid, { type: 'go' })
    await lab.advance(40)
    expect(events).toEqual(['cast', 'cast'])
    await lab.advance(10)
    expect(events).toEqual(['cast', 'cast', 'info idle_timeout'])
  })

  it('of 0 comes at once if no message waits', async () => {
    const { pid, events } = await idler(0)
    cast(lab.a, pid, { type: 'go' })
    await lab.settle()
    expect(events).toEqual(['cast', 'info idle_timeout'])
  })

  it('of 0 comes before what is sent afterwards', async () => {
    const { pid, events } = await idler(0)
    cast(lab.a, pid, { type: 'go' })
    lab.a.spawn((self) => self.send(pid, { type: 'note' }))
    await lab.settle()
    expect(events).toEqual(['cast', 'info idle_timeout', 'info note'])
  })

  it('of 0 does not come if a message waits already', async () => {
    const { pid, events } = await idler(0)
    cast(lab.a, pid, { type: 'go' })
    lab.a.send(pid, { type: 'note' })
    await lab.settle()
    expect(events).toEqual(['cast', 'info note'])
  })

  it('that has fired, but behind another message in the mailbox, does not come', async () => {
    const events: string[] = []
    const script: Script = {
      handleCast: (puppet) => {
        // Due in the same moment, and started before: it is first in the mailbox.
        puppet.context.sendAfter(50, puppet.context.pid, { type: 'note' })
        return puppet.make.noreply({ timeoutMs: 50 })
      },
    }
    const pid = await lab.run(start(lab.a, Puppet, [script, events]))
    cast(lab.a, pid, { type: 'go' })
    await lab.advance(1_000)
    expect(events).toEqual(['init', 'cast', 'info note'])
  })

  it('is no timeout of startTimer, nor the other way round', async () => {
    const got: unknown[] = []
    const script: Script = {
      init: (puppet) => {
        puppet.context.startTimer(10, puppet.context.pid, 'ring')
        return puppet.make.ok()
      },
      handleInfo: (puppet, message) => {
        got.push(message)
        return got.length === 1 ? puppet.make.noreply({ timeoutMs: 10 }) : undefined
      },
    }
    await lab.run(start(lab.a, Puppet, [script, []]))
    await lab.advance(100)
    expect(got).toMatchObject([{ type: 'timeout', message: 'ring' }, { type: 'idle_timeout' }])
  })

  it('that a message has cancelled leaves no timer behind', async () => {
    const { pid } = await idler(60_000)
    const before = lab.a.counters().timers
    cast(lab.a, pid, { type: 'go' })
    lab.a.send(pid, { type: 'note' })
    await lab.settle()
    expect(lab.a.counters().timers).toBe(before)
  })

  it('dies with its server, and leaves no timer behind', async () => {
    const { pid } = await idler(60_000)
    const before = lab.a.counters().timers
    cast(lab.a, pid, { type: 'go' })
    await lab.settle()
    expect(lab.a.counters().timers).toBe(before + 1)
    lab.a.exit(pid, 'kill')
    await lab.settle()
    expect(lab.a.counters().timers).toBe(before)
  })
})
