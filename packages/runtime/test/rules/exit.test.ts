import {
  Failure,
  handler,
  type Context,
  type Pid,
  type ReadOutcome,
  type Ref,
  type RequestOutcome,
} from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { codeOf, useLab } from './probe.ts'

const lab = useLab()

/** What no one should throw. */
const hostile: readonly (readonly [string, () => unknown])[] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['a frozen object', () => Object.freeze({ a: 1 })],
  ['an object without a prototype', () => Object.create(null) as unknown],
  ['a bigint', () => 7n],
  [
    'an object that refers to itself',
    () => {
      const cycle: Record<string, unknown> = {}
      cycle['self'] = cycle
      return cycle
    },
  ],
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
]

describe('Processes and exit: how a process begins', () => {
  it.each(['spawn', 'spawnLink', 'spawnMonitor'] as const)(
    '`%s`: its code runs in a later turn, never within the call',
    async (method) => {
      const parent = await lab.probe()
      let ran = false
      parent.self[method](() => {
        ran = true
      })
      expect(ran).toBe(false)
      await lab.settle()
      expect(ran).toBe(true)
    },
  )

  it('processes start in the order in which they were spawned', async () => {
    const started: number[] = []
    for (const number of [1, 2, 3]) lab.node.spawn(() => void started.push(number))
    await lab.settle()
    expect(started).toEqual([1, 2, 3])
  })

  it('a process outlives the one that spawned it, unless they are linked', async () => {
    const children: Pid[] = []
    lab.node.spawn((self) => {
      children.push(self.spawn(handler(() => () => undefined)), self.spawnLink(handler(() => () => undefined)))
      self.exit('boom')
    })
    await lab.settle()
    expect(children.map((pid) => lab.node.isProcessAlive(pid))).toEqual([true, false])
  })

  it('every process has a pid of its own, never used again', async () => {
    const pids = new Set<string>()
    for (let i = 0; i < 100; i++) pids.add(String(await lab.dead()))
    expect(pids.size).toBe(100)
  })
})

