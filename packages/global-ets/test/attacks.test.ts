/**
 * Attacks on the table: by a node of the cluster that says what no table server would say, by faults in the middle of a start, and by callers that change the table
 * where it asks them something. What is attacked lives on, holds no more than before, and others see what they would have seen.
 */
import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import { Pid, Ref, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hashOfKey, hashOfRow } from '../src/engine/hashes.ts'
import { KeyWords } from '../src/engine/key-words.ts'
import { NO_META, OpWriter } from '../src/engine/ops.ts'
import { Rows } from '../src/engine/rows.ts'
import { type Member, idle, join } from './lab.ts'

const SERVER = 'pidmesh_global_ets:default'
const POLICY = 'names smaller_node'

let cluster: TestCluster
let a: Member
let b: Member

/** From a node without a table of its own, as if it were a table server: its own process speaks. */
function forge(evil: Node, message: object, to: Node = a.node): void {
  evil.send({ name: SERVER, node: to.name }, { from: evil.self.pid, ...message })
}

function serverOf({ node }: Member): Pid {
  const server = node.whereis(SERVER)
  if (server === undefined) throw new Error('there is no server')
  return server
}

beforeEach(async () => {
  cluster = new TestCluster()
  a = await join(cluster, 'a')
  b = await join(cluster, 'b')
})

afterEach(async () => {
  await cluster.stop()
})

/** A name of each node gets to the other. */
async function expectConnected(): Promise<void> {
  const [onA, onB] = [idle(a), idle(b)]
  expect(a.names.registerName('later:a', onA)).toBe('yes')
  expect(b.names.registerName('later:b', onB)).toBe('yes')
  await cluster.advance(20)
  expect(b.names.whereisName('later:a')?.equals(onA)).toBe(true)
  expect(a.names.whereisName('later:b')?.equals(onB)).toBe(true)
}

/** As that, and no server has crashed. */
async function expectAlive(): Promise<void> {
  await cluster.advance(20)
  expect(cluster.log.lines.filter(({ fields }) => fields['report'] === 'crash')).toEqual([])
  await expectConnected()
}

const hello = { type: 'hello', isNew: false, lacks: false, policy: POLICY, knows: undefined }

