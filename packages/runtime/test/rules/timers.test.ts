import { handler, Pid, Ref } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { codeOf, useLab } from './probe.ts'

const lab = useLab()

describe('Timers', () => {
  it('`sendAfter` sends the message after the delay, and not before', async () => {
    const a = await lab.probe()
    a.self.sendAfter(100, a.pid, 'plain')
    await lab.advance(99)
    expect(a.messages).toEqual([])
    await lab.advance(1)
    expect(a.messages).toEqual(['plain'])
  })

  it('`startTimer` sends `{ type: "timeout", ref, message }`', async () => {
    const a = await lab.probe()
    const ref = a.self.startTimer(200, a.pid, 'wrapped')
    await lab.advance(200)
    expect(a.messages).toEqual([{ type: 'timeout', ref, message: 'wrapped' }])
  })

  it('`readTimer` says how many milliseconds are left', async () => {
    const a = await lab.probe()
    const ref = a.self.sendAfter(200, a.pid, 'x')
    expect(a.self.readTimer(ref)).toBe(200)
    await lab.advance(99)
    expect(a.self.readTimer(ref)).toBe(101)
  })

  it('any message can be sent later, `undefined` too', async () => {
    const a = await lab.probe()
    a.self.sendAfter(1, a.pid, undefined)
    await lab.advance(1)
    expect(a.messages).toEqual([undefined])
  })

  it('a delay of 0 sends soon, and never within the call', async () => {
    const a = await lab.probe()
    a.self.sendAfter(0, a.pid, 'soon')
    expect(lab.mailboxOf(a.pid)).toEqual([])
    await lab.settle()
    expect(a.messages).toEqual(['soon'])
  })

  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 + 5])('Delays past 2^31 ms work: %i', async (delayMs) => {
    const a = await lab.probe()
    const ref = a.self.sendAfter(delayMs, a.pid, 'at last')
    await lab.leap(delayMs - 1)
    expect(a.messages).toEqual([])
    expect(a.self.readTimer(ref)).toBe(1)
    await lab.leap(1)
    expect(a.messages).toEqual(['at last'])
  })

  it.each([2 ** 53, Number.MAX_VALUE])(
    'Delays past 2^31 ms work: %d can be started, read and cancelled',
    async (delayMs) => {
      const a = await lab.probe()
      const ref = a.self.sendAfter(delayMs, a.pid, 'never')
      await lab.leap(2 ** 40)
      expect(a.messages).toEqual([])
      expect(a.self.readTimer(ref)).toBeGreaterThan(2 ** 52)
      expect(a.self.cancelTimer(ref)).toBeGreaterThan(2 ** 52)
      expect(lab.node.counters().timers).toBe(0)
    },
  )

  it('fire in the order of their due times, whatever the order of their starts', async () => {
    const a = await lab.probe()
    for (const delayMs of [30, 10, 20, 10.5, 10]) a.self.sendAfter(delayMs, a.pid, delayMs)
    await lab.advance(30)
    expect(a.messages).toEqual([10, 10, 10.5, 20, 30])
  })

  it('of one due time fire in the order of their starts', async () => {
    const a = await lab.probe()
    for (let i = 0; i < 100; i++) a.self.sendAfter(10, a.pid, i)
    await lab.advance(10)
    expect(a.messages).toEqual(Array.from({ length: 100 }, (_, index) => index))
  })

  it('of one due time, started at different moments, fire in the order of their starts', async () => {
    const a = await lab.probe()
    a.self.sendAfter(20, a.pid, 'first')
    await lab.advance(10)
    a.self.sendAfter(10, a.pid, 'second')
    await lab.advance(10)
    expect(a.messages).toEqual(['first', 'second'])
  })

  it('A timer to a pid dies with the pid', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    const ref = a.self.sendAfter(100, b.pid, 'to the dead')
    expect(lab.node.counters().timers).toBe(1)
    lab.node.exit(b.pid, 'kill')
    expect(lab.node.counters().timers).toBe(0)
    expect(a.self.readTimer(ref)).toBeUndefined()
    expect(a.self.cancelTimer(ref)).toBeUndefined()
  })

  it('A timer to a pid that is dead already is none', async () => {
    // BEAM: send_after gives a reference, of which read_timer and cancel_timer say false.
    const a = await lab.probe()
    const ref = a.self.sendAfter(100, await lab.dead(), 'x')
    expect(ref).toBeInstanceOf(Ref)
    expect([a.self.readTimer(ref), a.self.cancelTimer(ref)]).toEqual([undefined, undefined])
    expect(lab.node.counters().timers).toBe(0)
  })

  it('A timer outlives the process that started it, if it is to another', async () => {
    // BEAM: the same.
    const a = await lab.probe()
    lab.node.spawn((self) => void self.sendAfter(100, a.pid, 'from the dead'))
    await lab.advance(100)
    expect(a.messages).toEqual(['from the dead'])
  })

  it('a timer to a name finds who has the name when it fires', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.register('name')
    a.self.sendAfter(100, 'name', 'by name')
    a.self.startTimer(100, 'name', 'wrapped')
    a.self.unregister('name')
    b.self.register('name')
    await lab.advance(100)
    expect(a.messages).toEqual([])
    expect(b.messages).toMatchObject(['by name', { type: 'timeout', message: 'wrapped' }])
  })

  it('a timer to a name may be started before anyone has it', async () => {
    const a = await lab.probe()
    a.self.sendAfter(100, 'later', 'by name')
    a.self.register('later')
    await lab.advance(100)
    expect(a.messages).toEqual(['by name'])
  })

  it('a timer to a name does not die with the process that had it', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.register('name')
    const ref = b.self.sendAfter(100, 'name', 'x')
    lab.node.exit(a.pid, 'kill')
    expect(b.self.readTimer(ref)).toBe(100)
    b.self.register('name')
    await lab.advance(100)
    expect(b.messages).toEqual(['x'])
  })

  it('the message of a timer to a name that nobody has when it fires is dropped silently', async () => {
    const a = await lab.probe()
    const ref = a.self.sendAfter(100, 'nobody', 'x')
    await lab.advance(100)
    expect(a.self.cancelTimer(ref)).toBeUndefined()
    expect(lab.cluster.log.lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([])
  })

  it("A cancelled timer's message does not arrive", async () => {
    const a = await lab.probe()
    const refs = [
      a.self.sendAfter(100, a.pid, 'x'),
      a.self.startTimer(100, a.pid, 'x'),
      a.self.sendAfter(100, 'a', 'x'),
    ]
    a.self.register('a')
    await lab.advance(40)
    expect(refs.map((ref) => a.self.cancelTimer(ref))).toEqual([60, 60, 60])
    expect(lab.node.counters().timers).toBe(0)
    await lab.advance(1_000)
    expect(a.messages).toEqual([])
  })

  it("A cancelled timer's message does not arrive: cancelled by one that fires at the same moment before it", async () => {
    const a = await lab.probe()
    const refs: Ref[] = []
    lab.node.spawn(
      handler((self) => {
        self.sendAfter(100, self.pid, 'cancel')
        return () => {
          for (const ref of refs) self.cancelTimer(ref)
        }
      }),
    )
    await lab.settle()
    refs.push(a.self.sendAfter(100.5, a.pid, 'never'))
    await lab.advance(200)
    expect(a.messages).toEqual([])
  })

  it('cancelling one that has fired says so', async () => {
    const a = await lab.probe()
    const ref = a.self.sendAfter(100, a.pid, 'x')
    await lab.advance(100)
    expect([a.self.cancelTimer(ref), a.self.readTimer(ref)]).toEqual([undefined, undefined])
    expect(a.messages).toEqual(['x'])
  })

  it('cancelling one that has been cancelled says so', async () => {
    const a = await lab.probe()
    const ref = a.self.sendAfter(100, a.pid, 'never')
    expect([a.self.cancelTimer(ref), a.self.cancelTimer(ref), a.self.readTimer(ref)]).toEqual([
      100,
      undefined,
      undefined,
    ])
  })

  it('a cancelled timer is counted no more, before its time and after it', async () => {
    const a = await lab.probe()
    const [first] = [10, 20, 30].map((delayMs) => a.self.sendAfter(delayMs, a.pid, delayMs))
    if (first === undefined) throw new Error('three')
    a.self.cancelTimer(first)
    expect(lab.node.counters().timers).toBe(2)
    await lab.advance(20)
    expect(lab.node.counters().timers).toBe(1)
    await lab.advance(10)
    expect(lab.node.counters().timers).toBe(0)
    expect(a.messages).toEqual([20, 30])
  })

  it('a message that a timer has sent stays in the mailbox when the timer is cancelled', async () => {
    const self = await lab.deaf()
    const ref = self.sendAfter(10, self.pid, 'sent')
    await lab.advance(10)
    expect(self.cancelTimer(ref)).toBeUndefined()
    expect(lab.mailboxOf(self.pid)).toEqual(['sent'])
  })

  it('any process of the node may read and cancel a timer by its reference', async () => {
    // BEAM: the same.
    const a = await lab.probe()
    const b = await lab.probe()
    const ref = a.self.sendAfter(100, a.pid, 'x')
    expect([b.self.readTimer(ref), b.self.cancelTimer(ref)]).toEqual([100, 100])
    await lab.advance(100)
    expect(a.messages).toEqual([])
  })

  it('a reference that is no timer, or of another node, is none to read or cancel', async () => {
    const a = await lab.probe()
    const timer = a.self.sendAfter(100, a.pid, 'x')
    const strangers = [
      a.self.alias(),
      a.self.monitor(lab.node.self.pid),
      new Ref({ name: lab.node.name, incarnation: lab.node.incarnation + 1 }, timer.id),
    ]
    for (const ref of strangers)
      expect([a.self.readTimer(ref), a.self.cancelTimer(ref)]).toEqual([undefined, undefined])
    await lab.advance(100)
    expect(a.messages).toEqual(['x'])
  })

  it('a timer sends to a process of its own node', async () => {
    const b = await lab.cluster.start('b')
    const a = await lab.probe()
    const remote = b.spawn(handler(() => () => undefined))
    const earlier = new Pid({ name: lab.node.name, incarnation: lab.node.incarnation - 1 }, a.pid.id)
    for (const pid of [remote, earlier]) expect(codeOf(() => a.self.sendAfter(1, pid, 'x'))).toBe('ERR_BAD_ARGUMENT')
    expect(lab.node.processInfo(a.pid)?.timers).toBe(0)
  })

  it('the stop of the node ends them all', async () => {
    const a = await lab.probe()
    a.self.sendAfter(100, a.pid, 'x')
    a.self.sendAfter(100, 'name', 'x')
    await lab.cluster.run(lab.node.stop())
    expect(lab.node.counters().timers).toBe(0)
  })
})
