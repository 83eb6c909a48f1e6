/**
 * What each callback of a state machine may return, what follows from it, and what it may not return. Each twice: at once, and with a promise.
 */
import { call, cast, start } from '@pidmesh/gen-server'
import { describe, expect, it } from 'vitest'
import { untyped, useLab } from '../lab.ts'
import { EnteringPuppet, play, Puppet, type Make, type PuppetEvent, type Script } from './puppet.ts'

const lab = useLab()

const TIMES = {
  'at once': (value: unknown): unknown => value,
  later: (value: unknown): unknown => Promise.resolve(value),
}

/** A script whose `event` gives this once, for the first event. */
function first(result: (make: Make, event: PuppetEvent) => unknown): NonNullable<Script['event']> {
  let isFirst = true
  return (make, event) => {
    if (!isFirst) return make.keep()
    isFirst = false
    return result(make, event)
  }
}

describe.each(Object.entries(TIMES))('a callback that returns %s', (_when, timed) => {
  it('init: ok starts the machine in that state', async () => {
    const { pid, seen } = await play(lab, { init: (make) => timed(make.ok('b')) })
    cast(lab.a, pid, '1')
    await lab.settle()
    expect(seen).toEqual(['cast 1 in b'])
  })

  it('init: the actions of ok are done before any event, and the first state is entered after them', async () => {
    const { seen } = await play(lab, {
      init: (make) => timed(make.ok('b', make.stateTimeout(0, 's'), make.insert('i'))),
      enter: (make) => timed(make.keep(make.timeout('x', 0, 't'))),
    })
    expect(seen).toEqual(['enter b from b', 'internal i in b', 'state_timeout s in b', 'timeout x t in b'])
  })

  it('init: stop fails the start with its reason, without terminate', async () => {
    const seen: string[] = []
    const script: Script = { init: (make) => timed(make.stop({ why: 'so' })) }
    const failure = await lab.failure(start(lab.a, Puppet, [script, seen], { name: 'puppet' }))
    expect(failure).toMatchObject({ code: 'ERR_START_FAILED', reason: { why: 'so' } })
    expect(seen).toEqual([])
    expect(lab.a.whereis('puppet')).toBeUndefined()
  })

  it('init: ignore makes the start resolve with undefined, and leaves no process', async () => {
    const before = lab.a.processes().length
    const script: Script = { init: (make) => timed(make.ignore()) }
    await expect(lab.run(start(lab.a, Puppet, [script, []]))).resolves.toBeUndefined()
    expect(lab.a.processes()).toHaveLength(before)
  })

  it('handleEvent: nextState goes to that state, and enters it', async () => {
    const { pid, seen } = await play(lab, {
      event: first((make) => timed(make.next('b'))),
      enter: (make) => timed(make.keep()),
    })
    cast(lab.a, pid, '1')
    cast(lab.a, pid, '2')
    await lab.settle()
    expect(seen).toEqual(['enter a from a', 'cast 1 in a', 'enter b from a', 'cast 2 in b'])
  })

  it('handleEvent: keepState stays, and enters nothing', async () => {
    const { pid, seen } = await play(lab, {
      event: first((make) => timed(make.keep())),
      enter: () => timed(undefined),
    })
    cast(lab.a, pid, '1')
    await lab.settle()
    expect(seen).toEqual(['enter a from a', 'cast 1 in a'])
  })

  it('handleEvent: repeatState stays, and enters the state again', async () => {
    const { pid, seen } = await play(lab, {
      event: first((make) => timed(make.repeat())),
      enter: () => timed(undefined),
    })
    cast(lab.a, pid, '1')
    cast(lab.a, pid, '2')
    await lab.settle()
    expect(seen).toEqual(['enter a from a', 'cast 1 in a', 'enter a from a', 'cast 2 in a'])
  })

  it('handleEnter: repeatState enters once more, from the same state as before', async () => {
    let left = 2
    const { pid, seen } = await play(lab, {
      event: first((make) => timed(make.next('b'))),
      enter: (make, state) => timed(state === 'b' && left-- > 0 ? make.repeat() : undefined),
    })
    cast(lab.a, pid, '1')
    await lab.settle()
    expect(seen).toEqual(['enter a from a', 'cast 1 in a', 'enter b from a', 'enter b from a', 'enter b from a'])
  })

  it('handleEvent: stop ends the machine after terminate; who calls is told why', async () => {
    const { pid, seen } = await play(lab, { event: (make) => timed(make.stop({ shutdown: 'done' })) })
    const failure = await lab.failure(call(lab.a, pid, { type: 'go' }))
    expect(failure).toMatchObject({ code: 'ERR_CALL_EXIT', serverReason: { shutdown: 'done' } })
    expect(seen).toEqual(['call in a', 'terminate shutdown in a'])
  })

  it('handleEvent: stopAndReply sends the replies, and ends the machine', async () => {
    const { pid, seen } = await play(lab, { event: (make) => timed(make.stopAndReply('normal', make.reply('bye'))) })
    const ends = await lab.endsOf(pid)
    await expect(lab.run(call(lab.a, pid, { type: 'go' }))).resolves.toBe('bye')
    await lab.settle()
    expect(seen).toEqual(['call in a', 'terminate normal in a'])
    expect(ends).toEqual(['normal'])
  })

  it.each(['stop', 'stopAndReply'] as const)('handleEnter: %s ends the machine in the new state', async (how) => {
    const { pid, seen } = await play(lab, {
      event: first((make) => timed(make.next('b'))),
      enter: (make, state) =>
        state === 'b'
          ? timed(how === 'stop' ? make.stop('normal') : make.stopAndReply('normal', make.reply('bye')))
          : undefined,
    })
    const reply = call(lab.a, pid, { type: 'go' })
    if (how === 'stopAndReply') await expect(lab.run(reply)).resolves.toBe('bye')
    else expect(await lab.failure(reply)).toMatchObject({ serverReason: 'normal' })
    await lab.settle()
    expect(seen.slice(1)).toEqual(['call in a', 'enter b from a', 'terminate normal in b'])
  })

  it('a throw or rejection ends the machine with the error, in the state that it was in', async () => {
    const { pid, seen } = await play(lab, {
      event: async (make) => {
        await timed(undefined)
        make.log('about to throw')
        throw new Error('oops')
      },
    })
    expect(await lab.failure(call(lab.a, pid, { type: 'go' }))).toMatchObject({
      serverReason: { error: { message: 'oops' } },
    })
    expect(seen).toEqual(['call in a', 'about to throw', 'terminate error in a'])
  })

  // OTP: a throw has no state of its own; a return that is bad was made in the new one.
  it('handleEnter that throws ends the machine in the state that it came from', async () => {
    const { pid, seen } = await play(lab, {
      event: (make) => make.next('b'),
      enter: async (_make, state) => {
        await timed(undefined)
        if (state === 'b') throw new Error('oops')
      },
    })
    cast(lab.a, pid, '1')
    await lab.settle()
    expect(seen.slice(1)).toEqual(['cast 1 in a', 'enter b from a', 'terminate error in a'])
  })

  const badReturns: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['null', null],
    ['a text', 'keep_state'],
    ['a result of another server', { type: 'noreply', next: undefined }],
    ['a state that is none', { type: 'next_state', state: 5, actions: [] }],
    ['a state that is null', { type: 'next_state', state: null, actions: [] }],
    ['actions that are no list', { type: 'keep_state', actions: 'postpone' }],
    ['a reason that is none', { type: 'stop', reason: 5 }],
    ['replies that are no list', { type: 'stop_and_reply', reason: 'normal', replies: undefined }],
  ]

  it.each(badReturns)('handleEvent: %s ends the machine with bad_return_from_state_function', async (_what, result) => {
    const { pid, seen } = await play(lab, { event: () => timed(result) })
    const ends = await lab.endsOf(pid)
    cast(lab.a, pid, '1')
    await lab.settle()
    expect(ends).toEqual([{ bad_return_from_state_function: expect.any(String) as unknown }])
    expect(seen.at(-1)).toBe('terminate bad_return_from_state_function in a')
  })

  it.each(badReturns.slice(1))(
    'handleEnter: %s ends the machine with bad_return_from_state_function, in the new state',
    async (_what, result) => {
      const { pid, seen } = await play(lab, {
        event: (make) => make.next('b'),
        enter: (_make, state) => (state === 'b' ? timed(result) : undefined),
      })
      const ends = await lab.endsOf(pid)
      cast(lab.a, pid, '1')
      await lab.settle()
      expect(ends).toEqual([{ bad_return_from_state_function: expect.any(String) as unknown }])
      expect(seen.at(-1)).toBe('terminate bad_return_from_state_function in b')
    },
  )

  it.each([
    ['nothing', () => undefined],
    ['a text', () => 'ok'],
    ['a state that is none', () => ({ type: 'ok', state: 5, actions: [] })],
    ['no actions', () => ({ type: 'ok', state: 'a' })],
    ['a reason that is none', () => ({ type: 'stop', reason: 5 })],
  ])('init: %s fails the start with bad_return_from_init', async (_what, result) => {
    const script: Script = { init: () => timed(result()) }
    expect(await lab.failure(start(lab.a, Puppet, [script, []]))).toMatchObject({
      code: 'ERR_START_FAILED',
      reason: { bad_return_from_init: expect.any(String) as unknown },
    })
  })

  it.each([
    ['one that is none', 'postpone'],
    ['null', null],
    ['an unknown one', { type: 'sleep' }],
    ['a timeout of text', { type: 'start_timeout', timeout: 'state_timeout', timeoutMs: '5' }],
    ['a timeout of less than nothing', { type: 'start_timeout', timeout: 'state_timeout', timeoutMs: -1 }],
    ['a timeout of no number', { type: 'start_timeout', timeout: 'state_timeout', timeoutMs: Number.NaN }],
    ['a timeout of nothing that is cancelled', { type: 'cancel_timeout', timeout: 'lunch' }],
    ['a timeout of nothing', { type: 'start_timeout', timeout: 'lunch', timeoutMs: 1 }],
    ['an event that is none', { type: 'next_event', event: { type: 'lunch' } }],
    ['a call of nobody', { type: 'next_event', event: { type: 'call', request: {}, from: undefined } }],
    ['a reply to nobody', { type: 'reply', from: 'nobody', value: 1 }],
    ['a reply, but to a cast', { type: 'reply', from: undefined, value: 1 }],
  ])('an action that can not be done ends the machine: %s', async (_what, action) => {
    const { pid, seen } = await play(lab, {
      event: (make) => timed(make.next('b', make.hibernate(), untyped(action))),
    })
    const ends = await lab.endsOf(pid)
    cast(lab.a, pid, '1')
    await lab.settle()
    expect(ends).toEqual([{ bad_action_from_state_function: expect.any(String) as unknown }])
    expect(seen.at(-1)).toBe('terminate bad_action_from_state_function in b')
  })

  it('what was replied before a bad action has been replied', async () => {
    const { pid } = await play(lab, { event: (make) => timed(make.keep(make.reply('first'), untyped('bad'))) })
    await expect(lab.run(call(lab.a, pid, { type: 'go' }))).resolves.toBe('first')
    await lab.settle()
    expect(lab.a.isProcessAlive(pid)).toBe(false)
  })

  it.each([
    ['postpone', (make: Make) => make.postpone()],
    ['nextEvent', (make: Make) => make.insert('i')],
  ] as const)('handleEnter: %s ends the machine with bad_state_enter_action_…', async (_what, action) => {
    const { pid, seen } = await play(lab, {
      event: (make) => make.next('b'),
      enter: (make, state) => (state === 'b' ? timed(make.keep(action(make))) : undefined),
    })
    const ends = await lab.endsOf(pid)
    cast(lab.a, pid, '1')
    await lab.settle()
    expect(ends).toEqual([{ bad_state_enter_action_from_state_function: expect.any(String) as unknown }])
    expect(seen.at(-1)).toBe('terminate bad_state_enter_action_from_state_function in b')
  })

  it('handleEnter: another state ends the machine with bad_state_enter_return_…; the same one is kept', async () => {
    const { pid, seen } = await play(lab, {
      event: (make, _event, state) => make.next(state === 'a' ? 'b' : 'c'),
      enter: (make, state) => timed(state === 'b' ? make.next('b') : state === 'c' ? make.next('a') : undefined),
    })
    const ends = await lab.endsOf(pid)
    cast(lab.a, pid, '1')
    await lab.settle()
    expect(ends).toEqual([])
    cast(lab.a, pid, '2')
    await lab.settle()
    expect(ends).toEqual([{ bad_state_enter_return_from_state_function: expect.any(String) as unknown }])
    expect(seen.at(-1)).toBe('terminate bad_state_enter_return_from_state_function in c')
  })

  it('stopAndReply: what is no reply ends the machine with bad_reply_action_…, after those before it', async () => {
    const { pid } = await play(lab, {
      event: (make) => timed(make.stopAndReply('normal', make.reply('bye'), untyped(make.postpone()))),
    })
    const ends = await lab.endsOf(pid)
    await expect(lab.run(call(lab.a, pid, { type: 'go' }))).resolves.toBe('bye')
    await lab.settle()
    expect(ends).toEqual([{ bad_reply_action_from_state_function: expect.any(String) as unknown }])
  })
})