describe('Processes and exit: how a process ends', () => {
  it('a process function that returns exits normal', async () => {
    expect(await lab.endOf(() => lab.node.spawn((self) => void self.pid, { name: 'x' }))).toBe('normal')
  })

  it('a process function that resolves exits normal', async () => {
    expect(await lab.endOf(() => lab.node.spawn(async (self) => void (await self.receive({ timeoutMs: 0 }))))).toBe(
      'normal',
    )
  })

  it('a handler process lives on when its handler returns', async () => {
    const pid = lab.node.spawn(handler(() => () => undefined))
    lab.node.send(pid, 1)
    await lab.settle()
    expect(lab.node.isProcessAlive(pid)).toBe(true)
  })

  it('a thrown error exits with a serialisable error reason, never a live Error object', async () => {
    const reason = await lab.endOf(() =>
      lab.node.spawn(() => {
        throw Object.assign(new TypeError('broken'), { code: 'ERR_X', secret: { live: true } })
      }),
    )
    expect(reason).toEqual({
      error: { name: 'TypeError', message: 'broken', stack: expect.stringContaining('TypeError'), code: 'ERR_X' },
    })
    expect(reason).not.toBeInstanceOf(Error)
    expect((reason as { error: unknown }).error).not.toBeInstanceOf(Error)
    expect(structuredClone(reason)).toEqual(reason)
  })

  it.each([
    ['a rejection of a process function', () => lab.node.spawn(async () => Promise.reject(new RangeError('late')))],
    [
      'a throw of an init',
      () =>
        lab.node.spawn(
          handler(() => {
            throw new RangeError('late')
          }),
        ),
    ],
    ['a rejection of an init', () => lab.node.spawn(handler<unknown>(() => Promise.reject(new RangeError('late'))))],
    [
      'a throw of a handler',
      () => {
        const pid = lab.node.spawn(
          handler(() => () => {
            throw new RangeError('late')
          }),
        )
        lab.node.send(pid, 1)
        return pid
      },
    ],
    [
      'a rejection of a handler',
      () => {
        const pid = lab.node.spawn(handler(() => () => Promise.reject(new RangeError('late'))))
        lab.node.send(pid, 1)
        return pid
      },
    ],
  ])('%s exits with a serialisable error reason', async (_what, start) => {
    expect(await lab.endOf(start)).toMatchObject({ error: { name: 'RangeError', message: 'late' } })
  })

  it.each(hostile)('a process that throws %s takes down only itself', async (_what, thrown) => {
    const bystander = await lab.probe()
    let reason: unknown
    const faults = await faultsOf(async () => {
      reason = await lab.endOf(() =>
        lab.node.spawn(() => {
          throw thrown()
        }),
      )
    })
    expect(faults).toEqual([])
    expect(reason).toMatchObject({ error: { name: expect.any(String), message: expect.any(String) } })
    lab.node.send(bystander.pid, 'still there')
    await lab.settle()
    expect(bystander.messages).toEqual(['still there'])
  })

  it.each<[string, (self: Context) => void]>([
    ['a text', (self) => self.exit('tired')],
    ['an object', (self) => self.exit({ shutdown: 'tired' })],
  ])('`exit(reason)` exits with that reason as data: %s', async (what, body) => {
    expect(await lab.endOf(() => lab.node.spawn(body))).toEqual(what === 'a text' ? 'tired' : { shutdown: 'tired' })
  })

  it('`exit(reason)` may be caught, and then the process goes on', async () => {
    // BEAM: `catch exit(x)`.
    const seen: unknown[] = []
    const reason = await lab.endOf(() =>
      lab.node.spawn((self) => {
        try {
          self.exit('x')
        } catch (error) {
          seen.push((error as { code: unknown }).code, (error as { reason: unknown }).reason, self.isAlive)
        }
      }),
    )
    expect(seen).toEqual(['ERR_EXIT', 'x', true])
    expect(reason).toBe('normal')
  })

  it('`exit(reason)` ends a process that traps exits too: it is no signal', async () => {
    const reason = await lab.endOf(() => lab.node.spawn((self) => self.exit('x'), { trapExit: true }))
    expect(reason).toBe('x')
  })

  it('`exit("kill")` of a process ends it with the reason kill, not killed', async () => {
    // BEAM: exit(kill) → 'DOWN' with kill; only the signal exit(Pid, kill) turns into killed.
    expect(await lab.endOf(() => lab.node.spawn((self) => self.exit('kill')))).toBe('kill')
  })

  it('the messages that wait for a process when it ends are gone', async () => {
    const self = await lab.deaf()
    lab.node.send(self.pid, 1)
    expect(lab.mailboxOf(self.pid)).toEqual([1])
    lab.node.exit(self.pid, 'kill')
    expect(lab.node.processInfo(self.pid)).toBeUndefined()
  })

  it('a process that is killed before its first turn runs nothing', async () => {
    let ran = false
    const pid = lab.node.spawn(() => {
      ran = true
    })
    lab.node.exit(pid, 'kill')
    await lab.settle()
    expect(ran).toBe(false)
  })

  it('what a process was sent after its `exit` was called, and before, is not handled', async () => {
    const seen: unknown[] = []
    const pid = lab.node.spawn(
      handler((self) => (message) => {
        seen.push(message)
        if (message === 1) self.exit(self.pid, 'enough')
      }),
    )
    for (const message of [1, 2, 3]) lab.node.send(pid, message)
    await lab.settle()
    expect(seen).toEqual([1])
  })
})

