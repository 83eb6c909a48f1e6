/**
 * The rules of a state machine, one by one, in a process. That they hold together is for histories/.
 */
import { call, cast } from '@pidmesh/gen-server'
import { describe, expect, it } from 'vitest'
import { useLab } from '../lab.ts'
import { play, textOf, type Make, type PuppetEvent, type PuppetState } from './puppet.ts'

const lab = useLab()

type Act = (make: Make, event: PuppetEvent, state: PuppetState) => unknown

/** Which event gives what; the others keep the state. */
function on(acts: { readonly [event: string]: Act }): Act {
  return (make, event, state) => acts[textOf(event)]?.(make, event, state) ?? make.keep()
}

/** Plays a machine, with casts of these that are in its mailbox before it runs. */
async function casts(act: Act, sent: readonly string[], more: { enter?: () => unknown } = {}): Promise<string[]> {
  const { pid, seen } = await play(lab, { event: act, ...more })
  for (const request of sent) cast(lab.a, pid, request)
  await lab.settle()
  return seen
}

const isIn = (wanted: PuppetState, act: Act, otherwise: Act): Act => {
  return (make, event, state) => (state === wanted ? act : otherwise)(make, event, state)
}
const postpone: Act = (make) => make.keep(make.postpone())
const keep: Act = (make) => make.keep()

describe('what is next', () => {
  it('inserted events come before postponed ones, those before timeouts of zero, and those before messages', async () => {
    const act = on({
      'cast 1': isIn('a', postpone, keep),
      'cast 2': isIn('a', postpone, keep),
      'cast go': (make) =>
        make.next(
          'b',
          make.eventTimeout(0, 'never'),
          make.timeout('x', 0, 't'),
          make.stateTimeout(0, 's'),
          make.insert('1'),
          make.insert('2'),
        ),
    })
    expect(await casts(act, ['1', '2', 'go', 'last'])).toEqual([
      'cast 1 in a',
      'cast 2 in a',
      'cast go in a',
      'internal 1 in b',
      'internal 2 in b',
      'cast 1 in b',
      'cast 2 in b',
      'timeout x t in b',
      'state_timeout s in b',
      'cast last in b',
    ])
  })

  it('what an inserted event inserts comes before what was inserted with it', async () => {
    const act = on({
      'cast go': (make) => make.keep(make.insert('1'), make.insert('2')),
      'internal 1': (make) => make.keep(make.insert('1.1')),
    })
    expect(await casts(act, ['go'])).toEqual([
      'cast go in a',
      'internal 1 in a',
      'internal 1.1 in a',
      'internal 2 in a',
    ])
  })

  it('an event of any type can be inserted, a call too', async () => {
    const act = on({
      call: (make, event) =>
        make.keep(make.insertEvent({ ...event, type: 'info', message: { type: 'note', event } } as never)),
      'info note': (make, event) => {
        const { event: asked } = (event as { readonly message: { readonly event: PuppetEvent } }).message
        return make.next('b', make.insertEvent(asked))
      },
    })
    const { pid, seen } = await play(lab, { event: isIn('b', (make) => make.keep(make.reply('in b')), act) })
    await expect(lab.run(call(lab.a, pid, { type: 'go' }))).resolves.toBe('in b')
    expect(seen).toEqual(['call in a', 'info note in a', 'call in b'])
  })

  it('replies are sent in order, before the new state is entered', async () => {
    const { pid, seen } = await play(lab, {
      event: (make, event) =>
        make.next('b', make.reply('now'), ...('from' in event ? [make.answer(event.from, 'too late')] : [])),
      enter: (make) => void make.log('entering'),
    })
    await expect(lab.run(call(lab.a, pid, { type: 'go' }))).resolves.toBe('now')
    expect(seen.slice(2)).toEqual(['call in a', 'enter b from a', 'entering'])
  })
})