describe('a hostile node', () => {
  it('cannot spend the epochs of all: who has seen its largest one is still believed', async () => {
    const evil = await cluster.start('evil')
    await cluster.advance(50)
    forge(evil, hello)
    await cluster.advance(5)
    const ops = new OpWriter()
    ops.put(KeyWords.of('theirs'), 1, Number.MAX_SAFE_INTEGER, NO_META.bytes)
    forge(evil, { type: 'snapshot_begin', id: 1, life: 1, seq: 0 })
    forge(evil, { type: 'delta', life: 1, first: 1, last: 1, ops: ops.take() })
    await cluster.advance(20)
    await expectAlive()
  })

  it('that forges ticks of the clock does not set more clocks going', async () => {
    const evil = await cluster.start('evil')
    await cluster.advance(50)
    const timers = (): number | undefined => a.node.processInfo(serverOf(a))?.timers
    const before = timers()
    for (let i = 0; i < 1_000; i++) forge(evil, { type: 'table_tick' })
    await cluster.advance(3_000)
    expect(timers()).toBe(before)
    await expectAlive()
  })

  it('that guesses the references of another one ends no copy, and sets no clocks going', async () => {
    const evil = await cluster.start('evil')
    await cluster.advance(50)
    const pid = idle(b)
    b.names.registerName('x', pid)
    await cluster.advance(20)
    const timers = (): number | undefined => a.node.processInfo(serverOf(a))?.timers
    const before = timers()
    const last = a.node.self.makeRef()
    // References count up: among all that there were are that of the monitor on b's server, and that of the tick.
    for (let id = 1; id <= last.id; id++) {
      const ref = new Ref(last.origin, id)
      for (const type of ['DOWN', 'timeout']) evil.send({ name: SERVER, node: a.node.name }, { type, ref, pid })
    }
    await cluster.advance(20)
    expect(a.names.whereisName('x')?.equals(pid)).toBe(true)
    expect(timers()).toBe(before)
    await expectAlive()
  })

  it('cannot fill the log, whatever it sends, nor hide by it what is wrong with a node', async () => {
    const evil = await cluster.start('evil')
    await cluster.advance(50)
    const before = cluster.log.lines.length
    const from = b.node.self.pid
    const call = { type: '$gen_call', from: { pid: evil.self.pid, tag: evil.self.makeRef() }, request: 'what?' }
    const ofAnyServer = [{ type: '$gen_cast', request: 'what?' }, call, { type: '$of a later version' }]
    for (let i = 0; i < 1_000; i++)
      for (const message of [{ type: 'delta' }, { type: 'of a later version' }, { ...hello, from }, ...ofAnyServer])
        forge(evil, message)
    const policy = 'x'.repeat(1_000_000)
    for (let i = 0; i < 10; i++) forge(evil, { ...hello, policy })
    forge(evil, hello)
    for (let id = 0; id < 1_000; id++) {
      forge(evil, { type: 'snapshot_begin', id, life: 1, seq: 0 })
      forge(evil, { type: 'snapshot_chunk', id, ops: new Uint8Array([9]) })
    }
    await cluster.advance(500)
    const lines = cluster.log.lines.slice(before).filter(({ level }) => level === 'warn' || level === 'error')
    expect(lines.length).toBeLessThanOrEqual(200)
    const theirs = lines.flatMap(({ fields }) =>
      typeof fields['theirs'] === 'string' ? [fields['theirs'].length] : [],
    )
    expect(theirs).toEqual(new Array(10).fill(200))
    await expectAlive()
  })

  it('whose messages bear the name of another server is not heard', async () => {
    const evil = await cluster.start('evil')
    await cluster.advance(50)
    const pid = idle(b)
    b.names.registerName('x', pid)
    await cluster.advance(20)
    const ops = new OpWriter()
    ops.remove(KeyWords.of('x'), pid.id, 1)
    const from = serverOf(b)
    // Believed, it would have this node send to that one what is for this.
    forge(evil, { ...hello, from })
    forge(evil, { type: 'delta', from, life: 1, first: 1, last: 1, ops: ops.take() })
    await cluster.advance(20)
    expect(a.names.stats.nodes.map(({ node }) => node)).toEqual([b.node.name])
    expect(a.names.whereisName('x')?.equals(pid)).toBe(true)
    await expectAlive()
  })

  it('can claim a name for no process but its own, whatever number that has', async () => {
    const evil = await cluster.start('evil')
    await cluster.advance(50)
    const victim = idle(a)
    const digest = hashOfRow(hashOfKey(KeyWords.of('forged')), victim.id, 1, NO_META.hash)
    const ops = new OpWriter()
    ops.put(KeyWords.of('forged'), victim.id, 1, NO_META.bytes)
    forge(evil, hello)
    forge(evil, { type: 'snapshot_begin', id: 1, life: 1, seq: 1 })
    forge(evil, { type: 'snapshot_chunk', id: 1, ops: ops.take() })
    forge(evil, { type: 'snapshot_end', id: 1, seq: 1, count: 1, digest })
    await cluster.advance(20)
    const holder = a.names.whereisName('forged')
    expect(holder).toMatchObject({ node: evil.name, id: victim.id })
    expect(holder?.equals(victim)).toBe(false)
    await expectAlive()
  })

  it('that says hello from ever other servers is watched once', async () => {
    const evil = await cluster.start('evil')
    await cluster.advance(50)
    for (let i = 0; i < 100; i++) forge(evil, { ...hello, from: idle({ node: evil }) })
    await cluster.advance(20)
    expect(a.node.processInfo(serverOf(a))?.monitors.length).toBeLessThan(5)
    await expectAlive()
  })

  it('that leaves before its copy was whole is forgotten, under however many names it comes', async () => {
    for (let i = 0; i < 5; i++) {
      const evil = await cluster.start(`evil${i}`)
      await cluster.advance(50)
      forge(evil, hello)
      await cluster.advance(5)
      await cluster.run(evil.stop())
    }
    await cluster.advance(70_000)
    expect(a.names.stats.nodes.map(({ node }) => node)).toEqual([b.node.name])
    await expectAlive()
  })

  it.each(['', 'x'.repeat(257), '\ud800'])(
    'that broadcasts to %j, which is no group, ends no server',
    async (group) => {
      const groups = await cluster.run(ProcessGroups.start(a.node))
      const evil = await cluster.start('evil')
      await cluster.advance(50)
      const name = 'pidmesh_groups:default'
      const server = a.node.whereis(name)
      evil.send({ name, node: a.node.name }, { type: 'broadcast', from: evil.self.pid, group, message: 1 })
      await cluster.advance(20)
      expect(a.node.whereis(name)?.equals(server)).toBe(true)
      expect(groups.stats.restarts).toBe(0)
      await expectAlive()
    },
  )
})

