/**
 * A continuation that resumes when its process is dead: what it can still do is nothing that anyone else could notice.
 */
import { once } from 'node:events'
import { setTimeout as after } from 'node:timers/promises'
import { handler, ProcessExited, type Context, type Pid, type Ref } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { codeOf, gate, untyped, useLab, type Probe } from './probe.ts'

const lab = useLab()

const exited = expect.objectContaining({ code: 'ERR_PROCESS_EXITED' })

/** What the members of a context are given. */
interface Given {
  readonly other: Probe
  readonly ref: Ref
}

/**
 * Every member of `Context`, and what calls it with arguments that a living process may use. `acts`: throws ProcessExited when the process is dead;
 * `reads`: says what it knows, changes nothing, and goes on to work.
 */
const MEMBERS: Readonly<
  Record<
    string,
    | { readonly acts: (self: Context, given: Given) => unknown }
    | { readonly reads: (self: Context, given: Given) => unknown }
  >
> = {
  'get pid': { reads: (self) => self.pid },
  'get node': { reads: (self) => self.node },
  'get isAlive': { reads: (self) => self.isAlive },
  'get log': { reads: (self) => self.log.debug({}, 'from the dead') },
  'get signal': { reads: (self) => self.signal },
  'get label': { reads: (self) => self.label },
  'get telemetry': { reads: (self) => self.telemetry },
  'get trapExit': { reads: (self) => self.trapExit },
  whereis: { reads: (self) => self.whereis('other') },
  registered: { reads: (self) => self.registered() },
  nodes: { reads: (self) => self.nodes() },
  processes: { reads: (self) => self.processes() },
  isProcessAlive: { reads: (self, { other }) => self.isProcessAlive(other.pid) },
  processInfo: { reads: (self, { other }) => self.processInfo(other.pid) },
  monotonicMs: { reads: (self) => self.monotonicMs() },
  readTimer: { reads: (self, { ref }) => self.readTimer(ref) },

  'set label': { acts: (self) => (self.label = 'ghost') },
  'set trapExit': { acts: (self) => (self.trapExit = true) },
  send: { acts: (self, { other }) => self.send(other.pid, 'from the dead') },
  sendAll: { acts: (self, { other }) => self.sendAll([other.pid], 'from the dead') },
  sendOk: { acts: (self, { other }) => self.sendOk(other.pid, 'from the dead') },
  receive: { acts: (self) => self.receive({ timeoutMs: 0 }) },
  exit: { acts: (self, { other }) => self.exit(other.pid, 'kill') },
  link: { acts: (self, { other }) => self.link(other.pid) },
  unlink: { acts: (self, { other }) => self.unlink(other.pid) },
  monitor: { acts: (self, { other }) => self.monitor(other.pid) },
  demonitor: { acts: (self, { ref }) => self.demonitor(ref) },
  alias: { acts: (self) => self.alias() },
  makeRef: { acts: (self) => self.makeRef() },
  tagRemote: { acts: (self) => self.tagRemote((message) => message) },
  drained: { acts: (self, { other }) => self.drained(other.pid.node) },
  unalias: { acts: (self, { ref }) => self.unalias(ref) },
  spawn: { acts: (self) => self.spawn(() => undefined) },
  spawnLink: { acts: (self) => self.spawnLink(() => undefined) },
  spawnMonitor: { acts: (self) => self.spawnMonitor(() => undefined) },
  register: { acts: (self, { other }) => self.register('ghost', other.pid) },
  unregister: { acts: (self) => self.unregister('other') },
  sendAfter: { acts: (self, { other }) => self.sendAfter(1, other.pid, 'from the dead') },
  startTimer: { acts: (self, { other }) => self.startTimer(1, other.pid, 'from the dead') },
  cancelTimer: { acts: (self, { ref }) => self.cancelTimer(ref) },
  attachTelemetry: { acts: (self) => self.attachTelemetry(() => undefined) },
  instrumentTelemetry: { acts: (self) => self.instrumentTelemetry((_, run) => run()) },
  attachRoot: { acts: (self) => self.attachRoot(async () => undefined) },
  perNode: { acts: (self) => self.perNode(class {}) },
  attachTable: {
    acts: (self) => self.attachTable({ onProcessEnd: () => undefined, onNodeDown: () => undefined }),
  },
  inMessageContext: { acts: (self) => self.inMessageContext(() => undefined) },
  keepContext: { acts: (self) => self.keepContext() },
  monitorNodes: { acts: (self) => self.monitorNodes(true) },
  monitorNode: { acts: (self) => self.monitorNode(self.node, true) },
  request: { acts: (self, { other }) => self.request(other.pid, () => 'from the dead', 1_000) },
  requestAs: { acts: (self, { other }) => self.requestAs(other.pid, () => 'from the dead', 1_000, String) },
  awaitDown: { acts: (self, { other }) => self.awaitDown(other.pid, 1_000) },
  awaitAnswer: { acts: (self, { other }) => self.awaitAnswer(other.pid, () => undefined, 1_000, String) },
  refuse: { acts: (self) => self.refuse(self.pid as never, 'late') },
  within: { acts: (self) => self.within(Promise.resolve(1), 1_000) },
  finish: { acts: (self) => self.finish('late') },
  openRequest: { acts: (self, { other }) => self.openRequest(other.pid, () => 'from the dead') },
  awaitAny: { acts: (self) => self.awaitAny([], 1_000) },
}

