import { handler, type DownMessage, Pid, type Ref } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { codeOf, untyped, useLab } from './probe.ts'

const lab = useLab()

const refsOf = (messages: readonly unknown[]): string[] =>
  messages.map((message) => String((message as DownMessage).ref))

describe('Monitors', () => {
  it('Unidirectional: the end of the watcher does nothing to the watched', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe(false)
    const trapping = await lab.probe(true)
    watcher.self.monitor(target.pid)
    watcher.self.monitor(trapping.pid)
    lab.node.exit(watcher.pid, 'kill')
    await lab.settle()
    expect(lab.node.isProcessAlive(target.pid)).toBe(true)
    expect(trapping.messages).toEqual([])
    expect(lab.node.processInfo(target.pid)?.monitoredBy).toEqual([])
  })

  it('each `monitor` call makes one ref', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe()
    const refs = [1, 2, 3].map(() => String(watcher.self.monitor(target.pid)))
    expect(new Set(refs).size).toBe(3)
  })

  it('three monitors give three `DOWN`s', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe()
    const refs = [1, 2, 3].map(() => watcher.self.monitor(target.pid))
    lab.node.exit(target.pid, 'boom')
    await lab.settle()
    lab.node.exit(target.pid, 'kill')
    await lab.settle()
    const downs = watcher.messages.filter((message) => (message as { type: string }).type === 'DOWN')
    expect(downs).toHaveLength(3)
    expect(new Set(refsOf(downs))).toEqual(new Set(refs.map(String)))
  })

  it('three monitors, one of which is ended, give the two `DOWN`s of the others', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe()
    const [first, second, third] = [1, 2, 3].map(() => watcher.self.monitor(target.pid))
    if (second === undefined) throw new Error('three')
    expect(watcher.self.demonitor(second)).toBe(true)
    lab.node.exit(target.pid, 'kill')
    await lab.settle()
    expect(refsOf(watcher.messages)).toEqual([String(first), String(third)])
  })

  it('exactly one `DOWN`, at most: { type, ref, pid, reason } and no more of it', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe(false)
    const ref = watcher.self.monitor(target.pid)
    lab.node.exit(target.pid, { because: 'boom' })
    lab.node.exit(target.pid, 'kill')
    await lab.advance(10_000)
    expect(watcher.messages).toEqual([{ type: 'DOWN', ref, pid: target.pid, reason: { because: 'boom' } }])
    expect(lab.node.processInfo(watcher.pid)?.monitors).toEqual([])
  })

  it('a `DOWN` is a message: it comes whether the watcher traps exits or not, and ends nobody', async () => {
    const watcher = await lab.probe(false)
    const target = await lab.probe(false)
    watcher.self.monitor(target.pid)
    lab.node.exit(target.pid, 'boom')
    await lab.settle()
    expect(watcher.self.isAlive).toBe(true)
    expect(watcher.messages).toMatchObject([{ type: 'DOWN', reason: 'boom' }])
  })

  it('the main process monitors too, and what it is told ends nobody', async () => {
    const target = await lab.probe()
    lab.node.self.monitor(target.pid)
    lab.node.exit(target.pid, 'kill')
    await lab.settle()
    expect(lab.node.self.isAlive).toBe(true)
  })

  it('to monitor oneself gives a reference that is neither a monitor nor an alias', async () => {
    // As on OTP 25 in each of the three modes.
    for (const alias of ['explicit_unalias', 'demonitor', 'reply_demonitor'] as const) {
      const { self, messages, pid } = await lab.probe()
      const ref = self.monitor(pid, { alias })
      self.send(ref, 'hello')
      await lab.settle()
      expect([messages, lab.node.processInfo(pid)?.monitors, self.unalias(ref)]).toEqual([[], [], false])
      expect(self.demonitor(ref, { info: true })).toBe(false)
    }
  })

  it('a monitor of oneself gives no `DOWN`, ever', async () => {
    const seen: unknown[] = []
    const other = await lab.probe()
    const end = await lab.endOf(() =>
      lab.node.spawn(async (self) => {
        self.monitor(self.pid)
        seen.push(await self.receive({ timeoutMs: 0 }))
        self.monitor(other.pid)
      }),
    )
    expect(end).toBe('normal')
    expect(seen).toEqual([undefined])
    expect(lab.node.processInfo(other.pid)?.monitoredBy).toEqual([])
  })

  it('a monitor of oneself is neither a monitor nor an alias, by pid or by name', async () => {
    // BEAM: process_info(Self, monitors) → [], demonitor(Ref, [info]) → false, unalias(Ref) → false, and Ref ! x is dropped.
    const a = await lab.probe()
    a.self.register('a')
    for (const object of [a.pid, 'a', { name: 'a', node: lab.node.name }]) {
      const ref = a.self.monitor(object, { alias: 'explicit_unalias' })
      expect(lab.node.processInfo(a.pid)).toMatchObject({ monitors: [], monitoredBy: [] })
      lab.node.send(ref, 'x')
      expect([a.self.demonitor(ref, { info: true }), a.self.unalias(ref)]).toEqual([false, false])
    }
    await lab.settle()
    expect(a.messages).toEqual([])
  })

  it('Monitoring by registered name is possible, and the `DOWN` names what was monitored', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe()
    target.self.register('target')
    const ref = watcher.self.monitor('target')
    lab.node.exit(target.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toEqual([
      { type: 'DOWN', ref, pid: { name: 'target', node: lab.node.name }, reason: 'killed' },
    ])
  })

  it('Monitoring by name on a node is possible, this one or another, and the `DOWN` names what was monitored', async () => {
    const b = await lab.cluster.start('b')
    const watcher = await lab.probe()
    for (const node of [lab.node, b]) {
      watcher.messages.length = 0
      const pid = node.spawn(
        handler(() => () => undefined),
        { name: 'target' },
      )
      const ref = watcher.self.monitor({ name: 'target', node: node.name })
      await lab.advance(10)
      node.exit(pid, 'boom')
      await lab.advance(10)
      expect(watcher.messages).toEqual([
        { type: 'DOWN', ref, pid: { name: 'target', node: node.name }, reason: 'boom' },
      ])
    }
  })

  it('a monitor by name is of the process that has the name now, whoever has it later', async () => {
    // BEAM: the same.
    const watcher = await lab.probe()
    const first = await lab.probe()
    const second = await lab.probe()
    first.self.register('name')
    watcher.self.monitor('name')
    lab.node.unregister('name')
    second.self.register('name')
    lab.node.exit(second.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toEqual([])
    lab.node.exit(first.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toMatchObject([{ pid: { name: 'name', node: lab.node.name }, reason: 'killed' }])
  })

  it('the loss of a name is no `DOWN`', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe()
    target.self.register('name')
    watcher.self.monitor('name')
    lab.node.unregister('name')
    await lab.settle()
    expect(watcher.messages).toEqual([])
  })

  it('A dead process gives `DOWN noproc` at once, whatever it died of', async () => {
    const watcher = await lab.deaf()
    const dead = await lab.dead()
    const ref = watcher.monitor(dead)
    expect(lab.mailboxOf(watcher.pid)).toEqual([{ type: 'DOWN', ref, pid: dead, reason: 'noproc' }])
  })

  it('A process of an earlier life of this node gives `DOWN noproc` at once', async () => {
    const watcher = await lab.deaf()
    const living = await lab.probe()
    const { name, incarnation } = lab.node
    watcher.monitor(new Pid({ name, incarnation: incarnation - 1 }, living.pid.id))
    expect(lab.mailboxOf(watcher.pid)).toMatchObject([{ type: 'DOWN', reason: 'noproc' }])
  })

  it('An unknown name gives `DOWN noproc` at once', async () => {
    const watcher = await lab.deaf()
    const ref = watcher.monitor('nobody')
    const onNode = watcher.monitor({ name: 'nobody', node: lab.node.name })
    const pid = { name: 'nobody', node: lab.node.name }
    expect(lab.mailboxOf(watcher.pid)).toEqual([
      { type: 'DOWN', ref, pid, reason: 'noproc' },
      { type: 'DOWN', ref: onNode, pid, reason: 'noproc' },
    ])
  })

  it('an unreachable node gives `DOWN noconnection`', async () => {
    const watcher = await lab.deaf()
    watcher.monitor({ name: 'x', node: untyped('nowhere@127.0.0.1') })
    watcher.monitor(new Pid({ name: untyped('nowhere@127.0.0.1'), incarnation: 1 }, 1))
    expect(lab.mailboxOf(watcher.pid)).toMatchObject([
      { type: 'DOWN', reason: 'noconnection' },
      { type: 'DOWN', reason: 'noconnection' },
    ])
  })

  it('Messages that a process sent before it died arrive before its `DOWN`', async () => {
    const watcher = await lab.probe()
    watcher.self.register('watcher')
    const alias = watcher.self.alias()
    const bodies = [
      (): void => undefined,
      (): never => {
        throw new Error('crash')
      },
    ]
    for (const end of bodies) {
      watcher.messages.length = 0
      watcher.self.spawnMonitor((self) => {
        self.send(watcher.pid, 'by pid')
        self.send('watcher', 'by name')
        self.send({ name: 'watcher', node: self.node }, 'by name on a node')
        self.send(alias, 'by alias')
        end()
      })
      await lab.settle()
      expect(watcher.messages).toMatchObject(['by pid', 'by name', 'by name on a node', 'by alias', { type: 'DOWN' }])
    }
  })

  it('Messages that a process sent before it was killed arrive before its `DOWN`', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe()
    watcher.self.monitor(target.pid)
    for (const message of [1, 2, 3]) target.self.send(watcher.pid, message)
    lab.node.exit(target.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toMatchObject([1, 2, 3, { type: 'DOWN' }])
  })

  it('one that both links and monitors gets the EXIT first, then the `DOWN`', async () => {
    // BEAM: the same, though no document promises it.
    const watcher = await lab.probe()
    const target = await lab.probe()
    watcher.self.monitor(target.pid)
    watcher.self.link(target.pid)
    lab.node.exit(target.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toMatchObject([{ type: 'EXIT' }, { type: 'DOWN' }])
  })

  it('spawnMonitor tells of a process that ends in its first turn', async () => {
    const watcher = await lab.probe()
    const { pid, ref } = watcher.self.spawnMonitor(() => undefined)
    await lab.settle()
    expect(watcher.messages).toEqual([{ type: 'DOWN', ref, pid, reason: 'normal' }])
  })

  it('No `DOWN` is ever lost: one watcher of 10,000 that end at once gets one of each', async () => {
    const watcher = await lab.probe()
    const refs: Ref[] = []
    for (let i = 0; i < 10_000; i++) refs.push(watcher.self.spawnMonitor(() => undefined).ref)
    await lab.settle()
    expect(refsOf(watcher.messages)).toEqual(refs.map(String))
  })
})

