import { handler, type Context } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { codeOf, gate, useLab } from './probe.ts'

const lab = useLab()

const isText = (message: unknown): message is string => typeof message === 'string'

/** A plain process that is sent the messages before it runs; what it takes from them. */
async function taken(messages: readonly unknown[], take: (self: Context) => Promise<unknown[]>): Promise<unknown> {
  let got: unknown
  const pid = lab.node.spawn(async (self) => {
    got = await take(self)
  })
  for (const message of messages) lab.node.send(pid, message)
  await lab.settle()
  return got
}

describe('Processes and exit: signals and messages arrive in the order in which they were sent', () => {
  it('messages and exit signals of one sender', async () => {
    const victim = await lab.probe(true)
    lab.node.send(victim.pid, 1)
    lab.node.exit(victim.pid, 'two')
    lab.node.send(victim.pid, 3)
    await lab.settle()
    expect(victim.messages).toMatchObject([1, { type: 'EXIT', reason: 'two' }, 3])
  })

  it('whichever way the receiver is addressed', async () => {
    const a = await lab.probe()
    a.self.register('a')
    const alias = a.self.alias()
    const ways = [a.pid, 'a', { name: 'a', node: lab.node.name }, alias]
    for (let i = 0; i < 40; i++) lab.node.send(ways[i % ways.length] ?? a.pid, i)
    await lab.settle()
    expect(a.messages).toEqual(Array.from({ length: 40 }, (_, index) => index))
  })

  it('across all kinds: message, exit, link, unlink, monitor, demonitor, reply', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    const alias = a.self.alias()
    b.self.send(a.pid, 'message')
    b.self.exit(a.pid, 'exit')
    b.self.link(a.pid)
    b.self.send(alias, 'reply')
    b.self.unlink(a.pid)
    const ref = a.self.monitor(b.pid)
    b.self.send(a.pid, 'second message')
    a.self.demonitor(ref)
    b.self.link(a.pid)
    a.self.monitor(b.pid)
    b.self.send(alias, 'last words')
    b.self.exit(b.pid, 'kill')
    await lab.settle()
    expect(a.messages).toMatchObject([
      'message',
      { type: 'EXIT', reason: 'exit' },
      'reply',
      'second message',
      'last words',
      { type: 'EXIT', reason: 'killed' },
      { type: 'DOWN', reason: 'killed' },
    ])
  })

  it('a message that is sent before a kill is in the mailbox before it: neither overtakes the other', async () => {
    const seen: unknown[] = []
    const victim = lab.node.spawn(handler(() => (message) => void seen.push(message)))
    lab.node.send(victim, 'before')
    await lab.settle()
    lab.node.exit(victim, 'kill')
    lab.node.send(victim, 'after')
    await lab.settle()
    expect(seen).toEqual(['before'])
  })

  it('also when the receiver becomes another state of itself in between: a register is seen by the next send', async () => {
    const a = await lab.probe()
    lab.node.spawn((self) => {
      self.send(a.pid, 1)
      self.register('a', a.pid)
      self.send('a', 2)
      self.unregister('a')
      self.send(a.pid, 3)
    })
    await lab.settle()
    expect(a.messages).toEqual([1, 2, 3])
  })
})