/** Not public. */
const INNER = ['constructor', 'isOurs', 'living', 'openAlias', 'startTimerOf', 'tooLate']

const ACTS = Object.entries(MEMBERS).flatMap(([name, member]) =>
  'acts' in member ? [[name, member.acts] as const] : [],
)
const READS = Object.entries(MEMBERS).flatMap(([name, member]) =>
  'reads' in member ? [[name, member.reads] as const] : [],
)

/** All that a context offers, from its prototypes: getters and setters one by one. */
function membersOf(context: Context): string[] {
  const ofContext = Object.getPrototypeOf(context) as object
  const ofLibraries = Object.getPrototypeOf(ofContext) as object
  const all = [ofContext, ofLibraries].flatMap((prototype) =>
    Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([name, { get, set }]) =>
      get === undefined && set === undefined
        ? [name]
        : [...(get === undefined ? [] : [`get ${name}`]), ...(set === undefined ? [] : [`set ${name}`])],
    ),
  )
  return [...new Set(all)]
}

/** What a process has that dies while its code waits for something of its own. */
async function deadWhile(prepare: (self: Context) => void): Promise<Context> {
  const self = await lab.deaf()
  prepare(self)
  lab.node.exit(self.pid, 'kill')
  return self
}

describe('Processes and exit: A process that is dead can do nothing', () => {
  it('every member of a context is in the table of this test, and none else', () => {
    expect(membersOf(lab.node.self).sort()).toEqual([...Object.keys(MEMBERS), ...INNER].sort())
  })

  it.each(ACTS)(
    'a continuation that resumes after its process has exited must not be able to act as that process (a clear `ProcessExited` error): %s',
    async (_name, act) => {
      const other = await lab.probe()
      other.self.register('other')
      const { opened, open } = gate()
      let outcome: unknown = 'not resumed'
      const pid = lab.node.spawn(async (self) => {
        const ref = self.sendAfter(10, other.pid, 'started by the living')
        await opened
        outcome = 'it could'
        try {
          await act(self, { other, ref })
        } catch (error) {
          outcome = error
        }
      })
      await lab.settle()
      lab.node.exit(pid, 'kill')
      const before = { counters: lab.node.counters(), processes: lab.node.processes(), names: lab.node.registered() }
      open()
      await lab.settle()
      expect(outcome).toBeInstanceOf(ProcessExited)
      expect(outcome).toMatchObject({ code: 'ERR_PROCESS_EXITED', message: expect.stringContaining(String(pid)) })
      const { turns } = lab.node.counters()
      expect(lab.node.counters()).toEqual({ ...before.counters, turns })
      expect(lab.node.processes()).toEqual(before.processes)
      expect(lab.node.registered()).toEqual(before.names)
      expect(lab.node.processInfo(other.pid)).toMatchObject({ links: [], monitors: [], monitoredBy: [] })
      await lab.advance(100)
      expect(other.messages).toEqual(['started by the living'])
    },
  )

  it.each(READS)('what only reads goes on to work, and changes nothing: %s', async (_name, read) => {
    const other = await lab.probe()
    other.self.register('other')
    const ref = other.self.sendAfter(10, other.pid, 'x')
    const self = await deadWhile(() => undefined)
    const before = lab.node.counters()
    expect(codeOf(() => read(self, { other, ref }))).toBe('nothing thrown')
    expect(lab.node.counters()).toEqual(before)
  })

  it('what it reads is true of the dead', async () => {
    const self = await deadWhile((living) => {
      living.label = 'late'
    })
    expect(self).toMatchObject({ isAlive: false, label: 'late', node: lab.node.name })
    expect(self.isProcessAlive(self.pid)).toBe(false)
    expect(self.processInfo(self.pid)).toBeUndefined()
    expect(self.processes()).not.toContainEqual(self.pid)
    expect(self.signal.aborted).toBe(true)
  })

  it('`exit(reason)` too throws what says that it has ended, not an exit', async () => {
    const self = await deadWhile(() => undefined)
    expect(codeOf(() => self.exit('again'))).toBe('ERR_PROCESS_EXITED')
  })

  it('with bad arguments, too, it can do nothing', async () => {
    const self = await deadWhile(() => undefined)
    for (const act of [
      () => self.send(untyped(undefined), 1),
      () => self.link(untyped(7)),
      () => self.spawn(untyped(7)),
      () => self.register(untyped(7)),
    ])
      expect(codeOf(act)).toMatch(/^ERR_(PROCESS_EXITED|BAD_ARGUMENT)$/)
  })

  it.each<[string, (self: Context, mute: Pid) => Promise<unknown>]>([
    ['receives', (self) => self.receive()],
    ['requests', (self, mute) => self.request(mute, () => 'x', 1_000)],
    ['sends and waits', (self, mute) => self.sendOk(mute, 'x')],
  ])('a loop that %s, and catches every error, does not take the OS process for itself', async (_what, wait) => {
    const mute = lab.node.spawn(handler(() => () => undefined))
    let rounds = 0
    const killed = lab.node.spawn(async (self) => {
      for (;;) {
        try {
          await self.receive()
          await wait(self, mute)
        } catch {
          rounds++
        }
      }
    })
    await lab.settle()
    lab.node.exit(killed, 'kill')
    await lab.settle()
    expect(rounds).toBe(100)
    const late = lab.node.spawn(async (self) => {
      self.exit(self.pid, 'kill')
      for (;;) await wait(self, mute).catch(() => rounds++)
    })
    await lab.settle()
    expect(lab.node.isProcessAlive(late)).toBe(false)
    // Told a hundred times, and then let wait for ever.
    expect(rounds).toBe(199)
    const warnings = lab.cluster.log.lines.filter((line) => line.level === 'warn')
    expect(warnings.map((line) => line.fields['pid'])).toEqual([String(killed), String(late)])
  })

  it('a callback that the process left behind throws, and harms nobody else', async () => {
    const other = await lab.probe()
    const callbacks: (() => void)[] = []
    lab.node.spawn((self) => void callbacks.push(() => void self.send(other.pid, 'left behind')))
    await lab.settle()
    expect(callbacks.map(codeOf)).toEqual(['ERR_PROCESS_EXITED'])
    await lab.settle()
    expect(other.messages).toEqual([])
  })

  it.each(['it returned', 'it threw', 'it was killed', 'a link ended it', 'the node was stopped'])(
    'whatever it died of: %s',
    async (how) => {
      const contexts: Context[] = []
      const peer = await lab.probe(false)
      const pid = lab.node.spawn(async (self) => {
        contexts.push(self)
        if (how === 'it returned') return
        if (how === 'it threw') throw new Error('x')
        self.link(peer.pid)
        await new Promise(() => undefined)
      })
      await lab.settle()
      if (how === 'it was killed') lab.node.exit(pid, 'kill')
      if (how === 'a link ended it') lab.node.exit(peer.pid, 'boom')
      if (how === 'the node was stopped') await lab.cluster.run(lab.node.stop())
      expect(contexts.map((self) => codeOf(() => self.send(self.pid, 1)))).toEqual(['ERR_PROCESS_EXITED'])
    },
  )

  it('the main process of a node that has been stopped says so: ERR_NODE_STOPPED', async () => {
    const other = await lab.probe()
    const given = { other, ref: lab.node.self.alias() }
    await lab.cluster.run(lab.node.stop())
    for (const [name, act] of ACTS) {
      const outcome = await Promise.resolve()
        .then(() => act(lab.node.self, given))
        .catch((error: { code: unknown }) => error.code)
      expect(outcome, name).toBe('ERR_NODE_STOPPED')
    }
  })
})