describe('Monitors: `demonitor(ref, { flush, info })` as in Erlang', () => {
  it('after it has returned no `DOWN` of it is delivered', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe()
    expect(watcher.self.demonitor(watcher.self.monitor(target.pid))).toBe(true)
    expect(lab.node.processInfo(watcher.pid)?.monitors).toEqual([])
    expect(lab.node.processInfo(target.pid)?.monitoredBy).toEqual([])
    lab.node.exit(target.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toEqual([])
  })

  // BEAM: these are the answers of demonitor/2, tried case by case.
  it.each([
    [{}, { active: true, queued: true, again: true, left: 1 }],
    [{ info: true }, { active: true, queued: false, again: false, left: 1 }],
    [{ flush: true }, { active: true, queued: true, again: true, left: 0 }],
    [
      { flush: true, info: true },
      { active: true, queued: false, again: false, left: 0 },
    ],
  ])(
    'with %j: of an active one, of one whose `DOWN` is in the mailbox, of one that is over',
    async (options, wanted) => {
      const self = await lab.deaf()
      const target = await lab.probe()
      const active = self.monitor(target.pid)
      const first = self.demonitor(active, options)
      self.send(self.pid, 'before')
      const queued = self.monitor(await lab.dead())
      self.send(self.pid, 'after')
      const second = self.demonitor(queued, options)
      const third = self.demonitor(active, options)
      const mailbox = lab.mailboxOf(self.pid) ?? []
      const left = mailbox.filter((message) => typeof message === 'object').length
      expect({ active: first, queued: second, again: third, left }).toEqual(wanted)
      expect(mailbox.filter((message) => typeof message === 'string')).toEqual(['before', 'after'])
    },
  )

  it('`flush` removes one that has come, and a receive after it does not find it', async () => {
    const target = await lab.probe()
    const seen: unknown[] = []
    const pid = lab.node.spawn(async (self) => {
      const first = self.monitor(target.pid)
      const second = self.monitor(target.pid)
      seen.push(self.demonitor(first, { info: true }), self.demonitor(first, { info: true }))
      await self.receive('go')
      seen.push(self.demonitor(second, { flush: true, info: true }))
      seen.push(await self.receive({ timeoutMs: 0 }))
    })
    await lab.settle()
    lab.node.exit(target.pid, 'kill')
    lab.node.send(pid, { type: 'go' })
    await lab.settle()
    expect(seen).toEqual([true, false, false, undefined])
  })

  it('`flush` removes the `DOWN` of its own reference only', async () => {
    const self = await lab.deaf()
    const dead = await lab.dead()
    const refs = [1, 2, 3].map(() => self.monitor(dead))
    if (refs[1] === undefined) throw new Error('three')
    self.demonitor(refs[1], { flush: true })
    expect(refsOf(lab.mailboxOf(self.pid) ?? [])).toEqual([String(refs[0]), String(refs[2])])
  })

  it("of another process's monitor says that there is none, and leaves it", async () => {
    // BEAM: demonitor(Ref, [info]) → false.
    const watcher = await lab.probe()
    const other = await lab.probe()
    const target = await lab.probe()
    const ref = watcher.self.monitor(target.pid)
    expect(other.self.demonitor(ref, { info: true })).toBe(false)
    expect(other.self.demonitor(ref)).toBe(true)
    lab.node.exit(target.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toHaveLength(1)
  })

  it('of a reference that is no monitor says that there is none', async () => {
    const self = await lab.deaf()
    for (const ref of [self.alias(), self.sendAfter(1_000, self.pid, 'x')]) {
      expect(self.demonitor(ref, { info: true })).toBe(false)
      expect(self.demonitor(ref)).toBe(true)
    }
    expect(lab.node.counters()).toMatchObject({ aliases: 1, timers: 1 })
    expect(codeOf(() => self.demonitor(untyped('x')))).toBe('ERR_BAD_ARGUMENT')
  })
})

describe('a lost connection', () => {
  it('gives no `DOWN` of a monitor that is ended while the others get theirs', async () => {
    const far = await lab.cluster.start('b')
    await lab.settle()
    const watcher = await lab.probe()
    const target = far.spawn(handler(() => () => undefined))
    const [first, second] = [watcher.self.monitor(target), watcher.self.monitor(target)]
    let found: boolean | undefined
    lab.node.trace(watcher.pid, { receive: true }, () => {
      found ??= watcher.self.demonitor(second, { info: true })
    })
    lab.node.disconnectNode(far.name)
    await lab.settle()
    expect(found).toBe(true)
    expect(refsOf(watcher.messages)).toEqual([String(first)])
  })
})

describe('awaitDown', () => {
  it("gives the exit reason, which isn't in the mailbox too", async () => {
    const watcher = await lab.probe()
    const target = await lab.probe(false)
    const ended = watcher.self.awaitDown(target.pid, Infinity)
    lab.node.exit(target.pid, { because: 'boom' })
    await lab.settle()
    expect(await ended).toEqual({ because: 'boom' })
    expect(watcher.messages).toEqual([])
  })

  it('gives `noproc` of who has ended before, and of a name that nobody has', async () => {
    const watcher = await lab.probe()
    expect(await watcher.self.awaitDown(await lab.dead(), Infinity)).toBe('noproc')
    expect(await watcher.self.awaitDown('nobody', Infinity)).toBe('noproc')
  })

  it('gives `undefined` once the time is over, and leaves no monitor', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe(false)
    const ended = watcher.self.awaitDown(target.pid, 100)
    await lab.advance(100)
    expect(await ended).toBeUndefined()
    expect(lab.node.processInfo(target.pid)?.monitoredBy).toEqual([])
  })

  it('rejects when its process ends, and takes nobody with it', async () => {
    const watcher = await lab.probe(false)
    const target = await lab.probe(false)
    const ended = watcher.self.awaitDown(target.pid, Infinity)
    lab.node.exit(watcher.pid, 'kill')
    await lab.settle()
    await expect(ended).rejects.toMatchObject({ code: 'ERR_PROCESS_EXITED' })
    expect(lab.node.processInfo(target.pid)?.monitoredBy).toEqual([])
  })
})