describe('a table server', () => {
  it('whose name another process has for a while is started when that is gone', async () => {
    a.node.exit(serverOf(a), 'kill')
    await cluster.settle()
    const squatter = idle(a)
    a.node.register(SERVER, squatter)
    await cluster.advance(2_000)
    a.node.exit(squatter, 'kill')
    await cluster.advance(20_000)
    await expectConnected()
  })

  it('that is away does not keep who waits for the table to be filled, when that is stopped', async () => {
    a.node.exit(serverOf(a), 'kill')
    await cluster.settle()
    let isFilled = false
    const filled = a.names.filled().then(() => (isFilled = true))
    await cluster.run(a.names.stop())
    await cluster.advance(100)
    expect(isFilled).toBe(true)
    await filled
  })

  it('that is being started when its table is stopped does not stay', async () => {
    for (let step = 0; step < 30; step++) {
      const { node, names } = await join(cluster, `s${step}`)
      node.exit(node.whereis(SERVER) ?? a.node.self.pid, 'kill')
      await cluster.settle()
      let left = step
      // Stops it so many turns after the timer.
      const stopped = new Promise<void>((resolve) => {
        const next = (): void => void (left-- === 0 ? names.stop().then(resolve) : queueMicrotask(next))
        node.clock.setTimer(10, next)
      })
      await cluster.run(stopped)
      await cluster.advance(1_000)
      expect(node.whereis(SERVER), `${step} steps`).toBeUndefined()
      await cluster.run(node.stop())
    }
  })

  it('that is away lets nothing gather', async () => {
    a.node.exit(serverOf(a), 'kill')
    await cluster.settle()
    const pid = idle(a)
    for (let i = 0; i < 50_000; i++) {
      a.names.registerName(`name:${'x'.repeat(200)}`, pid)
      a.names.unregisterName(`name:${'x'.repeat(200)}`)
    }
    // All but the open batch is in the ring, which drops what is too much: it is full.
    const { logBytes } = a.names.stats
    expect(logBytes).toBeGreaterThan(3 * 1024 * 1024)
    expect(logBytes).toBeLessThanOrEqual(4 * 1024 * 1024)
    await cluster.advance(1_000)
    await expectConnected()
  })
})

describe('metadata', () => {
  const [map, bytes, date] = [new Map([['k', 1]]), new Uint8Array([1, 2]), new Date(5)]
  const changes: Record<string, (meta: unknown) => void> = {
    'a Map': (meta) => void (meta as { map: Map<string, number> }).map.set('k', 2),
    bytes: (meta) => void (meta as { bytes: Uint8Array }).bytes.fill(9),
    'a date': (meta) => void (meta as { date: Date }).date.setTime(7),
  }

  it.each(Object.entries(changes))(
    'of which %s is changed by a reader keeps no new node from its copy',
    async (_what, change) => {
      a.names.registerName('x', idle(a), { map, bytes, date })
      await cluster.advance(20)
      change(a.names.metaOf('x'))
      const c = await join(cluster, 'c')
      expect(c.names.metaOf('x')).toEqual({ map, bytes, date })
    },
  )

  it('with pids and references is shown', async () => {
    const pid = idle(a)
    a.names.registerName('x', pid, { pid, ref: a.node.self.makeRef() })
    await cluster.advance(20)
    expect(String(b.names.metaOf('x')?.['pid'])).toBe(String(pid))
    expect(String(a.names.metaOf('x')?.['pid'])).toBe(String(pid))
  })
})