describe('Processes and exit: its pending `receive` and `call` reject', () => {
  it.each<[string, (self: Context, mute: Pid) => Promise<unknown>]>([
    ['a receive', (self) => self.receive()],
    ['a receive with a timeout', (self) => self.receive('tag', { timeoutMs: 1_000 })],
    ['a receive of what is there, its turn not yet come', (self) => self.receive({ timeoutMs: 0 })],
    ['a request', (self, mute) => self.request(mute, () => 'x', Infinity)],
    ['a wait for an end', (self, mute) => self.awaitDown(mute, Infinity)],
    ['an open request', (self, mute) => self.awaitAny([self.openRequest(mute, () => 'x')], Infinity)],
    ['an open request with a timeout', (self, mute) => self.awaitAny([self.openRequest(mute, () => 'x')], 1_000)],
    ['a request with a timeout', (self, mute) => self.request(mute, () => 'x', 1_000)],
  ])('%s, with ERR_PROCESS_EXITED, at once, and leaves nothing', async (_what, wait) => {
    const mute = lab.node.spawn(handler(() => () => undefined))
    const self = await lab.deaf()
    let outcome: unknown = 'pending'
    const waiting = wait(self, mute).catch((error: unknown) => {
      outcome = error
    })
    lab.node.exit(self.pid, 'kill')
    await waiting
    expect(outcome).toBeInstanceOf(ProcessExited)
    expect(outcome).toEqual(exited)
    expect(lab.node.counters()).toMatchObject({ timers: 0, aliases: 0 })
    expect(lab.node.processInfo(mute)?.monitoredBy).toEqual([])
    await lab.advance(2_000)
  })

  it('a message that came before the end is not given to a receive after it', async () => {
    let got: unknown = 'pending'
    const self = await lab.deaf()
    const receiving = self.receive().then(
      (message) => {
        got = message
      },
      (error: unknown) => {
        got = error
      },
    )
    lab.node.send(self.pid, 'its turn has not come')
    lab.node.exit(self.pid, 'kill')
    await receiving
    expect(got).toEqual(exited)
  })

  it('ten requests at once all reject', async () => {
    const mute = lab.node.spawn(handler(() => () => undefined))
    const self = await lab.deaf()
    const outcomes = Promise.allSettled(Array.from({ length: 10 }, () => self.request(mute, () => 'x', 1_000)))
    expect(lab.node.counters()).toMatchObject({ timers: 10, aliases: 10 })
    lab.node.exit(self.pid, 'kill')
    expect((await outcomes).map(({ status }) => status)).toEqual(Array<string>(10).fill('rejected'))
    expect(lab.node.counters()).toMatchObject({ timers: 0, aliases: 0 })
  })

  it('a continuation that is not caught makes no fault of the OS process', async () => {
    const mute = lab.node.spawn(handler(() => () => undefined))
    const faults = await faultsOf(async () => {
      const pids = [
        lab.node.spawn(async (self) => void (await self.receive())),
        lab.node.spawn(async (self) => void (await self.request(mute, () => 'x', 1_000))),
        lab.node.spawn(async (self) => {
          await Promise.all([self.receive(), self.request(mute, () => 'x', 1_000)])
        }),
        lab.node.spawn(handler((self) => async () => void (await self.request(mute, () => 'x', 1_000)))),
      ]
      for (const pid of pids) lab.node.send(pid, { type: 'unmatched' })
      await lab.settle()
      for (const pid of pids) lab.node.exit(pid, 'kill')
      await lab.settle()
    })
    expect(faults).toEqual([])
    expect(lab.reports('crash')).toEqual([])
  })

  it('one that nobody waits for any more does not end the OS process when its process has ended', async () => {
    const silent = await lab.probe()
    const faults = await faultsOf(async () => {
      lab.node.spawn((self) => void self.receive())
      lab.node.spawn((self) => void self.request(silent.pid, () => 'anybody?', 1_000))
      await lab.settle()
    })
    expect(faults).toEqual([])
  })
})

