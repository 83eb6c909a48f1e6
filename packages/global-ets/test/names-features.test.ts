import { handler, type Context, type NodeName, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import {
  GlobalEts,
  ProcessGroups,
  type Claimant,
  type GlobalEtsOptions,
  type NameChange,
  type NamesMessage,
} from '@pidmesh/global-ets'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { type Member, collector, idle, join } from './lab.ts'

type Meta = { readonly room?: string }

let cluster: TestCluster

const trap = (self: Context): void => {
  self.trapExit = true
}

/** What a watcher that knew only what it was told would know. */
function known(rows: readonly { readonly name: string; readonly pid: Pid }[], messages: readonly unknown[]): string[] {
  const held = new Map(rows.map(({ name, pid }) => [name, String(pid)]))
  for (const { changes } of messages as NamesMessage[])
    for (const { type, name, pid } of changes) {
      if (type === 'joined') expect(held.has(name), `${name} joins once`).toBe(false)
      else expect(held.get(name), `${name} is whose it was said to be`).toBe(String(pid))
      if (type === 'left') held.delete(name)
      else held.set(name, String(pid))
    }
  return [...held].map(([name, pid]) => `${name} ${pid}`).sort()
}

function seen({ names }: Member): string[] {
  return names.registeredInfo().map(({ name, pid }) => `${name} ${pid}`)
}

beforeEach(() => {
  cluster = new TestCluster()
})

afterEach(async () => {
  await cluster.stop()
})

describe('takeover', () => {
  it('takes no options but its own: metadata that is given as to registerName would be lost', async () => {
    const a = await join(cluster, 'a')
    const pid = idle(a)
    for (const options of [{ room: 'lobby' }, { expectedEpoch: '1' }, { expectedEpoch: -1 }, 'lobby', null, []])
      expect(() => a.names.takeover('x', pid, options as never)).toThrowError(
        expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
      )
    expect(a.names.whereisName('x')).toBeUndefined()
  })

  it('of a name of this node ends its holder, who learns who has it now', async () => {
    const a = await join(cluster, 'a')
    const [old, told] = collector(a, trap)
    const now = idle(a)
    await cluster.settle()
    a.names.registerName('x', old)
    const before = a.names.epochOf('x')
    const epoch = a.names.takeover('x', now)
    expect(epoch).toBeGreaterThan(before)
    expect(a.names.epochOf('x')).toBe(epoch)
    expect(a.names.whereisName('x')?.equals(now)).toBe(true)
    await cluster.settle()
    expect(told).toMatchObject([{ type: 'EXIT', reason: { name_conflict: { name: 'x', policy: 'smaller_node' } } }])
  })

  it('of a name of another node wins in a table of the policy newest, and its holder ends there', async () => {
    const a = await join(cluster, 'a', { policy: 'newest' })
    const b = await join(cluster, 'b', { policy: 'newest' })
    const [old] = [idle(a)]
    const now = idle(b)
    a.names.registerName('x', old)
    await cluster.advance(10)
    expect(b.names.takeover('x', now)).toBeDefined()
    await cluster.advance(10)
    for (const { names } of [a, b]) expect(names.whereisName('x')?.equals(now)).toBe(true)
    expect(a.node.isProcessAlive(old)).toBe(false)
  })

  it('is refused where this node’s claim would not win by the policy', async () => {
    const a = await join(cluster, 'a')
    const b = await join(cluster, 'b')
    a.names.registerName('x', idle(a))
    await cluster.advance(10)
    expect(b.names.takeover('x', idle(b))).toBeUndefined()
    b.names.registerName('y', idle(b))
    await cluster.advance(10)
    expect(a.names.takeover('y', idle(a))).toBeDefined()
  })

  it('with an epoch takes the name only if it has that epoch still; 0 is the epoch of a name that nobody has', async () => {
    const a = await join(cluster, 'a', { policy: 'newest' })
    const first = a.names.takeover('x', idle(a), { expectedEpoch: 0 })
    expect(first).toBeDefined()
    for (const wrong of [0, (first ?? 0) + 1])
      expect(a.names.takeover('x', idle(a), { expectedEpoch: wrong })).toBeUndefined()
    expect(a.names.takeover('nobody', idle(a), { expectedEpoch: 1 })).toBeUndefined()
    expect(a.names.takeover('x', idle(a), { expectedEpoch: first ?? 0 })).toBeGreaterThan(first ?? 0)
  })

  it('at the same time on two nodes leaves one holder', async () => {
    const [a, b, c] = [
      await join(cluster, 'a', { policy: 'newest' }),
      await join(cluster, 'b', { policy: 'newest' }),
      await join(cluster, 'c', { policy: 'newest' }),
    ]
    c.names.registerName('x', idle(c))
    await cluster.advance(10)
    const [one, two] = [idle(a), idle(b)]
    a.names.takeover('x', one)
    b.names.takeover('x', two)
    await cluster.advance(50)
    expect(seen(a)).toEqual(seen(b))
    expect(seen(a)).toEqual(seen(c))
    expect([a.node.isProcessAlive(one), b.node.isProcessAlive(two)]).toEqual([true, false])
  })

  it('by the process that has the name already gives it a new epoch, and ends nobody', async () => {
    const a = await join(cluster, 'a')
    const pid = idle(a)
    a.names.registerName('x', pid)
    const before = a.names.epochOf('x')
    expect(a.names.takeover('x', pid, { meta: { room: 'lobby' } })).toBeGreaterThan(before)
    await cluster.settle()
    expect(a.node.isProcessAlive(pid)).toBe(true)
    expect(a.names.metaOf('x')).toEqual({ room: 'lobby' })
  })

  it('of a name that another node has just won here ends its holder here, too, who has not been told of that', async () => {
    const a = await join(cluster, 'a', { policy: 'newest' })
    const b = await join(cluster, 'b', { policy: 'newest' })
    const standby = idle(a)
    const [second, told] = collector(a, trap)
    let holder: Pid | undefined
    const [first] = collector(a, (self) => {
      // Between the end of this one and what is said to `second`: both have lost by one message.
      self.signal.addEventListener('abort', () => {
        holder = a.names.whereisName('two')
        a.names.takeover('two', standby)
      })
    })
    await cluster.settle()
    a.names.registerName('one', first)
    a.names.registerName('two', second)
    const onB = idle(b)
    // The others make b's epochs the larger ones.
    for (const name of ['more', 'and more', 'one', 'two']) b.names.registerName(name, onB)
    await cluster.advance(50)
    expect(holder?.equals(onB)).toBe(true)
    expect(b.names.whereisName('two')?.equals(standby)).toBe(true)
    expect(told).toMatchObject([{ type: 'EXIT', reason: { name_conflict: { name: 'two' } } }])
  })

  it('has the name before its holder ends: who registers at that end finds it taken', async () => {
    const a = await join(cluster, 'a')
    const [now, standby] = [idle(a), idle(a)]
    const answers: string[] = []
    const [old] = collector(a, (self) => {
      self.signal.addEventListener('abort', () => answers.push(a.names.registerName('x', standby)))
    })
    await cluster.settle()
    a.names.registerName('x', old)
    a.names.takeover('x', now)
    expect(answers).toEqual(['no'])
    expect(a.names.whereisName('x')?.equals(now)).toBe(true)
  })
})

describe('who loses a name', () => {
  it('is only told, if the table says so, and lives on', async () => {
    const options: GlobalEtsOptions<Meta> = { policy: 'newest', loser: 'tell' }
    const [a, b] = [await join(cluster, 'a', options), await join(cluster, 'b', options)]
    const [old, told] = collector(a)
    const now = idle(b)
    a.names.registerName('x', old)
    await cluster.advance(10)
    b.names.takeover('x', now)
    await cluster.advance(20_000)
    expect(a.node.isProcessAlive(old)).toBe(true)
    expect(told).toEqual([
      { type: 'name_lost', scope: 'default', name: 'x', winner: expect.anything(), policy: 'newest' },
    ])
  })

  it('is found by a sort key of one’s own, the same on all nodes', async () => {
    const policy = {
      name: 'larger room',
      sortKey: ({ meta }: { readonly meta: Meta }) => meta.room?.length ?? 0,
    }
    const [a, b] = [await join(cluster, 'a', { policy }), await join(cluster, 'b', { policy })]
    cluster.partition(['a'], ['b'])
    await cluster.advance(6_000)
    const [one, two] = [idle(a), idle(b)]
    a.names.registerName('x', one, { room: 'inn' })
    b.names.registerName('x', two, { room: 'palace' })
    cluster.heal()
    await cluster.advance(3_000)
    for (const { names } of [a, b]) expect(names.whereisName('x')?.equals(two)).toBe(true)
    expect(a.node.isProcessAlive(one)).toBe(false)
  })

  it('no name of another node is seen where the policies differ, and both nodes say so', async () => {
    const [a, b] = [await join(cluster, 'a', { policy: 'newest' }), await join(cluster, 'b')]
    a.names.registerName('x', idle(a))
    await cluster.advance(100)
    expect(b.names.registeredNames()).toEqual([])
    const errors = cluster.log.lines.filter(({ level }) => level === 'error')
    expect(new Set(errors.map(({ fields }) => fields['peer']))).toEqual(new Set([a.node.name, b.node.name]))
  })
})

describe('many names', () => {
  it('are registered at once, all checked before the first is', async () => {
    const a = await join(cluster, 'a')
    const pid = idle(a)
    a.names.registerName('taken', pid)
    expect(
      a.names.registerNames([
        { name: 'x', pid, meta: { room: 'lobby' } },
        { name: 'taken', pid },
        { name: 'x', pid },
      ]),
    ).toEqual(['yes', 'no', 'no'])
    expect(() =>
      a.names.registerNames([
        { name: 'y', pid },
        { name: '', pid },
      ]),
    ).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    for (const bad of ['x', [undefined], [7]])
      expect(() => a.names.registerNames(bad as never)).toThrowError(
        expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
      )
    expect(a.names.registeredNames()).toEqual(['taken', 'x'])
  })

  it('register or find: whoever comes second finds the first', async () => {
    const [a, b] = [await join(cluster, 'a'), await join(cluster, 'b')]
    const [one, two] = [idle(a), idle(b)]
    expect(a.names.registerOrFind('x', one)).toMatchObject({ isNew: true })
    await cluster.advance(10)
    const found = b.names.registerOrFind('x', two)
    expect([found?.isNew, found?.pid.equals(one)]).toEqual([false, true])
    expect(a.names.registerOrFind('y', two)).toBeUndefined()
  })

  it.each([false, true])(
    'are selected by prefix, range, node and what else they are, in key order (ordered: %s)',
    async (ordered) => {
      const [a, b] = [await join(cluster, 'a', { ordered }), await join(cluster, 'b', { ordered })]
      const [one, two] = [idle(a), idle(b)]
      for (const name of ['room:b', 'room:a', 'user:c', 'user:a', 'user:é']) a.names.registerName(name, one)
      b.names.registerName('user:b', two, { room: 'lobby' })
      await cluster.advance(10)
      const namesOf = (rows: readonly { readonly name: string }[]): string[] => rows.map(({ name }) => name)
      expect(namesOf(a.names.select({ prefix: 'user:' }))).toEqual(['user:a', 'user:b', 'user:c', 'user:é'])
      expect(namesOf(a.names.select({ from: 'room:b', to: 'user:b' }))).toEqual(['room:b', 'user:a'])
      expect(namesOf(a.names.select({ prefix: 'user:', after: 'user:a', limit: 2 }))).toEqual(['user:b', 'user:c'])
      expect(namesOf(a.names.select({ node: b.node.name }))).toEqual(['user:b'])
      expect(namesOf(a.names.select({ node: a.node.name, prefix: 'room:' }))).toEqual(['room:a', 'room:b'])
      expect(namesOf(a.names.select({ where: ({ meta }) => meta.room === 'lobby' }))).toEqual(['user:b'])
      expect(namesOf(a.names.select({ limit: 0 }))).toEqual([])
      const none = a.names.select({ prefix: 'none:' })
      expect(namesOf(a.names.select({ prefix: 'room:', after: none.at(-1)?.name }))).toEqual(['room:a', 'room:b'])
      a.names.unregisterName('user:a')
      expect(namesOf(a.names.select({ prefix: 'user:', limit: 1 }))).toEqual(['user:b'])
      for (const bad of [{ prefx: 'x' }, { prefix: 7 }, { limit: -1 }, { where: 'x' }, null])
        expect(() => a.names.select(bad as never)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    },
  )

  it('are counted: all, by node, and by prefix; also when a node is gone and comes back', async () => {
    const options = { countedPrefixes: ['user:'] }
    const [a, b] = [await join(cluster, 'a', options), await join(cluster, 'b', options)]
    const [one, two] = [idle(a), idle(b)]
    a.names.registerNames(Array.from({ length: 20 }, (_, i) => ({ name: `user:${i}`, pid: one })))
    b.names.registerNames(Array.from({ length: 30 }, (_, i) => ({ name: `room:${i}`, pid: two })))
    await cluster.advance(10)
    const counts = (): number[] => [
      b.names.size,
      b.names.count('user:'),
      b.names.countOn(a.node.name),
      b.names.countOn(b.node.name),
    ]
    expect(counts()).toEqual([50, 20, 20, 30])
    cluster.partition(['a'], ['b'])
    await cluster.advance(6_000)
    expect(counts()).toEqual([30, 0, 0, 30])
    cluster.heal()
    await cluster.advance(3_000)
    expect(counts()).toEqual([50, 20, 20, 30])
    expect(() => b.names.count('room:')).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    expect(b.names.countOn('nobody@127.0.0.1' as NodeName)).toBe(0)
  })
})

describe('a watch', () => {
  it('is of a name or of a prefix: both do not compile, and are an error', async () => {
    const a = await join(cluster, 'a')
    const pid = idle(a)
    // @ts-expect-error: both
    expect(() => a.names.watch(pid, { name: 'x', prefix: 'y' })).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
    )
  })

  it('tells what there is, and then each change, in turn, with no gap', async () => {
    const [a, b] = [await join(cluster, 'a'), await join(cluster, 'b')]
    const [watcher, messages] = collector(a)
    const [one, two] = [idle(a), idle(b)]
    b.names.registerName('before', two)
    await cluster.advance(10)
    const { rows, ref } = a.names.watch(watcher)
    a.names.registerName('x', one)
    a.names.unregisterName('x')
    a.names.registerName('x', one, { room: 'lobby' })
    a.names.setMeta('x', { room: 'inn' })
    b.names.unregisterName('before')
    await cluster.advance(10)
    expect(rows).toMatchObject([{ name: 'before' }])
    const changes = (messages as NamesMessage<Meta>[]).flatMap((message) => message.changes)
    expect(changes.map(({ type, name }) => `${type} ${name}`)).toEqual([
      'joined x',
      'left x',
      'joined x',
      'changed x',
      'left before',
    ])
    expect(changes[3]?.meta).toEqual({ room: 'inn' })
    expect(known(rows, messages)).toEqual(seen(a))
    expect(a.names.unwatch(ref)).toBe(true)
    a.names.unregisterName('x')
    await cluster.advance(10)
    expect(messages).toHaveLength(2)
    expect(a.names.unwatch(ref)).toBe(false)
  })

  it('of a prefix, or of a name, hears of no other', async () => {
    const a = await join(cluster, 'a')
    const [byPrefix, ofPrefix] = collector(a)
    const [byName, ofName] = collector(a)
    await cluster.settle()
    a.names.watch(byPrefix, { prefix: 'user:' })
    a.names.watch(byName, { name: 'user:b' })
    const pid = idle(a)
    for (const name of ['room:a', 'user:a', 'user:b']) a.names.registerName(name, pid)
    await cluster.settle()
    const namesIn = (messages: readonly unknown[]): string[] =>
      (messages as NamesMessage[]).flatMap(({ changes }) => changes.map(({ name }) => name))
    expect(namesIn(ofPrefix)).toEqual(['user:a', 'user:b'])
    expect(namesIn(ofName)).toEqual(['user:b'])
  })

  it('that begins while 5,000 names of a dead node are being taken out hears of each of them once', async () => {
    const [a, b] = [await join(cluster, 'a'), await join(cluster, 'b')]
    const pid = idle(b)
    b.names.registerNames(Array.from({ length: 5_000 }, (_, i) => ({ name: `name ${i}`, pid })))
    await cluster.advance(100)
    const [early, first] = collector(a)
    const [late, second] = collector(a)
    const mine = idle(a)
    await cluster.settle()
    const begun = a.names.watch(early)
    let joined: ReturnType<typeof a.names.watch> | undefined
    let whereis: Pid | undefined
    let size: number | undefined
    a.node.self.attachTable({
      onProcessEnd: () => undefined,
      onNodeDown: () => {
        // Nothing of it is seen any more; but who watches has been told of none yet.
        ;[whereis, size] = [a.names.whereisName('name 1'), a.names.size]
        joined = a.names.watch(late)
        a.names.registerName('name 1', mine)
      },
    })
    cluster.crash('b')
    await cluster.advance(1_000)
    expect([whereis, size]).toEqual([undefined, 0])
    expect(joined?.rows.length).toBe(5_000)
    expect(known(begun.rows, first)).toEqual(seen(a))
    expect(known(joined?.rows ?? [], second)).toEqual(seen(a))
    expect(seen(a)).toEqual([`name 1 ${mine}`])
  })
})

describe('a node that starts', () => {
  it('waits no time that is none: of names and of groups that is an error, even if there is nothing to wait for', async () => {
    const a = await join(cluster, 'a')
    a.names.registerName('x', idle(a))
    const groups = await cluster.run(ProcessGroups.start(a.node))
    for (const timeoutMs of [-1, NaN, '50', null]) {
      const badArgument = expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' })
      await expect(a.names.resolveName('x', timeoutMs as never)).rejects.toEqual(badArgument)
      await expect(a.names.filled(timeoutMs as never)).rejects.toEqual(badArgument)
      await expect(groups.filled(timeoutMs as never)).rejects.toEqual(badArgument)
    }
  })

  it('waits in resolveName for names that are on their way', async () => {
    const a = await join(cluster, 'a')
    const pid = idle(a)
    a.names.registerName('x', pid)
    // A node that has no such table is not waited for.
    await cluster.start('c')
    const node = await cluster.start('b')
    await cluster.advance(50)
    const names = await cluster.run(GlobalEts.start<Meta>(node))
    const found = names.resolveName('x')
    const missing = names.resolveName('y')
    expect(names.whereisName('x')).toBeUndefined()
    await cluster.advance(50)
    expect((await found)?.equals(pid)).toBe(true)
    await expect(missing).resolves.toBeUndefined()
  })

  it('waits for them no longer than it is told to, and then knows what it has', async () => {
    const a = await join(cluster, 'a')
    a.names.registerName('x', idle(a))
    const node = await cluster.start('b')
    await cluster.advance(50)
    // What a says is on its way for longer than that.
    cluster.network.setLatency('a', 'b', 3_000)
    const names = await cluster.run(GlobalEts.start<Meta>(node))
    let answered: unknown = 'not yet'
    void names.resolveName('x', 500).then((found) => (answered = found))
    let isFilled = false
    void names.filled(500).then(() => (isFilled = true))
    await cluster.advance(499)
    expect([answered, isFilled]).toEqual(['not yet', false])
    await cluster.advance(2)
    expect([answered, isFilled]).toEqual([undefined, true])
    await cluster.advance(6_000)
    expect(names.whereisName('x')).toBeDefined()
  })
})

describe('quotas', () => {
  it('of a node that has more names than it may nothing is seen, and the others go on', async () => {
    const quota = { maxNamesPerNode: 100 }
    const [a, b, c] = [
      await join(cluster, 'a', { quota }),
      await join(cluster, 'b', { quota }),
      await join(cluster, 'c', { quota }),
    ]
    const [pid, other] = [idle(b), idle(c)]
    c.names.registerName('of c', other)
    b.names.registerNames(Array.from({ length: 101 }, (_, i) => ({ name: `name ${i}`, pid })))
    await cluster.advance(1_000)
    expect(a.names.registeredNames()).toEqual(['of c'])
    expect(a.names.stats.nodes.find(({ node }) => node === b.node.name)).toMatchObject({ state: 'refused', rows: 0 })
    b.names.unregisterName('name 0')
    await cluster.advance(70_000)
    expect(a.names.size).toBe(101)
    expect(a.names.stats.rowsHeld).toBe(101)
  })

  it('a node that has just as many names as it may can claim one of them anew', async () => {
    const quota = { maxNamesPerNode: 100 }
    const [a, b] = [await join(cluster, 'a', { quota }), await join(cluster, 'b', { quota })]
    const pid = idle(b)
    b.names.registerNames(Array.from({ length: 100 }, (_, i) => ({ name: `name ${i}`, pid })))
    await cluster.advance(10)
    b.names.takeover('name 7', pid, { meta: { room: 'lobby' } })
    await cluster.advance(10)
    expect(a.names.metaOf('name 7')).toEqual({ room: 'lobby' })
    expect(a.names.size).toBe(100)
  })

  it('what a node sends faster than it may is taken later, all of it', async () => {
    const quota = { maxOpsPerSecond: 100 }
    const [a, b] = [await join(cluster, 'a', { quota }), await join(cluster, 'b', { quota })]
    const pid = idle(b)
    for (let i = 0; i < 3_000; i++) {
      b.names.registerName(`name ${i % 1_500}`, pid)
      if (i >= 750) b.names.unregisterName(`name ${(i - 750) % 1_500}`)
      if (i % 500 === 0) await cluster.advance(5)
    }
    await cluster.advance(5)
    expect(a.names.size).toBeLessThan(750)
    await cluster.advance(120_000)
    expect(seen(a)).toEqual(seen(b))
  })
})

describe('the end of a table', () => {
  it('takes the names of the node out everywhere; their processes live on, and another table can be started', async () => {
    const [a, b] = [await join(cluster, 'a'), await join(cluster, 'b')]
    const pid = idle(a)
    a.names.registerName('x', pid)
    await cluster.advance(10)
    await cluster.run(a.names.stop())
    await cluster.advance(10)
    expect(b.names.registeredNames()).toEqual([])
    expect(a.node.isProcessAlive(pid)).toBe(true)
    const stopped = expect.objectContaining({ code: 'ERR_NODE_STOPPED' })
    expect(() => a.names.registerName('y', pid)).toThrowError(stopped)
    expect(() => a.names.takeover('y', pid, { expectedEpoch: 3 })).toThrowError(stopped)
    expect(a.names.unregisterName('x')).toBe('ok')
    const again = await cluster.run(GlobalEts.start<Meta>(a.node))
    again.registerName('z', pid)
    await cluster.advance(50)
    expect(b.names.registeredNames()).toEqual(['z'])
    expect(again.registeredNames()).toEqual(['z'])
  })
})

for (const stopped of ['names', 'node'] as const)
  it(`when the ${stopped === 'names' ? 'table' : 'node'} has been stopped nothing is found, and all that changes or watches is an error`, async () => {
    const [a, b] = [await join(cluster, 'a'), await join(cluster, 'b')]
    const pid = idle(a)
    a.names.registerName('x', pid)
    b.names.registerName('y', idle(b))
    const { ref } = a.names.watch(pid)
    await cluster.advance(10)
    await cluster.run(a[stopped].stop())
    expect(a.names.registeredNames()).toEqual([])
    expect(a.names.size).toBe(0)
    for (const name of ['x', 'y']) {
      expect(a.names.whereisName(name)).toBeUndefined()
      expect(await a.names.resolveName(name)).toBeUndefined()
      expect(a.names.send(name, 1)).toBe('noproc')
      expect(a.names.unregisterName(name)).toBe('ok')
    }
    const acts: readonly (() => unknown)[] = [
      () => a.names.registerName('z', pid),
      () => a.names.registerName('x', pid),
      () => a.names.registerNames([{ name: 'z', pid }]),
      () => a.names.registerNames([]),
      () => a.names.registerOrFind('x', pid),
      () => a.names.takeover('x', pid),
      () => a.names.setMeta('x', {}),
      () => a.names.setMeta('y', {}),
      () => a.names.watch(pid),
      () => a.names.watch(pid, { name: 'x' }),
    ]
    for (const act of acts) expect(act).toThrowError(expect.objectContaining({ code: 'ERR_NODE_STOPPED' }))
    // Its watcher lives on where only the table was stopped.
    expect(a.names.unwatch(ref)).toBe(stopped === 'names')
    await a.names.filled()
  })

it('a part of a pattern, of options or of a name to be registered that is undefined is one that was not given', async () => {
  const a = await join(cluster, 'a')
  const pid = idle(a)
  a.names.registerNames([{ name: 'x', pid, meta: undefined }])
  expect(a.names.takeover('y', pid, { meta: undefined, expectedEpoch: undefined })).toBeGreaterThan(0)
  const unset = { prefix: undefined, from: undefined, to: undefined, node: undefined, where: undefined }
  expect(a.names.select({ ...unset, limit: undefined }).map(({ name }) => name)).toEqual(['x', 'y'])
  expect(a.names.watch(pid, { name: undefined, prefix: undefined }).rows).toHaveLength(2)
})

describe('a sort key that registers a name of its own', () => {
  it('puts neither name in the place of the other, on no node', async () => {
    type Rank = { readonly rank: number }
    const isRank = (meta: object): meta is Rank => 'rank' in meta
    const [a, b] = [await cluster.start('a'), await cluster.start('b')]
    let count = 0
    const namesOf = (node: Member['node'], register: (name: string) => void): Promise<GlobalEts<Rank>> => {
      const sortKey = ({ name, meta }: Claimant): number => {
        if (name === 'taken' && count < 5) register(`seen:${count++}`)
        return Number(meta['rank'])
      }
      return cluster.run(GlobalEts.start<Rank>(node, { metadata: isRank, policy: { name: 'rank', sortKey } }))
    }
    const onA: GlobalEts<Rank> = await namesOf(a, (name) => void onA.registerName(name, idle({ node: a }), { rank: 0 }))
    const onB = await namesOf(b, () => undefined)
    await cluster.advance(100)
    onB.registerName('taken', idle({ node: b }), { rank: 1 })
    await cluster.advance(100)
    const pid = idle({ node: a })
    onA.takeover('taken', pid, { meta: { rank: 5 } })
    await cluster.advance(100)
    const rows = (names: GlobalEts<Rank>): string[] =>
      names.registeredInfo().map(({ name, pid: holder }) => `${name} ${holder}`)
    expect(count).toBe(5)
    expect(onB.whereisName('taken')).toEqual(pid)
    expect(rows(onB)).toEqual(rows(onA))
  })
})

describe('types', () => {
  it('metadata is typed by the table, and must be given where it has fields that must be there', async () => {
    const node = await cluster.start('a')
    const isUser = (meta: object): meta is { readonly user: string } => 'user' in meta && typeof meta.user === 'string'
    const names = await cluster.run(GlobalEts.start(node, { metadata: isUser }))
    const pid = node.spawn(handler(() => () => undefined))
    expectTypeOf(names.metaOf('x')).toEqualTypeOf<{ readonly user: string } | undefined>()
    expectTypeOf<NameChange<{ readonly user: string }>['meta']>().toEqualTypeOf<{ readonly user: string }>()
    expect(names.registerName('x', pid, { user: 'alice' })).toBe('yes')
    // @ts-expect-error: there is no name without a user
    expect(() => names.registerName('y', pid)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    // @ts-expect-error: nor with a user that is a number
    expect(() => names.setMeta('x', { user: 7 })).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    // @ts-expect-error: nor many of them
    expect(() => names.registerNames([{ name: 'z', pid }])).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
    )
    // @ts-expect-error: nor by a takeover
    expect(() => names.takeover('x', pid)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    expect(names.registeredNames()).toEqual(['x'])
  })
})
