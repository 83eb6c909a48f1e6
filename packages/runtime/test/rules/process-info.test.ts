import { handler, type Context, type ProcessInfo, type ProcessStatus } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { codeOf, gate, useLab } from './probe.ts'

const lab = useLab()

/** Of a living process. */
function infoOf({ pid }: { readonly pid: Context['pid'] }, options?: { readonly messages: number }): ProcessInfo {
  const info = lab.node.processInfo(pid, options)
  if (info === undefined) throw new Error(`${pid} has ended`)
  return info
}

describe('`processInfo`', () => {
  it('of a process that does nothing: every field', async () => {
    const { pid } = await lab.probe(false)
    expect(infoOf({ pid })).toEqual({
      pid,
      registeredName: undefined,
      label: undefined,
      status: 'waiting',
      trapExit: false,
      links: [],
      monitors: [],
      monitoredBy: [],
      messageQueueLength: 0,
      messages: [],
      reductions: 1,
      timers: 0,
      aliases: 0,
      memoryBytes: expect.any(Number),
    })
  })

  it('of a process that has ended is undefined', async () => {
    expect(lab.node.processInfo(await lab.dead())).toBeUndefined()
  })

  it('of a process of another node is an error: only that node knows', async () => {
    const b = await lab.cluster.start('b')
    const remote = b.spawn(handler(() => () => undefined))
    expect(codeOf(() => lab.node.processInfo(remote))).toBe('ERR_BAD_ARGUMENT')
    expect(codeOf(() => lab.node.isProcessAlive(remote))).toBe('ERR_BAD_ARGUMENT')
  })

  it('is a snapshot: what comes later does not change it', async () => {
    const self = await lab.deaf()
    const other = await lab.probe()
    const info = infoOf(self, { messages: 10 })
    self.link(other.pid)
    self.monitor(other.pid)
    lab.node.send(self.pid, 1)
    expect(info).toMatchObject({ links: [], monitors: [], messageQueueLength: 0, messages: [] })
  })

  it('`registeredName`: the name that it has now', async () => {
    const a = await lab.probe()
    a.self.register('a')
    expect(infoOf(a).registeredName).toBe('a')
    a.self.unregister('a')
    expect(infoOf(a).registeredName).toBeUndefined()
  })

  it('`label`: set by the process or by the option of its spawn, and taken back with undefined', async () => {
    const pid = lab.node.spawn(
      handler((self) => () => {
        self.label = undefined
      }),
      { label: 'one' },
    )
    expect(infoOf({ pid }).label).toBe('one')
    lab.node.send(pid, 'go')
    await lab.settle()
    expect(infoOf({ pid }).label).toBeUndefined()
    const a = await lab.probe()
    a.self.label = 'two'
    expect([a.self.label, infoOf(a).label]).toEqual(['two', 'two'])
    a.self.label = ''
    expect(a.self.label).toBe('')
  })

  it('a label is no address: many may have one, and nobody can be reached by it', async () => {
    for (let i = 0; i < 2; i++)
      lab.node.spawn(
        handler(() => () => undefined),
        { label: 'same' },
      )
    expect(codeOf(() => lab.node.send('same', 1))).toBe('ERR_NOT_REGISTERED')
  })

  it('`trapExit`: as it is now', async () => {
    const a = await lab.probe(true)
    expect(infoOf(a).trapExit).toBe(true)
    a.self.trapExit = false
    expect(infoOf(a).trapExit).toBe(false)
  })

  it.each<[ProcessStatus, string, (look: (self: Context) => void) => void]>([
    ['running', 'of a function that asks of itself', (look) => void lab.node.spawn((self) => look(self))],
    [
      'running',
      'of a handler that asks of itself',
      (look) => {
        const pid = lab.node.spawn(handler((self) => () => look(self)))
        lab.node.send(pid, 1)
      },
    ],
  ])('`status`: %s %s', async (status, _what, run) => {
    const seen: unknown[] = []
    run((self) => void seen.push(infoOf(self).status))
    await lab.settle()
    expect(seen).toEqual([status])
  })

  it('`status`: runnable before its first turn, and while a message waits for its turn', async () => {
    const pid = lab.node.spawn(handler(() => () => undefined))
    expect(infoOf({ pid }).status).toBe('runnable')
    await lab.settle()
    expect(infoOf({ pid }).status).toBe('waiting')
    lab.node.send(pid, 1)
    expect(infoOf({ pid }).status).toBe('runnable')
  })

  it('`status`: waiting for a message, in a handler or a receive', async () => {
    const a = await lab.probe()
    const b = lab.node.spawn(async (self) => void (await self.receive('tag')))
    await lab.settle()
    lab.node.send(b, 'no tag')
    await lab.settle()
    expect([infoOf(a).status, infoOf({ pid: b }).status]).toEqual(['waiting', 'waiting'])
  })

  it('`status`: awaiting a promise of its own code, in a function, an init or a handler', async () => {
    const { opened, open } = gate()
    const pids = [
      lab.node.spawn(async () => opened),
      lab.node.spawn(
        handler(async () => {
          await opened
          return () => undefined
        }),
      ),
      lab.node.spawn(handler(() => async () => opened)),
    ]
    for (const pid of pids) lab.node.send(pid, 1)
    await lab.settle()
    expect(pids.map((pid) => infoOf({ pid }).status)).toEqual(['awaiting', 'awaiting', 'awaiting'])
    open()
    await lab.settle()
    expect(pids.map((pid) => lab.node.processInfo(pid)?.status)).toEqual([undefined, 'waiting', 'waiting'])
  })

  it('`links`: both sides, each once, until one ends or unlinks', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    const c = await lab.probe()
    for (const { pid } of [b, b, c]) a.self.link(pid)
    expect(infoOf(a).links).toEqual([b.pid, c.pid])
    expect(infoOf(b).links).toEqual([a.pid])
    b.self.unlink(a.pid)
    lab.node.exit(c.pid, 'kill')
    expect(infoOf(a).links).toEqual([])
  })

  it('`monitors` and `monitoredBy`: one for each monitor, a pid or the name that was given', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    b.self.register('b')
    a.self.monitor(b.pid)
    a.self.monitor('b')
    const ref = a.self.monitor({ name: 'b', node: lab.node.name })
    const name = { name: 'b', node: lab.node.name }
    expect(infoOf(a).monitors).toEqual([b.pid, name, name])
    expect(infoOf(b).monitoredBy).toEqual([a.pid, a.pid, a.pid])
    expect(infoOf(b).monitors).toEqual([])
    a.self.demonitor(ref)
    expect(infoOf(a).monitors).toEqual([b.pid, name])
    expect(infoOf(b).monitoredBy).toHaveLength(2)
    lab.node.exit(b.pid, 'kill')
    expect(infoOf(a).monitors).toEqual([])
  })

  it('`monitors`: a request that waits for its reply is among them', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    const outcome = a.self.request(b.pid, () => 'x', 10)
    expect(infoOf(a).monitors).toEqual([b.pid])
    expect(infoOf(b).monitoredBy).toEqual([a.pid])
    await lab.advance(10)
    expect(await outcome).toEqual({ type: 'timeout' })
    expect(infoOf(a).monitors).toEqual([])
  })

  it('`messageQueueLength` and `messages`: the oldest, as many as are asked for; none by default', async () => {
    const self = await lab.deaf()
    for (const message of ['a', undefined, 'c']) lab.node.send(self.pid, message)
    expect(infoOf(self)).toMatchObject({ messageQueueLength: 3, messages: [] })
    for (const messages of [0, 1, 2, 3, 4, Infinity])
      expect(infoOf(self, { messages }).messages).toEqual(['a', undefined, 'c'].slice(0, messages))
  })

  it('`messages`: to look takes nothing out', async () => {
    const { opened, open } = gate()
    const got: unknown[] = []
    const pid = lab.node.spawn(async (self) => {
      await opened
      got.push(await self.receive(), await self.receive())
    })
    for (const message of [1, 2]) lab.node.send(pid, message)
    await lab.settle()
    expect(lab.mailboxOf(pid)).toEqual([1, 2])
    open()
    await lab.settle()
    expect(got).toEqual([1, 2])
  })

  it('`reductions` grow with each message that is handled, and only with that', async () => {
    const a = await lab.probe()
    const before = infoOf(a).reductions
    await lab.advance(1_000)
    expect(infoOf(a).reductions).toBe(before)
    for (let i = 0; i < 10; i++) lab.node.send(a.pid, i)
    await lab.settle()
    expect(infoOf(a).reductions).toBe(before + 10)
  })

  it('`reductions` grow with each message that is received', async () => {
    const pid = lab.node.spawn(async (self) => {
      for (;;) await self.receive()
    })
    await lab.settle()
    const before = infoOf({ pid }).reductions
    for (let i = 0; i < 10; i++) lab.node.send(pid, i)
    await lab.settle()
    expect(infoOf({ pid }).reductions).toBeGreaterThanOrEqual(before + 10)
  })

  it('`timers`: those that send to it by its pid, whoever started them', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    const ref = a.self.sendAfter(10, b.pid, 'x')
    lab.node.self.startTimer(20, b.pid, 'x')
    b.self.sendAfter(20, 'name', 'x')
    expect([infoOf(a).timers, infoOf(b).timers]).toEqual([0, 2])
    a.self.cancelTimer(ref)
    expect(infoOf(b).timers).toBe(1)
    await lab.advance(20)
    expect(infoOf(b).timers).toBe(0)
  })

  it('`aliases`: those that are open, of pending requests not included', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    const ref = a.self.alias()
    a.self.monitor(b.pid, { alias: 'demonitor' })
    a.self.request(b.pid, () => 'x', 1_000).catch(() => undefined)
    expect(infoOf(a).aliases).toBe(2)
    a.self.unalias(ref)
    expect(infoOf(a).aliases).toBe(1)
  })

  it('`memoryBytes` grows with the mailbox, links, monitors and timers, and shrinks when they are gone', async () => {
    const self = await lab.deaf()
    const other = await lab.probe()
    const sizes = [infoOf(self).memoryBytes]
    const measure = (): void => void sizes.push(infoOf(self).memoryBytes)
    for (let i = 0; i < 1_000; i++) lab.node.send(self.pid, i)
    measure()
    self.link(other.pid)
    measure()
    const ref = self.monitor(other.pid)
    measure()
    const timer = self.sendAfter(1_000, self.pid, 'x')
    measure()
    const alias = self.alias()
    measure()
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b))
    expect(new Set(sizes).size).toBe(sizes.length)
    self.unlink(other.pid)
    self.demonitor(ref)
    self.cancelTimer(timer)
    self.unalias(alias)
    expect(infoOf(self).memoryBytes).toBe(sizes[1])
  })

  it('a burst of messages costs no memory when it has been worked off', async () => {
    const a = await lab.probe()
    lab.node.send(a.pid, 'one')
    await lab.settle()
    const before = infoOf(a).memoryBytes
    for (let i = 0; i < 100_000; i++) lab.node.send(a.pid, i)
    expect(infoOf(a).memoryBytes).toBeGreaterThan(before + 100_000)
    await lab.settle()
    expect(infoOf(a).memoryBytes).toBeLessThanOrEqual(before)
  })

  it('a process may ask of itself, of another and of the main process', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    expect(a.self.processInfo(a.pid)?.pid).toBe(a.pid)
    expect(a.self.processInfo(b.pid)?.pid).toBe(b.pid)
    expect(a.self.processInfo(lab.node.self.pid)).toMatchObject({ label: 'main', trapExit: true })
  })
})

describe('`processes`', () => {
  it('gives the living processes of this node, the main process among them', async () => {
    const a = await lab.probe()
    const dead = await lab.dead()
    expect(lab.node.processes()).toEqual([lab.node.self.pid, a.pid])
    expect(a.self.processes()).toEqual(lab.node.processes())
    expect(lab.node.processes()).not.toContainEqual(dead)
    expect(lab.node.counters()).toMatchObject({ processes: 2, processesSpawned: 3, processesExited: 1 })
  })

  it('is a list of its own: to change it changes nothing', () => {
    lab.node.processes().length = 0
    expect(lab.node.processes()).toHaveLength(1)
  })
})