describe('Processes and exit: timers and aliases of the dead', () => {
  it('timers with the dead pid as target never fire, and are gone from the counters', async () => {
    const other = await lab.probe()
    const self = await deadWhile((living) => {
      living.sendAfter(10, living.pid, 'own')
      living.startTimer(10, living.pid, 'own')
      other.self.sendAfter(10, living.pid, "another's")
      lab.node.self.startTimer(10, living.pid, "the main process's")
      expect(lab.node.counters().timers).toBe(4)
    })
    expect(lab.node.counters().timers).toBe(0)
    const { messagesDelivered } = lab.node.counters()
    await lab.advance(100)
    expect(lab.node.counters().messagesDelivered).toBe(messagesDelivered)
    expect(self.isAlive).toBe(false)
  })

  it('its aliases are closed: its own, those of its monitors and those of its requests', async () => {
    const mute = await lab.probe()
    const refs: Ref[] = []
    await deadWhile((living) => {
      refs.push(
        living.alias(),
        living.alias({ reply: true }),
        living.monitor(mute.pid, { alias: 'explicit_unalias' }),
        living.monitor(mute.pid, { alias: 'demonitor' }),
      )
      living.request(mute.pid, (ref) => refs.push(ref), 1_000).catch(() => undefined)
      expect(lab.node.counters().aliases).toBe(5)
    })
    expect(lab.node.counters().aliases).toBe(0)
    expect(refs.map((ref) => lab.node.send(ref, 'late'))).toEqual(Array<string>(5).fill('ok'))
  })

  it('a process that has ended gets no `nodeup` and no `nodedown`', async () => {
    await deadWhile((living) => living.monitorNodes(true))
    const { messagesDelivered } = lab.node.counters()
    await lab.cluster.start('b')
    await lab.advance(10)
    expect(lab.node.nodes()).toHaveLength(1)
    expect(lab.node.counters().messagesDelivered).toBe(messagesDelivered)
  })
})

