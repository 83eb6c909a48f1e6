import { Pid, type NameMeta, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { ProcessGroups, type GroupMessage, type ProcessGroupsOptions } from '@pidmesh/global-ets'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { collector } from './lab.ts'

interface Member {
  readonly node: Node
  readonly groups: ProcessGroups
}

let cluster: TestCluster
let a: Member
let b: Member

async function join(name: string, options?: ProcessGroupsOptions): Promise<Member> {
  const node = await cluster.start(name)
  const groups = await cluster.run(ProcessGroups.start(node, options))
  await cluster.advance(50)
  return { node, groups }
}

const texts = (pids: readonly Pid[]): string[] => pids.map(String).sort()

beforeEach(async () => {
  cluster = new TestCluster()
  a = await join('a')
  b = await join('b')
})

afterEach(async () => {
  await cluster.stop()
})

describe('as pg', () => {
  it('who joins on one node is a member on all, until it leaves or ends', async () => {
    const [one] = collector(a)
    const [two] = collector(b)
    expect(a.groups.join('room', one)).toBe('ok')
    expect(b.groups.join('room', two)).toBe('ok')
    await cluster.advance(10)
    for (const { groups } of [a, b]) expect(texts(groups.members('room'))).toEqual(texts([one, two]))
    expect(texts(a.groups.localMembers('room'))).toEqual(texts([one]))
    expect(texts(b.groups.localMembers('room'))).toEqual(texts([two]))
    expect(a.groups.leave('room', one)).toBe('ok')
    expect(a.groups.leave('room', one)).toBe('not_joined')
    b.node.exit(two, 'kill')
    expect(b.groups.localMembers('room')).toEqual([])
    await cluster.advance(10)
    expect(a.groups.members('room')).toEqual([])
    expect(a.groups.groups()).toEqual([])
  })

  it('a process that joins twice is a member twice, and has to leave twice', async () => {
    const [pid] = collector(a)
    a.groups.join('room', [pid, pid])
    await cluster.advance(10)
    expect(b.groups.members('room')).toHaveLength(2)
    expect(b.groups.size).toBe(2)
    a.groups.leave('room', pid)
    await cluster.advance(10)
    expect(b.groups.members('room')).toHaveLength(1)
    expect(a.groups.leave('room', [pid, pid])).toBe('ok')
    await cluster.advance(10)
    expect(b.groups.members('room')).toEqual([])
  })

  it('only living processes of the own node can join, all or none; nobody takes another node’s process out', async () => {
    const [mine] = collector(a)
    const [theirs] = collector(b)
    expect(() => a.groups.join('room', [mine, theirs])).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
    )
    expect(a.groups.members('room')).toEqual([])
    b.groups.join('room', theirs)
    await cluster.advance(10)
    expect(a.groups.leave('room', theirs)).toBe('not_joined')
    expect(a.groups.setMeta('room', theirs, { away: true })).toBe('error')
    await cluster.advance(10)
    expect(b.groups.members('room')).toHaveLength(1)
  })

  it('of a process of another node, or of an earlier life of this one, nothing is meant that is here, though it has the same number', async () => {
    const [mine] = collector(a)
    const [theirs] = collector(b)
    const { name, incarnation } = a.node
    const former = new Pid({ name, incarnation: incarnation - 1 }, mine.id)
    expect(theirs.id).toBe(mine.id)
    a.groups.join('room', mine, { nick: 'alice' })
    for (const other of [theirs, former]) {
      expect(a.groups.leave('room', other)).toBe('not_joined')
      expect(a.groups.setMeta('room', other, { nick: 'bob' })).toBe('error')
    }
    expect(a.groups.presence('room')).toEqual([{ pid: mine, meta: { nick: 'alice' } }])
  })

  for (const stopped of ['groups', 'node'] as const)
    it(`when ${stopped === 'groups' ? 'the groups have' : 'the node has'} been stopped nobody is found, nobody has joined, and all that changes, sends or monitors is an error`, async () => {
      const [one] = collector(a)
      const [two] = collector(b)
      a.groups.join('room', one)
      b.groups.join('room', two)
      const { ref } = a.groups.monitorScope(one)
      await cluster.advance(10)
      await cluster.run(a[stopped].stop())
      expect(a.groups.members('room')).toEqual([])
      expect(a.groups.presence('room')).toEqual([])
      expect(a.groups.groups()).toEqual([])
      expect(a.groups.size).toBe(0)
      for (const pid of [one, two]) expect(a.groups.leave('room', pid)).toBe('not_joined')
      const acts: readonly (() => unknown)[] = [
        () => a.groups.join('room', one),
        () => a.groups.join('room', two),
        () => a.groups.join('room', []),
        () => a.groups.setMeta('room', one, {}),
        () => a.groups.setMeta('room', two, {}),
        () => a.groups.broadcast('room', 'x'),
        () => a.groups.broadcast('nobody', 'x'),
        () => a.groups.monitorScope(one),
        () => a.groups.monitorGroup(one, 'room'),
      ]
      for (const act of acts) expect(act).toThrowError(expect.objectContaining({ code: 'ERR_NODE_STOPPED' }))
      expect(() => a.groups.leave('', one)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
      // Its watcher lives on where only the groups were stopped.
      expect(a.groups.demonitor(ref)).toBe(stopped === 'groups')
      await a.groups.filled()
    })

  it('the groups are listed in key order: all that have members, and those with members here', async () => {
    const [one] = collector(a)
    const [two] = collector(b)
    a.groups.join('zoo', one)
    a.groups.join('bar', one)
    b.groups.join('inn', two)
    await cluster.advance(10)
    expect(b.groups.groups()).toEqual(['bar', 'inn', 'zoo'])
    expect(b.groups.localGroups()).toEqual(['inn'])
    cluster.crash('a')
    await cluster.advance(10)
    expect(b.groups.groups()).toEqual(['inn'])
    expect(b.groups.countOn(a.node.name)).toBe(0)
  })

  it('groups of another scope are other groups', async () => {
    const quota = { maxMembersPerNode: undefined, maxOpsPerSecond: undefined }
    const other = await cluster.run(ProcessGroups.start(a.node, { scope: 'other', quota }))
    const [pid] = collector(a)
    other.join('room', pid)
    await cluster.advance(10)
    expect(a.groups.members('room')).toEqual([])
    expect(other.members('room')).toHaveLength(1)
    await expect(cluster.run(ProcessGroups.start(a.node, { scope: 'other' }))).rejects.toMatchObject({
      code: 'ERR_ALREADY_STARTED',
    })
  })
})

describe('presence', () => {
  it('the metadata of a member is known on all nodes, and can be replaced', async () => {
    const [pid] = collector(a)
    a.groups.join('room', pid, { nick: 'alice' })
    await cluster.advance(10)
    expect(b.groups.presence('room').map(({ meta }) => meta)).toEqual([{ nick: 'alice' }])
    expect(a.groups.setMeta('room', pid, { nick: 'al' })).toBe('ok')
    await cluster.advance(10)
    expect(b.groups.presence('room').map(({ meta }) => meta)).toEqual([{ nick: 'al' }])
  })

  it('is of the groups’ type, or nobody joins and nothing changes', async () => {
    const isNamed = (meta: NameMeta): meta is { readonly nick: string } => 'nick' in meta
    const groups = await cluster.run(ProcessGroups.start(a.node, { scope: 'named', metadata: isNamed }))
    const [pid] = collector(a)
    const untyped = groups as unknown as ProcessGroups
    const refused = expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' })
    expect(() => untyped.join('room', pid, { age: 7 })).toThrowError(refused)
    groups.join('room', pid, { nick: 'alice' })
    expect(() => untyped.setMeta('room', pid, { age: 7 })).toThrowError(refused)
    expect(groups.presence('room')).toEqual([{ pid, meta: { nick: 'alice' } }])
  })

  it('that of a process that is there twice is replaced twice', async () => {
    const [pid] = collector(a)
    a.groups.join('room', [pid, pid], { nick: 'alice' })
    a.groups.setMeta('room', pid, { nick: 'al' })
    await cluster.advance(10)
    for (const { groups } of [a, b])
      expect(groups.presence('room').map(({ meta }) => meta)).toEqual([{ nick: 'al' }, { nick: 'al' }])
  })

  it('a monitor gives the groups in key order: any other would tell of the secret of the hash', async () => {
    const [one] = collector(a)
    const [watcher] = collector(b)
    const names = Array.from({ length: 100 }, (_, n) => `room:${n}`)
    for (const group of names) a.groups.join(group, one, { nick: 'alice' })
    await cluster.advance(10)
    expect([...b.groups.monitorScope(watcher).groups.keys()]).toEqual(names.toSorted())
  })

  it('a monitor gives what there is, and then each change, with no gap between', async () => {
    const [one] = collector(a)
    const [two] = collector(b)
    const [watcher, messages] = collector(a)
    b.groups.join('room', two, { nick: 'bob' })
    await cluster.advance(10)
    const { ref, groups } = a.groups.monitorScope(watcher)
    a.groups.join('room', one, { nick: 'alice' })
    a.groups.setMeta('room', one, { nick: 'al' })
    b.groups.leave('room', two)
    await cluster.advance(10)
    expect([...groups].map(([group, members]) => [group, members.map(({ meta }) => meta)])).toEqual([
      ['room', [{ nick: 'bob' }]],
    ])
    const told = (messages as GroupMessage[]).map((message) =>
      message.type === 'leave' ? 'leave' : [message.type, message.members.map(({ meta }) => meta)],
    )
    // What is told of a member is what it is when it is told.
    expect(told).toEqual([['join', [{ nick: 'alice' }]], ['meta', [{ nick: 'al' }]], 'leave'])
    expect((messages as GroupMessage[]).every((message) => message.ref.equals(ref))).toBe(true)
    expect(a.groups.demonitor(ref)).toBe(true)
    a.groups.join('room', one)
    await cluster.advance(10)
    expect(messages).toHaveLength(3)
  })

  it('a monitor is told of those that join one group one after the other in one message, and of another group in another', async () => {
    const [one] = collector(a)
    const [two] = collector(a)
    const [watcher, messages] = collector(a)
    a.groups.monitorScope(watcher)
    a.groups.join('bar', [one, two])
    a.groups.join('zoo', [one, two])
    await cluster.advance(10)
    expect((messages as GroupMessage[]).map(({ type, group }) => [type, group])).toEqual([
      ['join', 'bar'],
      ['join', 'zoo'],
    ])
    for (const message of messages) expect(message).toMatchObject({ pids: [one, two], members: [{}, {}] })
  })

  it('a monitor of one group hears of no other, and of all members of a node that is gone', async () => {
    const [watcher, messages] = collector(a)
    const pids = Array.from({ length: 1_000 }, () => collector(b)[0])
    await cluster.settle()
    b.groups.join('room', pids)
    b.groups.join('other', pids)
    await cluster.advance(50)
    const { members } = a.groups.monitorGroup(watcher, 'room')
    expect(members).toHaveLength(1_000)
    cluster.crash('b')
    await cluster.advance(50)
    const left = (messages as GroupMessage[]).flatMap((message) => (message.type === 'leave' ? message.pids : []))
    expect(left).toHaveLength(1_000)
    expect(new Set((messages as GroupMessage[]).map(({ group }) => group))).toEqual(new Set(['room']))
  })
})

describe('broadcast', () => {
  it('reaches each member on each node once, by one message a node', async () => {
    const onA = Array.from({ length: 20 }, () => collector(a))
    const onB = Array.from({ length: 30 }, () => collector(b))
    await cluster.settle()
    a.groups.join(
      'room',
      onA.map(([pid]) => pid),
    )
    b.groups.join(
      'room',
      onB.map(([pid]) => pid),
    )
    await cluster.advance(10)
    const before = a.node.counters().signalsSent
    expect(a.groups.broadcast('room', { text: 'hello' })).toBe('ok')
    expect(a.groups.broadcast('room', { text: 'again' })).toBe('ok')
    expect(a.node.counters().signalsSent - before).toBe(2)
    await cluster.advance(10)
    for (const [, messages] of [...onA, ...onB]) expect(messages).toEqual([{ text: 'hello' }, { text: 'again' }])
  })

  it('what cannot be sent reaches nobody, and to a group without members nothing is sent', async () => {
    const [one, got] = collector(a)
    const [two] = collector(b)
    a.groups.join('room', one)
    b.groups.join('room', two)
    await cluster.advance(10)
    expect(() => a.groups.broadcast('room', () => 1)).toThrowError(
      expect.objectContaining({ code: 'ERR_NOT_SENDABLE' }),
    )
    expect(a.groups.broadcast('nobody', 'x')).toBe('ok')
    await cluster.advance(10)
    expect(got).toEqual([])
  })
})

describe('a quota', () => {
  const withQuota = async (quota: ProcessGroupsOptions['quota']): Promise<ProcessGroups[]> => {
    const options = { scope: 'bound', quota }
    const started = [a, b].map(({ node }) => cluster.run(ProcessGroups.start(node, options)))
    const groups = await Promise.all(started)
    await cluster.advance(50)
    return groups
  }

  it('is how many memberships of another node are taken: of one that has more nothing is seen', async () => {
    const [onA, onB] = await withQuota({ maxMembersPerNode: 2 })
    const [pid] = collector(b)
    onB?.join('room', [pid, pid])
    await cluster.advance(10)
    expect(onA?.members('room')).toHaveLength(2)
    onB?.join('room', pid)
    await cluster.advance(10)
    expect(onA?.members('room')).toEqual([])
  })

  it('is how many operations a second are taken: what is over that is taken later', async () => {
    const [onA, onB] = await withQuota({ maxOpsPerSecond: 10 })
    const [pid] = collector(b)
    for (let turn = 0; turn < 3; turn++) {
      onB?.join('room', new Array<Pid>(40).fill(pid))
      await cluster.advance(1)
    }
    expect(onA?.members('room').length).toBeLessThan(120)
    await cluster.advance(4_000)
    expect(onA?.members('room')).toHaveLength(120)
  })
})

describe('faults', () => {
  it('after a cut all nodes have all members again, those that joined meanwhile included', async () => {
    const [one] = collector(a)
    const [two] = collector(b)
    a.groups.join('room', one)
    await cluster.advance(10)
    cluster.partition(['a'], ['b'])
    await cluster.advance(6_000)
    expect(b.groups.members('room')).toEqual([])
    b.groups.join('room', two)
    a.groups.join('room', one)
    cluster.heal()
    await cluster.advance(5_000)
    for (const { groups } of [a, b]) expect(texts(groups.members('room'))).toEqual(texts([one, one, two]))
  })

  it('when its server is killed a node has its members back, and the others have them too', async () => {
    const [one] = collector(a)
    a.groups.join('room', [one, one])
    await cluster.advance(10)
    a.node.exit(a.node.whereis('pidmesh_groups:default') as Pid, 'kill')
    await cluster.advance(100)
    for (const { groups } of [a, b]) expect(groups.members('room')).toHaveLength(2)
  })
})