describe('Processes and exit: a message', () => {
  it.each([undefined, null, 0, '', false, Number.NaN, 1n, Symbol.for('s'), [], {}])(
    'may be any value: %s reaches a handler, and a receive',
    async (message) => {
      const a = await lab.probe()
      lab.node.send(a.pid, message)
      await lab.settle()
      expect(a.messages).toEqual([message])
      expect(await taken([message, 'next'], async (self) => [await self.receive(), await self.receive()])).toEqual([
        message,
        'next',
      ])
    },
  )

  it('`undefined` is a message: a receive tells it from a timeout by taking it from the mailbox', async () => {
    const got = await taken([undefined, 1], async (self) => [
      await self.receive({ timeoutMs: 0 }),
      await self.receive({ timeoutMs: 0 }),
      await self.receive({ timeoutMs: 0 }),
    ])
    expect(got).toEqual([undefined, 1, undefined])
  })

  it('on the same node is passed as it is', async () => {
    const a = await lab.probe()
    const message = { deep: { function: () => 1 } }
    lab.node.send(a.pid, message)
    await lab.settle()
    expect(a.messages[0]).toBe(message)
  })

  it('to oneself comes in a later turn, behind those that are there', async () => {
    const seen: unknown[] = []
    const pid = lab.node.spawn(
      handler((self) => (message) => {
        if (message === 1) self.send(self.pid, 'to myself')
        seen.push(message)
      }),
    )
    lab.node.send(pid, 1)
    lab.node.send(pid, 2)
    await lab.settle()
    expect(seen).toEqual([1, 2, 'to myself'])
  })

  it('an async handler holds back the next message until it is done', async () => {
    const log: string[] = []
    const pid = lab.node.spawn(
      handler(() => async (message) => {
        log.push(`begin ${String(message)}`)
        await Promise.resolve()
        await Promise.resolve()
        log.push(`end ${String(message)}`)
      }),
    )
    lab.node.send(pid, 1)
    lab.node.send(pid, 2)
    await lab.settle()
    expect(log).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2'])
  })

  it('an async init holds back the first message until it is done', async () => {
    const { opened, open } = gate()
    const seen: unknown[] = []
    const pid = lab.node.spawn(
      handler(async () => {
        await opened
        return (message) => void seen.push(message)
      }),
    )
    lab.node.send(pid, 1)
    await lab.settle()
    expect(seen).toEqual([])
    open()
    await lab.settle()
    expect(seen).toEqual([1])
  })

  it('a mailbox of 100,000 messages does not keep another process from its turn', async () => {
    let handled = 0
    const order: number[] = []
    const busy = lab.node.spawn(
      handler(() => () => {
        handled++
      }),
    )
    const other = lab.node.spawn(
      handler(() => () => {
        order.push(handled)
      }),
    )
    for (let i = 0; i < 100_000; i++) lab.node.send(busy, i)
    lab.node.send(other, 'my turn')
    await lab.settle()
    expect(handled).toBe(100_000)
    expect(order[0]).toBeLessThan(2_000)
  })
})