describe('a sort key', () => {
  it('that changes the table within the call breaks nothing', async () => {
    let attack: (() => void) | undefined
    const sortKey = (): number => {
      attack?.()
      return 1
    }
    const policy = { name: 'evil', sortKey }
    const [c, d] = [await join(cluster, 'c', { scope: 'k', policy }), await join(cluster, 'd', { scope: 'k', policy })]
    cluster.partition(['c'], ['d'])
    await cluster.advance(6_000)
    for (let i = 0; i < 5; i++) {
      c.names.registerName(`n${i}`, idle(c))
      d.names.registerName(`n${i}`, idle(d))
    }
    let calls = 0
    attack = (): void => {
      if (calls++ > 200) return
      for (const m of [c, d])
        for (let i = 0; i < 5; i++) {
          m.names.unregisterName(`n${i}`)
          m.names.registerName(`n${i}`, idle(m))
        }
    }
    cluster.heal()
    await cluster.advance(10_000)
    attack = undefined
    expect(calls).toBeGreaterThan(0)
    await cluster.advance(10_000)
    expect(cluster.log.lines.filter(({ fields }) => fields['report'] === 'crash')).toEqual([])
    expect(c.names.registeredInfo().map(({ name, pid }) => `${name} ${pid}`)).toEqual(
      d.names.registeredInfo().map(({ name, pid }) => `${name} ${pid}`),
    )
    expect(c.names.size).toBe(c.names.registeredNames().length)
  })
})

describe('a process in 2,000 groups', () => {
  it('leaves each of them without a look at the others, here and on other nodes', async () => {
    const [onA, onB] = [await cluster.run(ProcessGroups.start(a.node)), await cluster.run(ProcessGroups.start(b.node))]
    const pid = idle(a)
    const groups = Array.from({ length: 2_000 }, (_, at) => `group:${at}`)
    for (const group of groups) onA.join(group, pid)
    await cluster.advance(100)
    expect(onB.size).toBe(2_000)
    const steps = vi.spyOn(Rows.prototype, 'next')
    try {
      for (const group of groups) expect(onA.leave(group, pid)).toBe('ok')
      await cluster.advance(100)
      expect(onB.size).toBe(0)
      // Along 2,000 rows for each of 2,000 they would be millions.
      expect(steps.mock.calls.length).toBeLessThan(20_000)
    } finally {
      steps.mockRestore()
    }
  })

  it('leaves one that it has joined three times once, and its metadata there is one', async () => {
    const [onA, onB] = [await cluster.run(ProcessGroups.start(a.node)), await cluster.run(ProcessGroups.start(b.node))]
    const [pid, other] = [idle(a), idle(a)]
    for (let at = 0; at < 3; at++) {
      onA.join('room', [pid, other])
      onA.join(`group:${at}`, pid)
    }
    onA.leave('room', pid)
    onA.setMeta('room', pid, { nick: 'alice' })
    await cluster.advance(100)
    for (const groups of [onA, onB]) {
      const members = groups.presence('room')
      expect(members.filter((member) => member.pid.equals(pid)).map(({ meta }) => meta)).toEqual([
        { nick: 'alice' },
        { nick: 'alice' },
      ])
      expect(members.filter((member) => member.pid.equals(other)).map(({ meta }) => meta)).toEqual([{}, {}, {}])
    }
  })
})

describe('a process that is 500 times in one group', () => {
  it('joins and ends without a look at its other memberships, here and on other nodes', async () => {
    const onA = await cluster.run(ProcessGroups.start(a.node))
    const onB = await cluster.run(ProcessGroups.start(b.node))
    await cluster.advance(20)
    const pid = idle(a)
    const [next, nextOfKey] = [vi.spyOn(Rows.prototype, 'next'), vi.spyOn(Rows.prototype, 'nextOfKey')]
    try {
      for (let at = 0; at < 500; at++) onA.join('room', pid)
      await cluster.advance(100)
      expect(onB.size).toBe(500)
      // One that comes later is sent them as a snapshot, the newest first.
      const c = await cluster.start('c')
      const onC = await cluster.run(ProcessGroups.start(c))
      await cluster.advance(200)
      expect(onC.size).toBe(500)
      a.node.exit(pid, 'kill')
      await cluster.advance(200)
      expect([onA.size, onB.size, onC.size]).toEqual([0, 0, 0])
      expect(next.mock.calls.length + nextOfKey.mock.calls.length).toBeLessThan(15_000)
    } finally {
      for (const spy of [next, nextOfKey]) spy.mockRestore()
    }
  })
})