it('init postpones nothing: there is no event', async () => {
  const { pid, seen } = await play(lab, {
    init: (make) => make.ok('a', untyped(make.postpone())),
    event: first((make) => make.next('b')),
  })
  cast(lab.a, pid, '1')
  await lab.settle()
  expect(seen).toEqual(['cast 1 in a'])
})

it('an action that is bad in init, or of a bad handleEnter, comes after the start has succeeded', async () => {
  const seen: string[] = []
  const script: Script = { init: (make) => make.ok('a', untyped('bad')) }
  const pid = await lab.run(start(lab.a, EnteringPuppet, [script, seen]))
  await lab.settle()
  expect(lab.a.isProcessAlive(pid as never)).toBe(false)
  expect(seen).toEqual(['terminate bad_action_from_state_function in a'])
})

it('a synchronous machine handles an event, and all that it inserts, without a promise between', async () => {
  let left = 1_000
  const { pid, seen } = await play(lab, {
    event: (make) => {
      if (left === 1_000) void Promise.resolve().then(() => make.log('a promise later'))
      return left-- > 0 ? make.keep(make.insert('i')) : make.keep()
    },
  })
  cast(lab.a, pid, '1')
  await lab.settle()
  expect(seen).toHaveLength(1_002)
  expect(seen.at(-1)).toBe('a promise later')
})

it('events wait while a callback is under way', async () => {
  let release: (() => void) | undefined
  const { pid, seen } = await play(lab, {
    event: async (make, event) => {
      if (event.type === 'cast' && event.request === '1')
        await new Promise<void>((resolve) => {
          release = resolve
        })
      make.log(`done ${event.type}`)
      return make.keep()
    },
  })
  cast(lab.a, pid, '1')
  cast(lab.a, pid, '2')
  await lab.advance(100)
  expect(seen).toEqual(['cast 1 in a'])
  release?.()
  await lab.settle()
  expect(seen).toEqual(['cast 1 in a', 'done cast', 'cast 2 in a', 'done cast'])
})