describe('Processes and exit: an `AbortSignal` that the process offers for its I/O is aborted', () => {
  it('exactly once, with the ProcessExited as its reason', async () => {
    const events: Event[] = []
    const self = await deadWhile((living) => {
      expect(living.signal.aborted).toBe(false)
      living.signal.addEventListener('abort', (event) => events.push(event))
    })
    lab.node.exit(self.pid, 'kill')
    await lab.cluster.run(lab.node.stop())
    expect(events.map(({ type, target }) => [type, target])).toEqual([['abort', self.signal]])
    expect(self.signal.reason).toBeInstanceOf(ProcessExited)
    expect(codeOf(() => self.signal.throwIfAborted())).toBe('ERR_PROCESS_EXITED')
  })

  it('is one signal, however often it is asked for', async () => {
    const self = await lab.deaf()
    expect(self.signal).toBe(self.signal)
    expect(self.signal).toBeInstanceOf(AbortSignal)
  })

  it('also if it is asked for when the process has ended already', async () => {
    const self = await deadWhile(() => undefined)
    expect(self.signal.aborted).toBe(true)
    expect(self.signal.reason).toBeInstanceOf(ProcessExited)
  })

  it('the signal of the main process is aborted with the stop of the node', async () => {
    const { signal } = lab.node.self
    expect(signal.aborted).toBe(false)
    await lab.cluster.run(lab.node.stop())
    expect(signal.aborted).toBe(true)
  })

  it('after the releases, and before anyone on another process is told', async () => {
    const { node } = lab
    const watcher = await lab.deaf()
    const target = await lab.probe()
    const seen: unknown[] = []
    const self = await deadWhile((living) => {
      living.register('victim')
      living.alias()
      living.sendAfter(1_000, living.pid, 'never')
      living.monitor(target.pid)
      watcher.monitor(living.pid)
      watcher.link(living.pid)
      living.signal.addEventListener('abort', () => {
        const { timers, aliases, registeredNames } = node.counters()
        seen.push({ timers, aliases, registeredNames })
        seen.push(node.isProcessAlive(living.pid), node.whereis('victim'), node.processInfo(target.pid)?.monitoredBy)
        seen.push(codeOf(() => living.send(watcher.pid, 'from the dead')))
        seen.push(lab.mailboxOf(watcher.pid))
      })
    })
    expect(seen).toEqual([
      { timers: 0, aliases: 0, registeredNames: 0 },
      false,
      undefined,
      [],
      'ERR_PROCESS_EXITED',
      [],
    ])
    expect(self.isAlive).toBe(false)
    expect(lab.mailboxOf(watcher.pid)).toMatchObject([{ type: 'EXIT' }, { type: 'DOWN' }])
  })

  it('its code sees it aborted when its receive rejects', async () => {
    const seen: unknown[] = []
    const pid = lab.node.spawn(async (self) => {
      const { signal } = self
      await self.receive().catch(() => seen.push(signal.aborted))
    })
    await lab.settle()
    lab.node.exit(pid, 'kill')
    await lab.settle()
    expect(seen).toEqual([true])
  })
})

