import { handler, type Context, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let node: Node

beforeEach(async () => {
  cluster = new TestCluster()
  node = await cluster.start('a')
})

afterEach(async () => {
  await cluster.stop()
})

/** A process that keeps what it gets, and can be made to act. */
interface Probe {
  readonly pid: Pid
  readonly messages: unknown[]
  readonly self: Context
}

async function probe(trapExit = true): Promise<Probe> {
  const messages: unknown[] = []
  let context: Context | undefined
  const pid = node.spawn(
    handler((self) => {
      context = self
      return (message) => {
        messages.push(message)
      }
    }),
    { trapExit },
  )
  await cluster.settle()
  if (context === undefined) throw new Error('the probe has not started')
  return { pid, messages, self: context }
}

/** How a process ends, as its monitor is told. */
async function endOf(start: () => Pid): Promise<unknown> {
  const watcher = await probe()
  watcher.self.monitor(start())
  await cluster.settle()
  const down = watcher.messages[0] as { reason: unknown } | undefined
  return down?.reason
}

describe('exit', () => {
  it('a process function that returns, or resolves, exits normal', async () => {
    expect(await endOf(() => node.spawn((self) => void self.pid, { name: 'x' }))).toBe('normal')
    expect(await endOf(() => node.spawn(async (self) => void (await self.receive({ timeoutMs: 0 }))))).toBe('normal')
  })

  it('an error that is thrown, or rejected with, is the exit reason as data, never as a live object', async () => {
    const reason = await endOf(() =>
      node.spawn(() => {
        throw new TypeError('broken')
      }),
    )
    expect(reason).toMatchObject({ error: { name: 'TypeError', message: 'broken' } })
    expect(reason).not.toBeInstanceOf(Error)
    expect(await endOf(() => node.spawn(async () => Promise.reject(new RangeError('late'))))).toMatchObject({
      error: { name: 'RangeError' },
    })
  })

  it.each([
    ['undefined', () => undefined],
    ['a frozen object', () => Object.freeze({ a: 1 })],
    [
      'an error with a hostile getter',
      () =>
        Object.defineProperty(new Error('x'), 'message', {
          get: () => {
            throw new Error('gotcha')
          },
        }),
    ],
    [
      'a proxy that throws',
      () =>
        new Proxy(
          {},
          {
            get: () => {
              throw new Error('gotcha')
            },
            getPrototypeOf: () => {
              throw new Error('gotcha')
            },
          },
        ),
    ],
    ['a symbol', () => Symbol('s')],
  ])('a process that throws %s takes down only itself', async (_what, thrown) => {
    const bystander = await probe()
    const reason = await endOf(() =>
      node.spawn(() => {
        throw thrown()
      }),
    )
    expect(reason).toMatchObject({ error: { name: expect.any(String), message: expect.any(String) } })
    node.send(bystander.pid, 'still there')
    await cluster.settle()
    expect(bystander.messages).toEqual(['still there'])
  })

  it('exit(reason) exits with that reason as data', async () => {
    expect(await endOf(() => node.spawn((self) => self.exit({ shutdown: 'tired' })))).toEqual({ shutdown: 'tired' })
  })

  it('normal is ignored by a process that does not trap exits, unless it comes from itself', async () => {
    const victim = await probe(false)
    node.exit(victim.pid, 'normal')
    expect(node.isProcessAlive(victim.pid)).toBe(true)
    victim.self.exit(victim.pid, 'normal')
    expect(node.isProcessAlive(victim.pid)).toBe(false)
  })

  it('kill cannot be trapped, and everyone who is told is told killed', async () => {
    const victim = await probe(true)
    const watcher = await probe()
    watcher.self.monitor(victim.pid)
    watcher.self.link(victim.pid)
    node.exit(victim.pid, 'kill')
    await cluster.settle()
    expect(watcher.messages).toMatchObject([
      { type: 'EXIT', from: victim.pid, reason: 'killed' },
      { type: 'DOWN', reason: 'killed' },
    ])
  })

  it('any other reason ends a process that does not trap, and is an EXIT message to one that does, as it is when the signal is received', async () => {
    const plain = await probe(false)
    const trapping = await probe(true)
    node.exit(plain.pid, 'boom')
    node.exit(trapping.pid, 'boom')
    await cluster.settle()
    expect(node.isProcessAlive(plain.pid)).toBe(false)
    expect(trapping.messages).toMatchObject([{ type: 'EXIT', from: node.self.pid, reason: 'boom' }])
    trapping.self.trapExit = false
    node.exit(trapping.pid, 'boom')
    expect(node.isProcessAlive(trapping.pid)).toBe(false)
  })

  it('a message and a signal to a dead process are dropped silently', async () => {
    const victim = await probe()
    node.exit(victim.pid, 'kill')
    expect(node.send(victim.pid, 'hello')).toBe('ok')
    expect(() => node.exit(victim.pid, 'again')).not.toThrow()
  })

  it('a process that is dead can do nothing, and its pending receive rejects and its signal is aborted', async () => {
    const outcomes: unknown[] = []
    let resume = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      resume = resolve
    })
    const other = await probe()
    const pid = node.spawn(async (self) => {
      const { signal } = self
      const receiving = self.receive().catch((error: unknown) => outcomes.push((error as { code: unknown }).code))
      await gate
      await receiving
      outcomes.push(signal.aborted)
      for (const act of [
        () => self.send(other.pid, 'from the dead'),
        () => self.spawn(() => undefined),
        () => self.register('ghost'),
        () => self.monitor(other.pid),
        () => self.link(other.pid),
        () => self.sendAfter(1, other.pid, 'later'),
        () => self.exit('again'),
      ]) {
        try {
          act()
          outcomes.push('it could')
        } catch (error) {
          outcomes.push((error as { code: unknown }).code)
        }
      }
    })
    await cluster.settle()
    node.exit(pid, 'kill')
    resume()
    await cluster.advance(10)
    expect(outcomes).toEqual(['ERR_PROCESS_EXITED', true, ...Array<string>(7).fill('ERR_PROCESS_EXITED')])
    expect(other.messages).toEqual([])
  })

  it("a process's name, monitors, links and timers are released before anyone receives its DOWN", async () => {
    const seen: unknown[] = []
    const victim = await probe()
    victim.self.register('victim')
    const target = await probe()
    victim.self.monitor(target.pid)
    const timer = node.self.sendAfter(1_000, victim.pid, 'never')
    node.spawn(
      handler((self) => {
        self.monitor(victim.pid)
        return () => {
          seen.push(node.whereis('victim'), self.readTimer(timer), node.isProcessAlive(victim.pid))
        }
      }),
    )
    await cluster.settle()
    node.exit(victim.pid, 'kill')
    await cluster.settle()
    expect(seen).toEqual([undefined, undefined, false])
  })

  it('the exit of the first of 100,000 linked processes ends them all and overflows no stack', async () => {
    let last = node.spawn(async (self) => void (await self.receive()))
    const first = last
    for (let i = 0; i < 100_000; i++) {
      const next = last
      last = node.spawn(
        handler((self) => {
          self.link(next)
          return () => undefined
        }),
      )
    }
    await cluster.settle()
    node.exit(first, 'boom')
    expect(node.processes()).toHaveLength(1)
  })

  it('an uncaught error makes one crash report; normal, shutdown and a kill from outside make none', async () => {
    node.spawn(
      () => {
        throw new Error('broken')
      },
      { name: 'breaker', label: 'a test' },
    )
    node.spawn(() => undefined)
    node.spawn((self) => self.exit('shutdown'))
    node.spawn((self) => self.exit('done'))
    node.spawn((self) => self.exit({ shutdown: 'because' }))
    node.exit(
      node.spawn(async (self) => void (await self.receive())),
      'kill',
    )
    await cluster.settle()
    const reports = cluster.log.lines.filter((line) => line.fields['report'] === 'crash')
    expect(reports).toMatchObject([
      {
        level: 'error',
        fields: { registeredName: 'breaker', label: 'a test', reason: { name: 'Error', message: 'broken' } },
      },
    ])
  })

  it('a receive or request that nobody waits for any more does not end the OS process when its process has ended', async () => {
    const unhandled: unknown[] = []
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', onUnhandled)
    try {
      const silent = await probe()
      node.spawn((self) => void self.receive())
      node.spawn((self) => void self.request(silent.pid, () => 'anybody?', 1_000))
      await cluster.settle()
    } finally {
      process.off('unhandledRejection', onUnhandled)
    }
    expect(unhandled).toEqual([])
  })

  it('nothing ends the main process, for which code outside of processes stands', () => {
    node.exit(node.self.pid, 'kill')
    expect(node.isProcessAlive(node.self.pid)).toBe(true)
  })
})