describe('postponed events', () => {
  it('come again after a change of state, in order, before any that comes later', async () => {
    const act = isIn('a', on({ 'cast 1': postpone, 'cast 2': postpone, 'cast go': (make) => make.next('b') }), keep)
    expect(await casts(act, ['1', '2', 'go', '3'])).toEqual([
      ...['cast 1 in a', 'cast 2 in a', 'cast go in a'],
      ...['cast 1 in b', 'cast 2 in b', 'cast 3 in b'],
    ])
  })

  it('may be postponed again, and keep their order', async () => {
    const toC = isIn('c', keep, postpone)
    const act = on({
      'cast 1': toC,
      'cast 2': toC,
      'cast b': (make) => make.next('b'),
      'cast c': (make) => make.next('c'),
    })
    expect((await casts(act, ['1', 'b', '2', 'c', '3'])).slice(-3)).toEqual([
      'cast 1 in c',
      'cast 2 in c',
      'cast 3 in c',
    ])
  })

  it('that change the state leave the rest for the new one', async () => {
    const act: Act = (make, event, state) => {
      if (state === 'a') return textOf(event) === 'cast go' ? make.next('b') : make.keep(make.postpone())
      return textOf(event) === 'cast 1' ? make.next('c') : make.keep()
    }
    expect((await casts(act, ['1', '2', 'go'])).slice(3)).toEqual(['cast 1 in b', 'cast 2 in c'])
  })

  // OTP: repeat_state is keep_state, but for the call of the state.
  it('do not come again when the state is kept or repeated', async () => {
    const act = on({
      'cast 1': postpone,
      'cast same': (make) => make.next('a'),
      'cast repeat': (make) => make.repeat(),
    })
    expect(await casts(act, ['1', 'same', 'repeat', 'keep'])).toEqual([
      ...['cast 1 in a', 'cast same in a', 'cast repeat in a', 'cast keep in a'],
    ])
  })

  it('have no limit that is no number: such a machine does not start', async () => {
    await expect(play(lab, { event: postpone, maxHeldEvents: Number.NaN })).rejects.toMatchObject({
      code: 'ERR_START_FAILED',
      reason: { error: { message: 'maxHeldEvents must be a number, 0 or more' } },
    })
  })

  it('are bounded: one more than the limit ends the machine', async () => {
    const { pid, seen } = await play(lab, { event: postpone, maxHeldEvents: 2 })
    const ends = await lab.endsOf(pid)
    for (const request of ['1', '2', '3', '4']) cast(lab.a, pid, request)
    await lab.settle()
    expect(ends).toEqual([{ held_events_limit: 2 }])
    expect(seen).toEqual(['cast 1 in a', 'cast 2 in a', 'cast 3 in a', 'terminate held_events_limit in a'])
  })

  it('share their limit with inserted ones, and one that has been handled counts no more', async () => {
    let left = 1_000
    const act = on({
      'cast 1': isIn('a', postpone, keep),
      'cast go': (make) => make.next('b'),
      'cast loop': (make) => make.keep(make.insert('loop')),
      'internal loop': (make) => (left-- > 0 ? make.keep(make.insert('loop')) : make.keep()),
      'cast flood': (make) => make.keep(make.insert('x'), make.insert('y'), make.insert('z')),
    })
    const { pid, seen } = await play(lab, { event: act, maxHeldEvents: 2 })
    const ends = await lab.endsOf(pid)
    for (const request of ['1', '1', 'go', 'loop']) cast(lab.a, pid, request)
    await lab.settle()
    expect(ends).toEqual([])
    expect(seen).toHaveLength(3 + 2 + 1 + 1_001)
    cast(lab.a, pid, 'flood')
    await lab.settle()
    expect(ends).toEqual([{ held_events_limit: 2 }])
  })

  it('that are too many end the machine in the state that it has chosen, and who was answered with them has the answer', async () => {
    const act = on({ call: (make) => make.next('b', make.reply('done'), make.insert('x')) })
    const { pid, seen } = await play(lab, { event: act, maxHeldEvents: 0 })
    await expect(lab.run(call(lab.a, pid, { type: 'go' }))).resolves.toBe('done')
    expect(seen).toEqual(['call in a', 'terminate held_events_limit in b'])
  })
})

describe('states', () => {
  const go = (to: PuppetState): Act => on({ 'cast go': (make) => make.next(to) })
  const changes = async (from: PuppetState, to: PuppetState): Promise<boolean> => {
    const { pid, seen } = await play(lab, { init: (make) => make.ok(from), event: go(to), enter: () => undefined })
    cast(lab.a, pid, 'go')
    await lab.settle()
    return seen.length === 3
  }
  const tags: readonly string[] = ['x']

  it('that are objects are the same if their fields are: the same values, or the same process', async () => {
    expect(await changes({ type: 'd', tags }, { type: 'd', tags })).toBe(false)
    expect(await changes({ type: 'd', tags, at: 1 }, { type: 'd', tags, at: 2 })).toBe(true)
    expect(await changes({ type: 'd', tags, at: 1 }, { type: 'd', tags })).toBe(true)
    expect(await changes({ type: 'd', tags }, { type: 'd', tags, at: undefined })).toBe(true)
    expect(await changes({ type: 'd', tags, until: 1 }, { type: 'd', tags, at: undefined })).toBe(true)
    expect(await changes({ type: 'd', tags, at: NaN }, { type: 'd', tags, at: NaN })).toBe(false)
    expect(await changes({ type: 'd', tags }, { type: 'd', tags: [...tags] })).toBe(true)
    expect(await changes({ type: 'd', tags }, 'a')).toBe(true)
    expect(await changes('a', { type: 'd', tags })).toBe(true)
    expect(await changes('a', 'a')).toBe(false)
  })

  it('that hold a pid or a reference are the same if that is equal', async () => {
    const { self } = await lab.process()
    const { Pid, Ref } = await import('@pidmesh/runtime')
    const ref = self.alias()
    const at = (value: unknown): PuppetState => ({ type: 'd', tags, at: value })
    expect(await changes(at(self.pid), at(new Pid(self.pid.origin, self.pid.id)))).toBe(false)
    expect(await changes(at(ref), at(new Ref(ref.origin, ref.id)))).toBe(false)
    expect(await changes(at(ref), at(self.pid))).toBe(true)
    expect(await changes(at(self.pid), at(lab.b.whereis('nobody')))).toBe(true)
  })
})