describe('what is no argument', () => {
  const badArgument = expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' })
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const no = proxy as never

  const calls: Record<string, (pid: Pid, groups: ProcessGroups) => unknown> = {
    'metadata that is a revoked proxy': (pid) => a.names.registerName('x', pid, no),
    'a revoked proxy for a list of names': () => a.names.registerNames(no),
    'a list of names with a hole': () => a.names.registerNames(new Array<never>(1)),
    'a pid by its prototype alone': () => a.names.registerName('x', Object.create(Pid.prototype) as Pid),
    'a prefix that is a bigint': () => a.names.count(1n as never),
    'no reference, for a watch': () => a.names.unwatch(undefined as never),
    'no reference, for a monitor': (_pid, groups) => groups.demonitor(no),
    'a revoked proxy for pids': (_pid, groups) => groups.join('g', no),
    'an epoch that is a text': (pid) => a.names.takeover('x', pid, { expectedEpoch: '1' as never }),
    'an epoch that is none': (pid) => a.names.takeover('x', pid, { expectedEpoch: Number.NaN }),
    'a misspelt condition of a takeover': (pid) => a.names.takeover('x', pid, { expectedEpok: 0 } as never),
    'a text for the options of a takeover': (pid) => a.names.takeover('x', pid, 'x' as never),
  }

  it.each(Object.entries(calls))('%s is an error at the caller, with a code', async (_what, attempt) => {
    const groups = await cluster.run(ProcessGroups.start(a.node))
    const pid = idle(a)
    expect(() => attempt(pid, groups)).toThrowError(badArgument)
    expect(a.names.registeredNames()).toEqual([])
    expect(groups.groups()).toEqual([])
  })

  it('a scope that is no well-formed text is a bad option', async () => {
    const started = GlobalEts.start(a.node, { scope: '\ud800' })
    await expect(cluster.run(started)).rejects.toMatchObject({ code: 'ERR_BAD_OPTION' })
  })
})

describe('a table that has been stopped', () => {
  it('shows nobody: it would not learn of their ends', async () => {
    const groups = await cluster.run(ProcessGroups.start(a.node))
    const pid = idle(a)
    a.names.registerName('x', pid)
    groups.join('g', pid)
    await cluster.advance(20)
    await cluster.run(Promise.all([a.names.stop(), groups.stop()]))
    a.node.exit(pid, 'kill')
    await cluster.advance(20)
    expect(a.names.whereisName('x')).toBeUndefined()
    expect([a.names.registeredNames(), a.names.localRegisteredNames()]).toEqual([[], []])
    expect([groups.members('g'), groups.groups(), groups.localGroups()]).toEqual([[], [], []])
    expect([a.names.size, groups.size]).toEqual([0, 0])
    expect(b.names.registeredNames()).toEqual([])
  })
})

describe('a node whose mailboxes are small', () => {
  it.each(['drop', 'kill'] as const)('with the policy %s has a table that goes on after a flood', async (policy) => {
    const c = await cluster.start('c', { mailbox: { limit: 20, policy } })
    const names = await cluster.run(GlobalEts.start(c))
    await cluster.advance(50)
    for (let n = 0; n < 30; n++) c.send({ name: SERVER, node: c.name }, { type: 'nonsense', n })
    const pid = idle({ node: c })
    expect(names.registerName('x', pid)).toBe('yes')
    await cluster.advance(50)
    expect(a.names.whereisName('x')?.equals(pid)).toBe(true)
    expect(names.stats.restarts).toBe(0)
  })
})

describe('a node of a later version', () => {
  it('is understood, whatever fields its messages have that this one does not know', async () => {
    const later = await cluster.start('later')
    await cluster.advance(50)
    const told = { sentAtMs: 1, version: 2, extensions: { compressed: false } }
    const ops = new OpWriter()
    ops.put(KeyWords.of('theirs'), 1, 1, NO_META.bytes)
    for (const message of [
      hello,
      { type: 'snapshot_begin', id: 1, life: 1, seq: 0 },
      { type: 'snapshot_chunk', id: 1, ops: ops.take() },
    ])
      forge(later, { ...message, ...told })
    const count = 1
    const digest = hashOfRow(hashOfKey(KeyWords.of('theirs')), 1, 1, 0)
    forge(later, { type: 'snapshot_end', id: 1, seq: 0, count, digest, ...told })
    await cluster.advance(20)
    expect(a.names.whereisName('theirs')?.node).toBe(later.name)
    await expectAlive()
  })

  it('that says what this one has no word for is told of, and is believed what it says besides', async () => {
    const later = await cluster.start('later')
    await cluster.advance(50)
    forge(later, { type: 'gossip', about: 'everything' })
    await cluster.advance(20)
    expect(
      cluster.log.lines.filter(({ level, fields }) => level === 'warn' && fields['peer'] === later.name),
    ).toHaveLength(1)
    await expectAlive()
  })
})