describe('links', () => {
  it('are bidirectional: each side is told of the end of the other', async () => {
    const a = await probe()
    const b = await probe()
    a.self.link(b.pid)
    b.self.link(a.pid)
    node.exit(a.pid, 'kill')
    await cluster.settle()
    expect(b.messages).toEqual([{ type: 'EXIT', from: a.pid, reason: 'killed' }])
  })

  it('to itself does nothing; to a dead process gives noproc as an exit signal', async () => {
    const a = await probe()
    const dead = node.spawn(() => undefined)
    await cluster.settle()
    a.self.link(a.pid)
    a.self.link(dead)
    await cluster.settle()
    expect(a.messages).toEqual([{ type: 'EXIT', from: dead, reason: 'noproc' }])
  })

  it('after unlink returns, no exit signal from that link arrives', async () => {
    const a = await probe()
    const b = await probe()
    a.self.link(b.pid)
    b.self.unlink(a.pid)
    node.exit(b.pid, 'kill')
    await cluster.settle()
    expect(a.messages).toEqual([])
  })

  it('a normal exit does not end a linked process that does not trap; another reason does, with the same reason', async () => {
    const stays = await probe(false)
    const goes = await probe(false)
    const watcher = await probe()
    watcher.self.monitor(goes.pid)
    const quiet = node.spawn((self) => self.link(stays.pid))
    const loud = node.spawn((self) => {
      self.link(goes.pid)
      self.exit('boom')
    })
    await cluster.settle()
    expect([node.isProcessAlive(quiet), node.isProcessAlive(loud)]).toEqual([false, false])
    expect(node.isProcessAlive(stays.pid)).toBe(true)
    expect(watcher.messages).toMatchObject([{ type: 'DOWN', reason: 'boom' }])
  })

  it('a kill that comes over a link can be trapped', async () => {
    const a = await probe(true)
    const pid = node.spawn((self) => {
      self.link(a.pid)
      self.exit('kill')
    })
    await cluster.settle()
    expect(a.messages).toEqual([{ type: 'EXIT', from: pid, reason: 'kill' }])
  })

  it('spawnLink links before the new process can run', async () => {
    const a = await probe()
    const child = a.self.spawnLink((self) => self.exit('at once'))
    await cluster.settle()
    expect(a.messages).toEqual([{ type: 'EXIT', from: child, reason: 'at once' }])
  })
})