describe('Processes and exit: Plain processes may `receive` selectively (by predicate or tag), with a timeout (`after`)', () => {
  it('a receive takes the oldest message', async () => {
    expect(await taken([1, 2], async (self) => [await self.receive(), await self.receive()])).toEqual([1, 2])
  })

  it('by predicate or tag it takes the oldest message that matches, and leaves the others in their order', async () => {
    const got = await taken([1, 2, { type: 'tagged', n: 1 }, 3, { type: 'tagged', n: 2 }], async (self) => [
      await self.receive({ match: (message) => message === 3 }),
      await self.receive('tagged'),
      await self.receive(),
      await self.receive(),
      await self.receive(),
    ])
    expect(got).toEqual([3, { type: 'tagged', n: 1 }, 1, 2, { type: 'tagged', n: 2 }])
  })

  it('a predicate is shown each message once, the oldest first, also those that come while it waits', async () => {
    const shown: unknown[] = []
    let got: unknown
    const pid = lab.node.spawn(async (self) => {
      got = await self.receive({
        match: (message) => {
          shown.push(message)
          return message === 'this'
        },
      })
    })
    for (const message of [1, 2]) lab.node.send(pid, message)
    await lab.settle()
    for (const message of [3, 'this', 4]) lab.node.send(pid, message)
    await lab.settle()
    expect(got).toBe('this')
    expect(shown).toEqual([1, 2, 3, 'this'])
  })

  it('the next receive is shown again what the one before it left', async () => {
    const got = await taken(['a', 1, 'b', 2], async (self) => [
      await self.receive({ match: (message) => message === 2 }),
      await self.receive({ match: isText }),
      await self.receive({ match: isText }),
      await self.receive(),
    ])
    expect(got).toEqual([2, 'a', 'b', 1])
  })

  it('by tag takes no message that has none, and none that is no object', async () => {
    const got = await taken([undefined, null, 'tag', { type: 7 }, {}, [], { type: 'tag' }], async (self) => [
      await self.receive('tag'),
    ])
    expect(got).toEqual([{ type: 'tag' }])
  })

  it('one that waits is woken by a message that matches only', async () => {
    const got: unknown[] = []
    const pid = lab.node.spawn(async (self) => void got.push(await self.receive('wanted')))
    for (const message of ['other', { type: 'other' }]) lab.node.send(pid, message)
    await lab.settle()
    expect(got).toEqual([])
    lab.node.send(pid, { type: 'wanted' })
    await lab.settle()
    expect(got).toEqual([{ type: 'wanted' }])
  })

  it('a receive with a timeout gives up after it, and a later message stays in the mailbox', async () => {
    const got: unknown[] = []
    const pid = lab.node.spawn(async (self) => {
      got.push(await self.receive({ timeoutMs: 100 }))
      got.push(await self.receive())
    })
    await lab.advance(99)
    expect(got).toEqual([])
    await lab.advance(1)
    expect(got).toEqual([undefined])
    lab.node.send(pid, 'late')
    await lab.settle()
    expect(got).toEqual([undefined, 'late'])
  })

  it('a receive that has its message in time leaves no timer', async () => {
    let got: unknown
    const pid = lab.node.spawn(async (self) => {
      got = await self.receive({ timeoutMs: 100 })
      await new Promise(() => undefined)
    })
    await lab.settle()
    expect(lab.node.counters().timers).toBe(1)
    lab.node.send(pid, 'in time')
    await lab.settle()
    expect(got).toBe('in time')
    expect(lab.node.counters().timers).toBe(0)
  })

  it('a message that does not match does not prolong the timeout', async () => {
    let got: unknown = 'nothing yet'
    const pid = lab.node.spawn(async (self) => {
      got = await self.receive('wanted', { timeoutMs: 100 })
    })
    await lab.advance(60)
    lab.node.send(pid, 'other')
    await lab.advance(39)
    expect(got).toBe('nothing yet')
    await lab.advance(1)
    expect(got).toBeUndefined()
  })

  it('a timeout of 0 looks at the mailbox only: takes what matches, and does not wait', async () => {
    const got = await taken(['there'], async (self) => [
      await self.receive({ match: isText, timeoutMs: 0 }),
      await self.receive({ timeoutMs: 0 }),
      await self.receive('tag', { timeoutMs: 0 }),
    ])
    expect(got).toEqual(['there', undefined, undefined])
  })

  it('a timeout of Infinity waits for ever', async () => {
    let got: unknown
    const pid = lab.node.spawn(async (self) => {
      got = await self.receive({ timeoutMs: Infinity })
    })
    await lab.leap(2 ** 50)
    expect(lab.node.isProcessAlive(pid)).toBe(true)
    expect(lab.node.counters().timers).toBe(0)
    lab.node.send(pid, 'at last')
    await lab.settle()
    expect(got).toBe('at last')
  })

  it('a timeout past 2^31 ms works', async () => {
    let done = false
    lab.node.spawn(async (self) => {
      await self.receive({ timeoutMs: 2 ** 31 + 1 })
      done = true
    })
    await lab.settle()
    await lab.leap(2 ** 31)
    expect(done).toBe(false)
    await lab.leap(1)
    expect(done).toBe(true)
  })

  it('a message and the timeout at one moment: the message that came first is taken', async () => {
    let got: unknown
    const pid = lab.node.spawn(async (self) => {
      self.sendAfter(100, self.pid, 'just in time')
      got = await self.receive({ timeoutMs: 100 })
    })
    await lab.advance(100)
    expect(got).toBe('just in time')
    expect(lab.node.isProcessAlive(pid)).toBe(false)
  })

  it('two receives at once are an error, and the first goes on', async () => {
    const seen: unknown[] = []
    const pid = lab.node.spawn(async (self) => {
      const first = self.receive()
      seen.push(codeOf(() => self.receive()))
      seen.push(await first)
    })
    lab.node.send(pid, 'for the first')
    await lab.settle()
    expect(seen).toEqual(['ERR_BAD_ARGUMENT', 'for the first'])
  })

  it('a receive of a handler process is an error, in its handler and in its init when it has one', async () => {
    const a = await lab.probe()
    expect(codeOf(() => a.self.receive())).toBe('ERR_BAD_ARGUMENT')
    expect(codeOf(() => lab.node.self.receive())).toBe('ERR_BAD_ARGUMENT')
  })

  it('an EXIT, a DOWN and a timeout can be received by their type', async () => {
    const dead = await lab.dead()
    const got: unknown[] = []
    lab.node.spawn(
      async (self) => {
        const ref = self.monitor(dead)
        self.link(dead)
        const timer = self.startTimer(1, self.pid, 'x')
        got.push(await self.receive('timeout'), await self.receive('EXIT'), await self.receive('DOWN'))
        expect(got).toEqual([
          { type: 'timeout', ref: timer, message: 'x' },
          { type: 'EXIT', from: dead, reason: 'noproc' },
          { type: 'DOWN', ref, pid: dead, reason: 'noproc' },
        ])
        got.push('as expected')
      },
      { trapExit: true },
    )
    await lab.advance(1)
    expect(got[3]).toBe('as expected')
  })

  it('100,000 messages that do not match do not keep a receive from the one that does', async () => {
    let got: unknown
    const pid = lab.node.spawn(async (self) => {
      got = await self.receive('needle')
    })
    for (let i = 0; i < 100_000; i++) lab.node.send(pid, i)
    lab.node.send(pid, { type: 'needle' })
    await lab.settle()
    expect(got).toEqual({ type: 'needle' })
  })
})