describe('Processes and exit: `exit(pid, reason)` sends an exit signal', () => {
  it('`normal` is ignored by a process that does not trap exits', async () => {
    const victim = await lab.probe(false)
    lab.node.exit(victim.pid, 'normal')
    await lab.settle()
    expect(lab.node.isProcessAlive(victim.pid)).toBe(true)
    expect(victim.messages).toEqual([])
  })

  it('`normal` to itself ends a process that does not trap exits', async () => {
    // BEAM: exit(self(), normal) → 'DOWN' with normal.
    const victim = await lab.probe(false)
    const watcher = await lab.probe()
    watcher.self.monitor(victim.pid)
    victim.self.exit(victim.pid, 'normal')
    expect(lab.node.isProcessAlive(victim.pid)).toBe(false)
    await lab.settle()
    expect(watcher.messages).toMatchObject([{ type: 'DOWN', reason: 'normal' }])
  })

  it.each(['normal', 'boom'])('`%s` to itself is an EXIT message from itself if it traps exits', async (reason) => {
    // BEAM: {'EXIT', Self, normal}.
    const trapping = await lab.probe(true)
    trapping.self.exit(trapping.pid, reason)
    await lab.settle()
    expect(trapping.messages).toEqual([{ type: 'EXIT', from: trapping.pid, reason }])
  })

  it('`normal` is an EXIT message to a process that traps exits', async () => {
    const trapping = await lab.probe(true)
    lab.node.exit(trapping.pid, 'normal')
    await lab.settle()
    expect(trapping.messages).toEqual([{ type: 'EXIT', from: lab.node.self.pid, reason: 'normal' }])
  })

  it('`kill` cannot be trapped', async () => {
    const victim = await lab.probe(true)
    lab.node.exit(victim.pid, 'kill')
    await lab.settle()
    expect(lab.node.isProcessAlive(victim.pid)).toBe(false)
    expect(victim.messages).toEqual([])
  })

  it('`kill` cannot be trapped when a process sends it to itself', async () => {
    // BEAM: exit(self(), kill) while trapping → killed.
    const reason = await lab.endOf(() => lab.node.spawn((self) => self.exit(self.pid, 'kill'), { trapExit: true }))
    expect(reason).toBe('killed')
  })

  it('`kill` turns into `killed` for everyone who is told', async () => {
    const victim = await lab.probe(true)
    const watcher = await lab.probe()
    watcher.self.monitor(victim.pid)
    watcher.self.link(victim.pid)
    lab.node.exit(victim.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toMatchObject([
      { type: 'EXIT', from: victim.pid, reason: 'killed' },
      { type: 'DOWN', reason: 'killed' },
    ])
  })

  it('`killed`, which is not `kill`, can be trapped', async () => {
    // BEAM: the same.
    const trapping = await lab.probe(true)
    lab.node.exit(trapping.pid, 'killed')
    await lab.settle()
    expect(trapping.messages).toMatchObject([{ type: 'EXIT', reason: 'killed' }])
  })

  it.each(['boom', 'shutdown', 'noproc', { shutdown: 'x' }, { any: ['data', 1] }])(
    'any other reason kills a process that does not trap: %j',
    async (reason) => {
      const plain = await lab.probe(false)
      const end = await lab.endOf(() => {
        lab.node.self.sendAfter(0, plain.pid, 'never handled')
        queueMicrotask(() => lab.node.exit(plain.pid, reason))
        return plain.pid
      })
      expect(end).toEqual(reason)
      expect(plain.messages).toEqual([])
    },
  )

  it.each(hostile.filter(([what]) => what.startsWith('a proxy') || what.startsWith('an ')))(
    'a reason that is %s harms nobody who passes it on',
    async (what, make) => {
      const reason = make() as never
      const linked = await lab.probe(true)
      const victim = await lab.probe(false)
      linked.self.link(victim.pid)
      const faults = await faultsOf(async () => {
        lab.node.exit(victim.pid, reason)
        lab.node.spawn((self) => self.exit(reason))
        await lab.settle()
      })
      expect(faults).toEqual([])
      const [told, ...others] = linked.messages.map((message) => (message as { reason: unknown }).reason)
      expect(others).toEqual([])
      // As it is, but an error becomes data.
      if (what.startsWith('an error')) expect(told).toMatchObject({ error: { name: expect.any(String) } })
      else expect(told === reason).toBe(true)
      expect(lab.node.processes()).toHaveLength(2)
    },
  )

  it('any other reason becomes an `EXIT` message for one that does, with the sender as its `from`', async () => {
    const trapping = await lab.probe(true)
    const sender = await lab.probe()
    sender.self.exit(trapping.pid, 'boom')
    lab.node.exit(trapping.pid, { because: 'boom' })
    await lab.settle()
    expect(trapping.messages).toEqual([
      { type: 'EXIT', from: sender.pid, reason: 'boom' },
      { type: 'EXIT', from: lab.node.self.pid, reason: { because: 'boom' } },
    ])
  })

  it('Whether a process traps is judged when the signal is received, not when it is sent', async () => {
    const late = await lab.probe(false)
    late.self.trapExit = true
    lab.node.exit(late.pid, 'boom')
    expect(lab.node.isProcessAlive(late.pid)).toBe(true)
    late.self.trapExit = false
    lab.node.exit(late.pid, 'boom')
    expect(lab.node.isProcessAlive(late.pid)).toBe(false)
  })

  it('Whether a process traps is judged when the signal is received, not when it is sent: over a connection', async () => {
    const b = await lab.cluster.start('b')
    const victim = await lab.probe(true)
    // The signal is on its way for a millisecond; meanwhile the receiver stops trapping.
    b.exit(victim.pid, 'boom')
    victim.self.trapExit = false
    expect(lab.node.isProcessAlive(victim.pid)).toBe(true)
    await lab.advance(10)
    expect(lab.node.isProcessAlive(victim.pid)).toBe(false)
  })

  it('an EXIT message that is in the mailbox stays there when the process stops trapping exits', async () => {
    // BEAM: the same.
    const self = await lab.deaf(true)
    lab.node.exit(self.pid, 'boom')
    self.trapExit = false
    expect(lab.mailboxOf(self.pid)).toMatchObject([{ type: 'EXIT', reason: 'boom' }])
    expect(self.isAlive).toBe(true)
  })

  it('`trapExit` reads as it was set, by the process or by the option of its spawn', async () => {
    const plain = await lab.probe(false)
    expect(plain.self.trapExit).toBe(false)
    plain.self.trapExit = true
    expect(plain.self.trapExit).toBe(true)
    const trapping = await lab.probe(true)
    expect(trapping.self.trapExit).toBe(true)
    expect(lab.node.processInfo(lab.node.spawn(() => undefined))?.trapExit).toBe(false)
  })

  it('A signal to a dead pid is dropped silently', async () => {
    const dead = await lab.dead()
    const delivered = lab.node.counters().messagesDelivered
    for (const reason of ['normal', 'boom', 'kill']) expect(() => lab.node.exit(dead, reason)).not.toThrow()
    expect(lab.node.counters().messagesDelivered).toBe(delivered)
  })

  it('and so is a message', async () => {
    const dead = await lab.dead()
    const delivered = lab.node.counters().messagesDelivered
    expect(lab.node.send(dead, 'hello')).toBe('ok')
    expect(lab.node.counters().messagesDelivered).toBe(delivered)
  })
})

describe('Processes and exit: what is released, and when', () => {
  it("A process's names, links, monitors, timers and table entries are all released before anyone receives its `DOWN`", async () => {
    const { node } = lab
    const victim = await lab.probe()
    const other = await lab.probe()
    victim.self.register('victim')
    victim.self.monitor(other.pid)
    victim.self.link(other.pid)
    victim.self.alias()
    const timer = node.self.sendAfter(1_000, victim.pid, 'never')
    const before = node.counters()
    const seen: unknown[] = []
    node.spawn(
      handler((self) => {
        self.monitor(victim.pid)
        return () => {
          const { processes, timers, aliases, registeredNames } = node.counters()
          seen.push(
            node.whereis('victim'),
            node.registered(),
            self.readTimer(timer),
            node.isProcessAlive(victim.pid),
            node.processInfo(victim.pid),
            node.processes().includes(victim.pid),
            node.processInfo(other.pid)?.links,
            node.processInfo(other.pid)?.monitoredBy,
            // The watcher itself has been spawned since.
            { processes: processes - before.processes, timers: timers - before.timers },
            { aliases: aliases - before.aliases, registeredNames: registeredNames - before.registeredNames },
          )
        }
      }),
    )
    await lab.settle()
    node.exit(victim.pid, 'kill')
    await lab.settle()
    expect(seen).toEqual([
      undefined,
      [],
      undefined,
      false,
      undefined,
      false,
      [],
      [],
      { processes: 0, timers: -1 },
      { aliases: -1, registeredNames: -1 },
    ])
  })

  it('who is told by a link finds them released too, and can take the name at once', async () => {
    const { node } = lab
    const victim = await lab.probe()
    victim.self.register('heir')
    const seen: unknown[] = []
    node.spawn(
      handler((self) => {
        self.trapExit = true
        self.link(victim.pid)
        return () => {
          self.register('heir')
          seen.push(node.whereis('heir')?.equals(self.pid))
        }
      }),
    )
    await lab.settle()
    node.exit(victim.pid, 'boom')
    node.exit(victim.pid, 'kill')
    await lab.settle()
    expect(seen).toEqual([true])
  })

  it('a chain of linked processes: all are released when the first of the watchers is told', async () => {
    const { node } = lab
    const a = await lab.probe(false)
    const b = await lab.probe(false)
    const c = await lab.probe(false)
    a.self.link(b.pid)
    b.self.link(c.pid)
    const seen: unknown[] = []
    node.spawn(
      handler((self) => {
        self.monitor(a.pid)
        return () => seen.push([a, b, c].map(({ pid }) => node.isProcessAlive(pid)))
      }),
    )
    await lab.settle()
    node.exit(a.pid, 'boom')
    await lab.settle()
    expect(seen).toEqual([[false, false, false]])
  })
})

describe('Processes and exit: exactly one exit per process', () => {
  it('an exit raised while exiting changes nothing: the first signal counts', async () => {
    const watcher = await lab.probe()
    const victim = await lab.probe(false)
    watcher.self.monitor(victim.pid)
    watcher.self.link(victim.pid)
    lab.node.exit(victim.pid, 'first')
    lab.node.exit(victim.pid, 'second')
    lab.node.exit(victim.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toMatchObject([
      { type: 'EXIT', reason: 'first' },
      { type: 'DOWN', reason: 'first' },
    ])
    expect(lab.node.counters().processesExited).toBe(1)
  })

  it.each<[string, (self: Context) => void | Promise<void>]>([
    [
      'a throw',
      (self) => {
        self.exit(self.pid, 'first')
        throw new Error('second')
      },
    ],
    [
      'a rejection',
      async (self) => {
        self.exit(self.pid, 'first')
        await Promise.resolve()
        throw new Error('second')
      },
    ],
    ['a return', (self) => self.exit(self.pid, 'first')],
  ])('an exit raised while exiting changes nothing: %s after its end', async (_what, body) => {
    const watcher = await lab.probe()
    const { pid, ref } = watcher.self.spawnMonitor(body)
    await lab.settle()
    expect(watcher.messages).toEqual([{ type: 'DOWN', ref, pid, reason: 'first' }])
    expect(lab.reports('crash')).toEqual([])
  })

  it('an exit raised while exiting changes nothing: two linked that do not trap, each told of the other', async () => {
    const watcher = await lab.probe()
    const a = await lab.probe(false)
    const b = await lab.probe(false)
    a.self.link(b.pid)
    for (const { pid } of [a, b]) watcher.self.monitor(pid)
    lab.node.exit(a.pid, 'boom')
    await lab.settle()
    expect(watcher.messages).toMatchObject([
      { type: 'DOWN', pid: a.pid, reason: 'boom' },
      { type: 'DOWN', pid: b.pid, reason: 'boom' },
    ])
    expect(lab.node.counters().processesExited).toBe(2)
  })
})

describe('Processes and exit: the main process', () => {
  it.each(['kill', 'boom', 'normal'])('nothing ends it, for which code outside of processes stands: %s', (reason) => {
    lab.node.exit(lab.node.self.pid, reason)
    expect(lab.node.isProcessAlive(lab.node.self.pid)).toBe(true)
    lab.node.self.trapExit = false
    lab.node.exit(lab.node.self.pid, reason)
    expect(lab.node.isProcessAlive(lab.node.self.pid)).toBe(true)
  })

  it('a link to it, or from it, does not end it', async () => {
    const { node } = lab
    node.self.trapExit = false
    node.self.spawnLink((self) => self.exit('boom'))
    node.spawn((self) => {
      self.link(node.self.pid)
      throw new Error('linked')
    })
    node.self.link(await lab.dead())
    await lab.settle()
    expect(node.self.isAlive).toBe(true)
  })
})

describe('Processes and exit: `isProcessAlive`', () => {
  it('is true for a process that asks of itself, and false as soon as its exit signal has come', async () => {
    const seen: unknown[] = []
    lab.node.spawn((self) => {
      seen.push(self.isAlive, self.isProcessAlive(self.pid))
      const pid = self.pid
      self.exit(pid, 'x')
      seen.push(self.isAlive, lab.node.isProcessAlive(pid), lab.node.processes().includes(pid))
    })
    await lab.settle()
    expect(seen).toEqual([true, true, false, false, false])
  })

  it('is true for a process whose first turn has not come', () => {
    const pid = lab.node.spawn(() => undefined)
    expect(lab.node.isProcessAlive(pid)).toBe(true)
    expect(lab.node.processes()).toContainEqual(pid)
  })
})

describe('Processes and exit: crash reports', () => {
  it('an uncaught error makes one crash report, with the process, its name and label, and what waited for it', async () => {
    const { node } = lab
    const friend = await lab.probe()
    const pid = node.spawn(
      (self) => {
        self.link(friend.pid)
        self.send(self.pid, 'one that waits')
        throw Object.assign(new Error('broken'), { code: 'ERR_BROKEN' })
      },
      { name: 'breaker', label: 'a test' },
    )
    await lab.settle()
    expect(lab.reports('crash')).toEqual([
      {
        level: 'error',
        message: `process ${pid} crashed: Error: broken`,
        fields: {
          node: node.name,
          report: 'crash',
          pid: pid.toString(),
          registeredName: 'breaker',
          label: 'a test',
          reason: { name: 'Error', message: 'broken', code: 'ERR_BROKEN', stack: expect.any(String) },
          messageQueueLength: 1,
          links: 1,
        },
      },
    ])
    expect(node.counters().processesCrashed).toBe(1)
  })

  it('a crash report never holds the payload of a message', async () => {
    const pid = lab.node.spawn(
      handler(() => () => {
        throw new Error('broken')
      }),
    )
    for (let i = 0; i < 3; i++) lab.node.send(pid, { type: 'login', password: 'hunter2' })
    await lab.settle()
    expect(lab.reports('crash')).toHaveLength(1)
    expect(JSON.stringify(lab.cluster.log.lines)).not.toContain('hunter2')
  })

  it.each<[string, (self: Context) => void]>([
    ['a return', () => undefined],
    ['exit("normal")', (self) => self.exit('normal')],
    ['exit("shutdown")', (self) => self.exit('shutdown')],
    ['exit({ shutdown })', (self) => self.exit({ shutdown: 'because' })],
    // BEAM: exit/1 of a plain process is not logged, whatever its reason; an error is.
    ['exit of any other reason', (self) => self.exit('done')],
    ['a kill from outside', (self) => self.exit(self.pid, 'kill')],
    ['an exit signal', (self) => self.exit(self.pid, 'boom')],
  ])('%s makes none', async (_what, body) => {
    lab.node.spawn(body)
    await lab.settle()
    expect(lab.reports('crash')).toEqual([])
    expect(lab.node.counters()).toMatchObject({ processesCrashed: 0, processesExited: 1 })
  })

  it('the end of those who are linked to a process that has crashed makes none of their own', async () => {
    const other = await lab.probe(false)
    lab.node.spawn((self) => {
      self.link(other.pid)
      throw new Error('broken')
    })
    await lab.settle()
    expect(lab.node.isProcessAlive(other.pid)).toBe(false)
    expect(lab.reports('crash')).toHaveLength(1)
  })

  it('the stop of a node makes none', async () => {
    await lab.probe(false)
    await lab.cluster.run(lab.node.stop())
    expect(lab.reports('crash')).toEqual([])
    expect(codeOf(() => lab.node.spawn(() => undefined))).toBe('ERR_NODE_STOPPED')
  })

  it('a handler process whose init gives no handler ends with an error that says so', async () => {
    const reason = await lab.endOf(() => lab.node.spawn(handler(() => undefined as never)))
    expect(reason).toMatchObject({ error: { code: 'ERR_BAD_ARGUMENT' } })
  })
})

describe('finish', () => {
  it('ends the process at once, with its reason for all who are told, and returns', async () => {
    const watcher = await lab.probe()
    let isAliveAfter: boolean | undefined
    const pid = lab.node.spawn(
      handler((self) => () => {
        self.finish({ done: 1 })
        isAliveAfter = self.isAlive
      }),
    )
    watcher.self.monitor(pid)
    lab.node.send(pid, 'go')
    await lab.settle()
    expect(isAliveAfter).toBe(false)
    expect(watcher.messages).toMatchObject([{ type: 'DOWN', reason: { done: 1 } }])
  })

  it('makes a crash report with what it is given besides, unless the reason is a quiet one', async () => {
    for (const reason of ['normal', 'shutdown', { shutdown: 'x' }, 'boom'])
      lab.node.spawn((self) => self.finish(reason, { server: 'mine' }))
    await lab.settle()
    expect(lab.cluster.log.lines.filter(({ message }) => message.includes('crashed'))).toMatchObject([
      { fields: { reason: 'boom', server: 'mine' } },
    ])
  })

  it('is not for code outside of processes', () => {
    expect(codeOf(() => lab.node.self.finish('normal'))).toBe('ERR_BAD_ARGUMENT')
  })
})

describe('awaitAnswer', () => {
  it('sends nothing: what is sent to the alias that it tells is the answer, and an end before it is told', async () => {
    const asker = await lab.probe()
    const target = await lab.probe()
    const answered = asker.self.awaitAnswer(
      target.pid,
      (replyTo) => lab.node.send(replyTo, 'here'),
      1_000,
      (outcome) => outcome,
    )
    const ended = asker.self.awaitAnswer(
      target.pid,
      () => undefined,
      1_000,
      (outcome) => outcome,
    )
    expect(await answered).toEqual({ type: 'reply', value: 'here' })
    lab.node.exit(target.pid, 'kill')
    expect(await ended).toEqual({ type: 'down', reason: 'killed' })
    await lab.settle()
    expect(target.messages).toEqual([])
  })

  it('that is answered, or whose process ends, while it tells leaves no monitor', async () => {
    const target = await lab.probe()
    const [asker, ending] = [await lab.probe(), await lab.probe()]
    const answered = asker.self.awaitAnswer(
      target.pid,
      (replyTo) => lab.node.send(replyTo, 'here'),
      1_000,
      (outcome) => outcome,
    )
    const cut = ending.self.awaitAnswer(
      target.pid,
      () => ending.self.finish('normal'),
      1_000,
      (outcome) => outcome,
    )
    expect(await answered).toEqual({ type: 'reply', value: 'here' })
    await expect(cut).rejects.toMatchObject({ code: 'ERR_PROCESS_EXITED' })
    expect(lab.node.processInfo(target.pid)?.monitoredBy).toEqual([])
    expect(lab.node.counters()).toMatchObject({ aliases: 0, timers: 0 })
  })
})

describe('requestAs', () => {
  const echo = handler((self) => (message) => {
    const { replyTo } = message as { readonly replyTo: Ref }
    self.send(replyTo, 7)
  })
  const ask = (self: Context, to: Pid, read: ReadOutcome<number>): Promise<number> =>
    self.requestAs(to, (replyTo) => ({ replyTo }), 1_000, read)

  const inTime = async <T>(promise: Promise<T>): Promise<T> => {
    await lab.settle()
    return promise
  }

  it('resolves with what its library makes of the outcome, a promise of it included', async () => {
    const asker = await lab.probe()
    const server = lab.node.spawn(echo)
    const numberOf = (outcome: RequestOutcome): number => (outcome.type === 'reply' ? Number(outcome.value) : -1)
    expect(await inTime(ask(asker.self, server, numberOf))).toBe(7)
    expect(await inTime(ask(asker.self, server, (outcome) => Promise.resolve(numberOf(outcome))))).toBe(7)
    lab.node.exit(server, 'kill')
    await lab.settle()
    expect(await inTime(ask(asker.self, server, numberOf))).toBe(-1)
  })

  it('rejects with the error of a failure, whose stack leads to who waits, and with what is thrown', async () => {
    const asker = await lab.probe()
    const server = lab.node.spawn(echo)
    const gone = await lab.dead()
    const waitInVain = async (): Promise<number> =>
      await ask(asker.self, gone, () => new Failure(() => new Error('no such thing')))
    const error: unknown = await inTime(waitInVain().catch((thrown: unknown) => thrown))
    expect(error).toMatchObject({ message: 'no such thing', stack: expect.stringContaining('waitInVain') })
    const thrown = ask(asker.self, server, () => {
      throw new Error('a bug')
    })
    await expect(inTime(thrown)).rejects.toThrow('a bug')
    const later = ask(asker.self, server, () => Promise.reject(new Error('later')))
    await expect(inTime(later)).rejects.toThrow('later')
  })

  it('that nobody waits for any more ends nothing when it fails', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    const asker = await lab.probe()
    const server = lab.node.spawn(echo)
    void ask(asker.self, await lab.dead(), () => new Failure(() => new Error('unheard')))
    void ask(asker.self, server, () => Promise.reject(new Error('unheard too')))
    await lab.settle()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })
})

describe('a request', () => {
  it('that is answered, or whose process ends, while it is built sends nothing, and leaves no monitor', async () => {
    const far = await lab.cluster.start('b')
    await lab.settle()
    const got: unknown[] = []
    const take = handler(() => (message) => void got.push(message))
    for (const [node, pid] of [
      [lab.node, lab.node.spawn(take)],
      [far, far.spawn(take)],
    ] as const) {
      const [asker, ending] = [await lab.probe(), await lab.probe()]
      const answered = asker.self.request(pid, (replyTo) => lab.node.send(replyTo, 'here'), 1_000)
      const cut = ending.self.request(pid, () => ending.self.finish('normal'), 1_000)
      expect(await answered).toEqual({ type: 'reply', value: 'here' })
      await expect(cut).rejects.toMatchObject({ code: 'ERR_PROCESS_EXITED' })
      await lab.advance(10)
      expect(lab.node.processInfo(asker.pid)?.monitors).toEqual([])
      expect(node.processInfo(pid)?.monitoredBy).toEqual([])
    }
    expect(got).toEqual([])
    expect(lab.node.counters()).toMatchObject({ aliases: 0, timers: 0 })
  })
})

describe('within', () => {
  it('gives what a promise settles with in time, or its rejection', async () => {
    const { self } = await lab.probe()
    expect(await self.within(Promise.resolve(7), 1_000)).toEqual({ type: 'value', value: 7 })
    await expect(self.within(Promise.reject(new Error('no')), 1_000)).rejects.toThrow('no')
    expect(lab.node.counters().timers).toBe(0)
  })

  it('gives up one that never settles, after its time or with its process, which takes nobody with it', async () => {
    const { self, pid } = await lab.probe(false)
    const never = new Promise<never>(() => undefined)
    const late = self.within(never, 100)
    await lab.advance(100)
    expect(await late).toEqual({ type: 'timeout' })
    const cut = self.within(never, Infinity)
    lab.node.exit(pid, 'kill')
    await expect(cut).rejects.toMatchObject({ code: 'ERR_PROCESS_EXITED' })
  })
})