describe('monitors', () => {
  it('each monitor gives one DOWN: three give three', async () => {
    const watcher = await probe()
    const target = await probe()
    const refs = [1, 2, 3].map(() => watcher.self.monitor(target.pid))
    node.exit(target.pid, 'boom')
    await cluster.settle()
    node.exit(target.pid, 'kill')
    await cluster.settle()
    const downs = watcher.messages.filter((message) => (message as { type: string }).type === 'DOWN')
    expect(downs).toHaveLength(3)
    expect(new Set(downs.map((down) => String((down as { ref: unknown }).ref)))).toEqual(new Set(refs.map(String)))
  })

  it('are unidirectional: the end of the watcher does nothing to the watched', async () => {
    const watcher = await probe()
    const target = await probe(false)
    watcher.self.monitor(target.pid)
    node.exit(watcher.pid, 'kill')
    expect(node.isProcessAlive(target.pid)).toBe(true)
  })

  it('by name: the DOWN names what was monitored; a name that nobody has gives noproc at once', async () => {
    const watcher = await probe()
    const target = await probe()
    target.self.register('target')
    watcher.self.monitor('target')
    watcher.self.monitor('nobody')
    node.exit(target.pid, 'kill')
    await cluster.settle()
    expect(watcher.messages).toMatchObject([
      { type: 'DOWN', pid: { name: 'nobody', node: node.name }, reason: 'noproc' },
      { type: 'DOWN', pid: { name: 'target', node: node.name }, reason: 'killed' },
    ])
  })

  it('after demonitor no DOWN comes; flush also removes one that has come', async () => {
    const target = await probe()
    const seen: unknown[] = []
    node.spawn(async (self) => {
      const first = self.monitor(target.pid)
      const second = self.monitor(target.pid)
      seen.push(self.demonitor(first, { info: true }), self.demonitor(first, { info: true }))
      await self.receive('go')
      seen.push(self.demonitor(second, { flush: true, info: true }))
      seen.push(await self.receive({ timeoutMs: 0 }))
    })
    const runner = node.processes().at(-1)
    await cluster.settle()
    node.exit(target.pid, 'kill')
    if (runner !== undefined) node.send(runner, { type: 'go' })
    await cluster.settle()
    expect(seen).toEqual([true, false, false, undefined])
  })

  it('spawnMonitor tells of a process that ends in its first turn', async () => {
    const watcher = await probe()
    const { pid, ref } = watcher.self.spawnMonitor(() => undefined)
    await cluster.settle()
    expect(watcher.messages).toEqual([{ type: 'DOWN', ref, pid, reason: 'normal' }])
  })
})

