import { ProcessGroups } from '@pidmesh/global-ets'
import { handler } from '@pidmesh/runtime'
import type { Node, Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { Everyone } from '../src/everyone.ts'

type Member = { node: Node; groups: ProcessGroups; everyone: Everyone }

let cluster: TestCluster

beforeEach(() => {
  cluster = new TestCluster()
})

afterEach(() => cluster.stop())

async function start(name: string, isOnePerUser: boolean): Promise<Member> {
  const node = await cluster.start(name)
  const groups = await cluster.run(ProcessGroups.start(node))
  await cluster.advance(50)
  return { node, groups, everyone: new Everyone(node, groups, isOnePerUser) }
}

function session({ node }: Member): Pid {
  return node.spawn(handler(() => () => undefined))
}

function shown({ everyone }: Member): string {
  return everyone.users.map(({ user, node, room }) => `${user} ${node.split('@')[0]} ${room}`).join(', ')
}

describe.each([true, false])('who is online, where a name has one process (%s)', (isOnePerUser) => {
  let a: Member
  let b: Member

  beforeEach(async () => {
    a = await start('a', isOnePerUser)
    b = await start('b', isOnePerUser)
  })

  it('is known on all nodes, sorted, from the beginning to the end of a session', async () => {
    const [bob, alice] = [session(a), session(b)]
    a.everyone.enter(bob, { user: 'bob', room: 'lobby', session: '1' })
    b.everyone.enter(alice, { user: 'alice', room: 'lobby', session: '2' })
    a.everyone.goTo(bob, 'cats')
    await cluster.advance(50)
    for (const member of [a, b]) expect(shown(member)).toBe('alice b lobby, bob a cats')
    expect(a.everyone.here.map(String)).toEqual([String(bob)])
    expect(b.everyone.has('bob')).toBe(true)

    a.node.exit(bob, 'kill')
    await cluster.advance(50)
    for (const member of [a, b]) expect(shown(member)).toBe('alice b lobby')
    expect(b.everyone.has('bob')).toBe(false)
  })

  it('has a session that has moved once, at the node to which it went, and back', async () => {
    const seat = { user: 'bob', room: 'lobby', session: '1' }
    a.everyone.enter(session(a), seat)
    await cluster.advance(50)
    b.everyone.enter(session(b), seat)
    await cluster.advance(50)
    for (const member of [a, b]) expect(shown(member)).toBe('bob b lobby')
    expect(a.everyone.here).toEqual([])
    const back = session(a)
    a.everyone.enter(back, seat)
    await cluster.advance(50)
    for (const member of [a, b]) expect(shown(member)).toBe('bob a lobby')
    expect(a.everyone.here.map(String)).toEqual([String(back)])
  })

  it(`of two sessions of a user ${isOnePerUser ? 'the later one counts' : 'both count'}`, async () => {
    a.everyone.enter(session(a), { user: 'bob', room: 'lobby', session: '1' })
    await cluster.advance(50)
    b.everyone.enter(session(b), { user: 'bob', room: 'cats', session: '2' })
    await cluster.advance(50)
    for (const member of [a, b]) expect(shown(member)).toBe(isOnePerUser ? 'bob b cats' : 'bob a lobby, bob b cats')
  })

  it('passes over what is no session', async () => {
    a.groups.join('everyone', session(a), { user: 'bob', room: 7 })
    await cluster.advance(50)
    expect(shown(b)).toBe('')
  })

  it('is told to who watches', async () => {
    const told: unknown[] = []
    b.everyone.watch(b.node.spawn(handler(() => (message) => void told.push(message))))
    const bob = session(a)
    a.everyone.enter(bob, { user: 'bob', room: 'lobby', session: '1' })
    a.everyone.goTo(bob, 'cats')
    await cluster.advance(50)
    a.node.exit(bob, 'kill')
    await cluster.advance(50)
    expect(told).toMatchObject([{ type: 'join' }, { type: 'meta' }, { type: 'leave' }])
  })
})