describe('the abort signal, whose listeners are user code', () => {
  const throwing: readonly (readonly [string, (signal: AbortSignal) => void])[] = [
    [
      'a function that throws',
      (signal) =>
        signal.addEventListener('abort', () => {
          throw new Error('listener')
        }),
    ],
    [
      'an async function that rejects',
      (signal) =>
        signal.addEventListener(
          'abort',
          untyped(async () => Promise.reject(new Error('listener'))),
        ),
    ],
    [
      'onabort that throws',
      (signal) => {
        signal.onabort = () => {
          throw new Error('listener')
        }
      },
    ],
    [
      'an object whose handleEvent throws',
      (signal) =>
        signal.addEventListener('abort', {
          handleEvent: () => {
            throw new Error('listener')
          },
        }),
    ],
    [
      'an object whose handleEvent cannot be read',
      (signal) =>
        signal.addEventListener(
          'abort',
          untyped(
            Object.defineProperty({}, 'handleEvent', {
              get: () => {
                throw new Error('listener')
              },
            }),
          ),
        ),
    ],
  ]

  it.each(throwing)('%s is logged (`abort_listener`) and harms nobody', async (_what, listen) => {
    const watcher = await lab.probe()
    const called: string[] = []
    const faults = await faultsOf(async () => {
      const self = await lab.deaf()
      self.label = 'the ended'
      watcher.self.monitor(self.pid)
      self.signal.addEventListener('abort', () => called.push('before'))
      listen(self.signal)
      self.signal.addEventListener('abort', () => called.push('after'))
      expect(() => lab.node.exit(self.pid, 'kill')).not.toThrow()
      await lab.settle()
    })
    expect(faults).toEqual([])
    expect(called).toEqual(['before', 'after'])
    expect(watcher.messages).toMatchObject([{ type: 'DOWN', reason: 'killed' }])
    expect(lab.reports('abort_listener')).toMatchObject([
      { level: 'error', fields: { label: 'the ended', reason: { name: 'Error', message: 'listener' } } },
    ])
    expect(lab.reports('crash')).toEqual([])
  })

  it.each([undefined, null, Symbol('s'), Object.create(null), new Proxy({}, { get: () => untyped(null) })])(
    'a listener that throws what no one should harms nobody: case %#',
    async (thrown: unknown) => {
      const faults = await faultsOf(async () => {
        await deadWhile((self) => {
          self.signal.addEventListener('abort', () => {
            throw thrown
          })
          self.signal.addEventListener(
            'abort',
            untyped(() => Promise.reject(thrown)),
          )
        })
        await lab.settle()
      })
      expect(faults).toEqual([])
      expect(lab.reports('abort_listener')).toHaveLength(2)
    },
  )

  it('a listener may end other processes, and spawn as another', async () => {
    const bystander = await lab.probe()
    const other = await lab.probe(false)
    await deadWhile((self) => {
      bystander.self.monitor(self.pid)
      bystander.self.monitor(other.pid)
      self.signal.addEventListener('abort', () => {
        lab.node.exit(other.pid, 'boom')
        lab.node.spawn(() => undefined)
      })
    })
    await lab.settle()
    expect(bystander.messages).toMatchObject([
      { type: 'DOWN', pid: other.pid, reason: 'boom' },
      { type: 'DOWN', reason: 'killed' },
    ])
  })

  it('a listener that was removed is not called; one that was added twice is called once', async () => {
    const called: string[] = []
    const removed = (): void => void called.push('removed')
    const twice = (): void => void called.push('twice')
    const object = { handleEvent: (): void => void called.push('object') }
    const removedObject = { handleEvent: (): void => void called.push('removed object') }
    await deadWhile(({ signal }) => {
      for (const listener of [removed, twice, twice, object, removedObject]) signal.addEventListener('abort', listener)
      signal.removeEventListener('abort', removed)
      signal.removeEventListener('abort', removedObject)
    })
    expect(called).toEqual(['twice', 'object'])
  })

  it('a listener that was added for capture is removed for capture only', async () => {
    const called: string[] = []
    const listener = (): void => void called.push('called')
    await deadWhile(({ signal }) => {
      signal.addEventListener('abort', listener, { capture: true })
      signal.removeEventListener('abort', listener)
    })
    expect(called).toEqual(['called'])
  })

  it('a `once` listener can be removed, and one with a signal of its own goes with that', async () => {
    const called: string[] = []
    const own = new AbortController()
    const removed = (): void => void called.push('removed')
    await deadWhile(({ signal }) => {
      signal.addEventListener('abort', removed, { once: true })
      signal.removeEventListener('abort', removed)
      signal.addEventListener('abort', () => called.push('gone'), { signal: own.signal })
      signal.addEventListener('abort', () => called.push('once'), { once: true })
      own.abort()
    })
    expect(called).toEqual(['once'])
  })

  it('`this` and the event are what they are of any signal', async () => {
    const seen: unknown[] = []
    const self = await deadWhile(({ signal }) => {
      signal.addEventListener('abort', function listener(this: AbortSignal, event: Event) {
        seen.push(this, event.type, event.currentTarget)
      })
    })
    expect(seen).toEqual([self.signal, 'abort', self.signal])
  })

  it('`onabort` reads as it was set, replaces the one before, and is taken back with null', async () => {
    const called: string[] = []
    const first = (): void => void called.push('first')
    const second = (): void => void called.push('second')
    await deadWhile(({ signal }) => {
      expect(signal.onabort).toBeNull()
      signal.onabort = first
      signal.onabort = second
      expect(signal.onabort).toBe(second)
    })
    await deadWhile(({ signal }) => {
      signal.onabort = first
      signal.onabort = null
      expect(signal.onabort).toBeNull()
    })
    expect(called).toEqual(['second'])
  })

  it('`AbortSignal.any` of it is aborted with its reason', async () => {
    const any: AbortSignal[] = []
    const self = await deadWhile(({ signal }) => {
      any.push(AbortSignal.any([signal, new AbortController().signal]))
    })
    expect(any.map(({ aborted, reason }) => [aborted, reason as unknown])).toEqual([[true, self.signal.reason]])
  })

  it('what waits with it ends: events.once, timers/promises, and what listens as fetch does', async () => {
    const outcomes: Promise<unknown>[] = []
    await deadWhile(({ signal }) => {
      outcomes.push(
        once(new EventTarget(), 'never', { signal }),
        after(60_000, undefined, { signal }),
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
        }),
      )
    })
    const settled = await Promise.allSettled(outcomes)
    expect(settled).toMatchObject([
      { status: 'rejected', reason: { name: 'AbortError', cause: exited } },
      { status: 'rejected', reason: { name: 'AbortError', cause: exited } },
      { status: 'rejected', reason: exited },
    ])
  })

  it('what is given the signal of a process that has ended ends at once', async () => {
    const self = await deadWhile(() => undefined)
    await expect(after(60_000, undefined, { signal: self.signal })).rejects.toMatchObject({ name: 'AbortError' })
    await expect(fetch('http://127.0.0.1:1', { signal: self.signal })).rejects.toEqual(exited)
  })
})