describe('messages', () => {
  it('a receive takes the oldest message that matches, by predicate or type, and leaves the others in their order', async () => {
    const got: unknown[] = []
    const pid = node.spawn(async (self) => {
      got.push(await self.receive({ match: (message) => message === 3 }))
      got.push(await self.receive('tagged'))
      got.push(await self.receive(), await self.receive())
    })
    for (const message of [1, 2, { type: 'tagged', n: 1 }, 3]) node.send(pid, message)
    await cluster.settle()
    expect(got).toEqual([3, { type: 'tagged', n: 1 }, 1, 2])
  })

  it('a receive with a timeout gives up after it, and a later message stays in the mailbox', async () => {
    const got: unknown[] = []
    const pid = node.spawn(async (self) => {
      got.push(await self.receive({ timeoutMs: 100 }))
      got.push(await self.receive())
    })
    await cluster.advance(99)
    expect(got).toEqual([])
    await cluster.advance(1)
    expect(got).toEqual([undefined])
    node.send(pid, 'late')
    await cluster.settle()
    expect(got).toEqual([undefined, 'late'])
  })

  it('an async handler holds back the next message until it is done', async () => {
    const log: string[] = []
    const pid = node.spawn(
      handler((self) => async (message) => {
        log.push(`begin ${String(message)}`)
        await Promise.resolve()
        await Promise.resolve()
        void self
        log.push(`end ${String(message)}`)
      }),
    )
    node.send(pid, 1)
    node.send(pid, 2)
    await cluster.settle()
    expect(log).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2'])
  })

  it('messages and exit signals of one sender arrive in the order in which they were sent', async () => {
    const victim = await probe(true)
    node.send(victim.pid, 1)
    node.exit(victim.pid, 'two')
    node.send(victim.pid, 3)
    await cluster.settle()
    expect(victim.messages).toMatchObject([1, { type: 'EXIT', reason: 'two' }, 3])
  })

  it('a mailbox of 100,000 messages does not keep another process from its turn', async () => {
    let handled = 0
    const order: number[] = []
    const busy = node.spawn(
      handler(() => () => {
        handled++
      }),
    )
    const other = node.spawn(
      handler(() => () => {
        order.push(handled)
      }),
    )
    for (let i = 0; i < 100_000; i++) node.send(busy, i)
    node.send(other, 'my turn')
    await cluster.settle()
    expect(handled).toBe(100_000)
    expect(order[0]).toBeLessThan(2_000)
  })
})