describe('timeouts', () => {
  it('the state timeout comes after its time in the state, whatever else comes', async () => {
    const act = on({ 'cast 1': (make) => make.keep(make.stateTimeout(100, 's')) })
    const { pid, seen } = await play(lab, { event: act })
    cast(lab.a, pid, '1')
    await lab.advance(99)
    cast(lab.a, pid, '2')
    await lab.settle()
    expect(seen).toEqual(['cast 1 in a', 'cast 2 in a'])
    await lab.advance(1)
    expect(seen.slice(2)).toEqual(['state_timeout s in a'])
    await lab.advance(1_000)
    expect(seen).toHaveLength(3)
  })

  it('a change of state ends the state timeout; to repeat the state does not', async () => {
    const act = on({
      'cast 1': (make) => make.keep(make.stateTimeout(100, 's')),
      'cast b': (make) => make.next('b'),
      'cast repeat': (make) => make.repeat(),
    })
    const { pid, seen } = await play(lab, { event: act, enter: () => undefined })
    cast(lab.a, pid, '1')
    cast(lab.a, pid, 'b')
    await lab.advance(200)
    expect(seen.at(-1)).toBe('enter b from a')
    cast(lab.a, pid, '1')
    cast(lab.a, pid, 'repeat')
    await lab.advance(200)
    expect(seen.slice(-2)).toEqual(['enter b from b', 'state_timeout s in b'])
  })

  it('a state timeout that is set with the change of state is one of the new state; one set where it is entered, too', async () => {
    const act = on({ 'cast 1': (make) => make.next('b', make.stateTimeout(100, 's')) })
    const { pid, seen } = await play(lab, {
      event: act,
      enter: (make, state) => (state === 'a' ? make.keep(make.stateTimeout(300, 'entered')) : undefined),
    })
    cast(lab.a, pid, '1')
    await lab.advance(400)
    expect(seen.slice(-1)).toEqual(['state_timeout s in b'])
  })

  it('any event ends the event timeout: a message, an inserted event, another timeout', async () => {
    const act = on({
      'cast wait': (make) => make.keep(make.eventTimeout(100, 'e')),
      'cast insert': (make) => make.keep(make.eventTimeout(100, 'e'), make.insert('i')),
      'cast other': (make) => make.keep(make.eventTimeout(100, 'e'), make.timeout('x', 50, 't')),
    })
    const { pid, seen } = await play(lab, { event: act })
    cast(lab.a, pid, 'wait')
    await lab.advance(99)
    cast(lab.a, pid, 'insert')
    await lab.advance(200)
    cast(lab.a, pid, 'other')
    await lab.advance(200)
    expect(seen).toEqual([
      'cast wait in a',
      'cast insert in a',
      'internal i in a',
      'cast other in a',
      'timeout x t in a',
    ])
    cast(lab.a, pid, 'wait')
    await lab.advance(100)
    expect(seen.slice(-1)).toEqual(['event_timeout e in a'])
  })

  it('an event timeout of zero comes before any message, but not if an inserted event comes first', async () => {
    const act = on({
      'cast zero': (make) => make.keep(make.eventTimeout(0, 'e')),
      'cast both': (make) => make.keep(make.eventTimeout(0, 'e'), make.insert('i')),
    })
    expect(await casts(act, ['zero', 'both', 'last'])).toEqual([
      ...['cast zero in a', 'event_timeout e in a', 'cast both in a', 'internal i in a', 'cast last in a'],
    ])
  })

  it('a generic timeout outlasts states and events; each name has one', async () => {
    const act = on({
      'cast 1': (make) => make.next('b', make.timeout('x', 100, 'first'), make.timeout('y', 50, 'y')),
      'cast 2': (make) => make.next('c', make.timeout('x', 100, 'second')),
    })
    const { pid, seen } = await play(lab, { event: act })
    cast(lab.a, pid, '1')
    await lab.advance(60)
    cast(lab.a, pid, '2')
    await lab.advance(200)
    expect(seen).toEqual(['cast 1 in a', 'timeout y y in b', 'cast 2 in b', 'timeout x second in c'])
  })

  it('each can be cancelled, by `cancel` and by an infinite time', async () => {
    const act = on({
      'cast start': (make) =>
        make.keep(make.stateTimeout(50, 's'), make.timeout('x', 50, 't'), make.eventTimeout(50, 'e')),
      'cast cancel': (make) => make.keep(make.cancelStateTimeout(), make.cancelTimeout('x'), make.cancelEventTimeout()),
      'cast never': (make) => make.keep(make.stateTimeout(Infinity, 's'), make.timeout('x', Infinity, 't')),
    })
    const { pid, seen } = await play(lab, { event: act })
    for (const request of ['start', 'cancel', 'start', 'never']) cast(lab.a, pid, request)
    await lab.advance(1_000)
    expect(seen).toHaveLength(4)
  })

  it('an update changes what a timeout brings along, not its time; of one that is not running it is over at once', async () => {
    const act = on({
      'cast start': (make) => make.keep(make.stateTimeout(101, 's'), make.timeout('x', 100, 't')),
      'cast update': (make) =>
        make.keep(
          make.updateStateTimeout('S'),
          make.updateTimeout('x', 'T'),
          make.updateTimeout('y', 'Y'),
          make.updateEventTimeout('E'),
        ),
    })
    const { pid, seen } = await play(lab, { event: act })
    cast(lab.a, pid, 'start')
    await lab.advance(90)
    cast(lab.a, pid, 'update')
    await lab.advance(11)
    // The first of the two that are over at once ends the event timeout.
    expect(seen.slice(2)).toEqual(['timeout y Y in a', 'timeout x T in a', 'state_timeout S in a'])
  })

  it('of several actions for one timeout in one return the last counts', async () => {
    const act = on({
      'cast 1': (make) => make.keep(make.stateTimeout(0, 'first'), make.stateTimeout(50, 'last')),
      // OTP: the update has nothing to update, since the first action doesn't count.
      'cast 2': (make) => make.keep(make.timeout('x', 50, 'first'), make.updateTimeout('x', 'last')),
    })
    const { pid, seen } = await play(lab, { event: act })
    cast(lab.a, pid, '1')
    cast(lab.a, pid, '2')
    await lab.settle()
    expect(seen).toEqual(['cast 1 in a', 'cast 2 in a', 'timeout x last in a'])
    await lab.advance(100)
    expect(seen.slice(3)).toEqual(['state_timeout last in a'])
  })

  // Unlike OTP 25, which forgets the timer and hands it to the machine as a message.
  it('one of zero that is started anew before it came waits for its new time', async () => {
    const act = on({
      'cast 1': (make) => make.keep(make.stateTimeout(0, 'zero'), make.insert('i')),
      'internal i': (make) => make.keep(make.stateTimeout(50, 'later')),
    })
    const { pid, seen } = await play(lab, { event: act })
    cast(lab.a, pid, '1')
    await lab.advance(49)
    expect(seen).toEqual(['cast 1 in a', 'internal i in a'])
    await lab.advance(1)
    expect(seen.slice(2)).toEqual(['state_timeout later in a'])
  })

  it('one that is over while the machine is at work is still cancelled by what comes of that', async () => {
    let release: (() => void) | undefined
    const { pid, seen } = await play(lab, {
      event: async (make, event) => {
        if (textOf(event) === 'cast start') return make.keep(make.stateTimeout(50, 's'), make.timeout('x', 50, 't'))
        if (textOf(event) !== 'cast work') return make.keep()
        await new Promise<void>((resolve) => {
          release = resolve
        })
        return make.next('b', make.timeout('x', 100, 'anew'))
      },
    })
    cast(lab.a, pid, 'start')
    cast(lab.a, pid, 'work')
    await lab.advance(60)
    release?.()
    await lab.advance(99)
    expect(seen).toEqual(['cast start in a', 'cast work in a'])
    await lab.advance(1)
    expect(seen.slice(2)).toEqual(['timeout x anew in b'])
  })

  it('a message that looks like a timeout is a message', async () => {
    const { pid, seen } = await play(lab, { event: on({ 'cast 1': (make) => make.keep(make.stateTimeout(50, 's')) }) })
    cast(lab.a, pid, '1')
    lab.a.send(pid, { type: 'state_timeout', timer: 1 })
    lab.a.send(pid, { type: 'timeout:x', timer: 1 })
    await lab.settle()
    expect(seen).toEqual(['cast 1 in a', 'info state_timeout in a', 'info timeout:x in a'])
  })
})