describe('names', () => {
  it('a second process for a name, a second name for a process, a dead process and the name undefined are errors', async () => {
    const a = await probe()
    const b = await probe()
    const dead = node.spawn(() => undefined)
    await cluster.settle()
    a.self.register('a')
    const code = (act: () => void): unknown => {
      try {
        act()
        return 'it could'
      } catch (error) {
        return (error as { code: unknown }).code
      }
    }
    expect(code(() => node.register('a', b.pid))).toBe('ERR_NAME_TAKEN')
    expect(code(() => node.register('other', a.pid))).toBe('ERR_NAME_TAKEN')
    expect(code(() => node.register('dead', dead))).toBe('ERR_BAD_ARGUMENT')
    expect(code(() => node.register('undefined', b.pid))).toBe('ERR_BAD_ARGUMENT')
    expect(code(() => node.unregister('nobody'))).toBe('ERR_NOT_REGISTERED')
    expect(node.registered()).toEqual(['a'])
    expect(node.whereis('a')).toBe(a.pid)
  })

  it('a send to an unregistered local name is an error, to a name on a node it is silent', () => {
    expect(() => node.send('nobody', 1)).toThrowError(expect.objectContaining({ code: 'ERR_NOT_REGISTERED' }))
    expect(node.send({ name: 'nobody', node: node.name }, 1)).toBe('ok')
  })

  it('what is no destination, pid or duration is an error at the caller', async () => {
    const a = await probe()
    for (const act of [
      () => node.send(undefined as never, 1),
      () => node.send(7 as never, 1),
      () => a.self.link('x' as never),
      () => a.self.sendAfter(-1, a.pid, 1),
      () => a.self.sendAfter(Number.NaN, a.pid, 1),
      () => a.self.cancelTimer({} as never),
      () => a.self.demonitor(7 as never),
      () => a.self.monitor(5 as never),
      () => a.self.monitor({ name: 'x' } as never),
      () => node.spawn(5 as never),
      () => void node.request(undefined as never, () => 1, 1),
    ]) {
      expect(act).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    }
  })
})

describe('timers', () => {
  it('sendAfter sends the message, startTimer a timeout with its reference, after the delay and not before', async () => {
    const a = await probe()
    a.self.sendAfter(100, a.pid, 'plain')
    const ref = a.self.startTimer(200, a.pid, 'wrapped')
    await cluster.advance(99)
    expect(a.messages).toEqual([])
    expect(a.self.readTimer(ref)).toBe(101)
    await cluster.advance(101)
    expect(a.messages).toEqual(['plain', { type: 'timeout', ref, message: 'wrapped' }])
  })

  it('a cancelled timer sends nothing; cancelling one that has fired says so', async () => {
    const a = await probe()
    const ref = a.self.sendAfter(100, a.pid, 'never')
    expect(a.self.cancelTimer(ref)).toBe(100)
    expect(a.self.cancelTimer(ref)).toBeUndefined()
    await cluster.advance(1_000)
    expect(a.messages).toEqual([])
  })

  it('a timer to a pid dies with the pid; a timer to a name finds who has the name then', async () => {
    const a = await probe()
    const b = await probe()
    const ref = a.self.sendAfter(100, b.pid, 'to the dead')
    a.self.sendAfter(100, 'later', 'by name')
    node.exit(b.pid, 'kill')
    expect(a.self.readTimer(ref)).toBeUndefined()
    a.self.register('later')
    await cluster.advance(100)
    expect(a.messages).toEqual(['by name'])
  })
})
