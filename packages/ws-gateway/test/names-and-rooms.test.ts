import { afterAll, beforeAll, describe, expect, expectTypeOf, it, onTestFinished, vi } from 'vitest'
import { handler, type Pid } from '@pidmesh/runtime'
import { messageOfRoom, SocketSession, type NamePolicy, type SessionRooms } from '@pidmesh/ws-gateway'
import { WebSocket } from 'ws'
import { Lab, type LabClient } from './lab.ts'
import type { SimMessage, SimPrincipal } from './simulation/sim-lab.ts'
import { hello, labOf } from './simulation/steps.ts'

let lab: Lab

beforeAll(async () => {
  lab = await Lab.start(3)
})
afterAll(() => lab.stop())

async function named(index: number, name: string, policy: 'unique' | 'replace' | 'multi'): Promise<LabClient> {
  const client = await lab.connect(index, name)
  client.send({ type: 'register', name, policy })
  return client
}

/** Has the name on all nodes. */
async function isKnown(name: string, onNode: number): Promise<void> {
  const { node } = lab.at(onNode)
  await expect.poll(() => lab.nodes.map(({ names }) => names.whereisName(name)?.node)).toEqual(Array(3).fill(node.name))
}

describe.each([
  { where: 'of the same node', other: 0 },
  { where: 'of another node', other: 1 },
])('a name that a second session $where wants', ({ other }) => {
  it('unique: stays with the first, and the second is closed with 4009', async () => {
    const name = `unique${other}`
    const first = await named(0, name, 'unique')
    await first.received(1)
    await isKnown(name, 0)
    const second = await named(other, name, 'unique')
    expect(await second.closed).toEqual({ code: 4009, reason: 'name_taken' })
    lab.at(2).names.send(name, 'still here')
    expect(await first.received(2)).toContain('still here')
  })

  it('unique: is yielded by a session whose client has no socket', async () => {
    const name = `yielded${other}`
    const first = await named(0, name, 'unique')
    await first.received(1)
    await isKnown(name, 0)
    first.socket.terminate()
    await expect.poll(() => lab.at(0).gateway.stats.sessions.detached).toBe(1)
    const second = await named(other, name, 'unique')
    expect(await second.received(1)).toEqual([{ type: 'registered', name }])
    await isKnown(name, other)
    await expect.poll(() => lab.at(0).gateway.stats.sessions.detached).toBe(0)
  })

  it('unique: is yielded by a session whose client has never said that it knows of it', async () => {
    const name = `unknown${other}`
    const first = await lab.open(0)
    first.control({ type: 'hello', token: name })
    first.send({ type: 'register', name, policy: 'unique' })
    await first.received(1)
    await isKnown(name, 0)
    const second = await named(other, name, 'unique')
    expect(await second.received(1)).toEqual([{ type: 'registered', name }])
    expect(await first.closed).toEqual({ code: 4013, reason: 'replaced' })
  })

  it('replace: goes to the second, and the first is closed with 4013 replaced', async () => {
    const name = `replace${other}`
    const first = await named(0, name, 'replace')
    await first.received(1)
    await isKnown(name, 0)
    const second = await named(other, name, 'replace')
    expect(await first.closed).toEqual({ code: 4013, reason: 'replaced' })
    await isKnown(name, other)
    lab.at(2).names.send(name, 'to the newest')
    expect(await second.received(2)).toContain('to the newest')
  })

  it('multi: is of both; a push reaches each, or all but one', async () => {
    const name = `multi${other}`
    const [first, second] = [await named(0, name, 'multi'), await named(other, name, 'multi')]
    await Promise.all([first.received(1), second.received(1)])
    const { groups, gateway } = lab.at(2)
    await expect.poll(() => groups.members(`name:${name}`).length).toBe(2)
    expect(gateway.push(name, 'to both')).toBe('ok')
    expect(await first.received(2)).toContain('to both')
    expect(await second.received(2)).toContain('to both')
    const except = groups.members(`name:${name}`).find((pid) => pid.node === lab.at(0).node.name)
    if (except === undefined) throw new Error('nobody is on the first node')
    await gateway.push(name, 'to one', { except })
    await gateway.push(name, 'again to both')
    const [ofFirst, ofSecond] = await Promise.all([first.received(3), second.received(3)])
    expect([ofFirst, ofSecond].filter((messages) => messages.includes('to one')).length).toBe(1)
  })
})

it.each(['unique', 'replace', 'multi'] as const)(
  'a session may register its own name again (%s): it keeps it, and gets what is sent to it once',
  async (policy) => {
    const name = `again-${policy}`
    const client = await named(0, name, policy)
    client.send({ type: 'register', name, policy }, { type: 'register', name, policy })
    await client.received(3)
    await lab.at(0).gateway.push(name, 'once')
    await client.handled()
    expect(client.messages.filter((message) => message === 'once')).toEqual(['once'])
  },
)

it('a session that has replaced who had its name may register it as unique then: it keeps it', async () => {
  const client = await named(0, 'replaced-then-unique', 'replace')
  client.send({ type: 'register', name: 'replaced-then-unique', policy: 'unique' })
  await client.received(2)
  lab.at(0).names.send('replaced-then-unique', 'still here')
  expect(await client.received(3)).toContain('still here')
})

describe('a name that a session has for itself and wants as one of many, or the other way round', () => {
  const both = async (register: (as: (policy: NamePolicy) => Promise<string>) => Promise<readonly string[]>) => {
    class Both extends SocketSession<SimMessage, unknown, SimPrincipal> {
      override async handleConnect() {
        const as = (policy: NamePolicy) =>
          this.registerAs('ann', { policy }).then(
            () => policy,
            ({ code }: { code: string }) => code,
          )
        this.push(await register(as))
      }
    }
    const simulated = await labOf(1, { session: Both })
    const client = await hello(simulated, 0)
    const { names, groups } = simulated.at(0)
    return [client.messages[0], [names.whereisName('ann') !== undefined, groups.members('name:ann').length]]
  }

  it('is refused: only one of both would go with it to another node', async () => {
    const inTurn = async (as: (policy: NamePolicy) => Promise<string>) => [
      await as('unique'),
      await as('replace'),
      await as('multi'),
    ]
    expect(await both(inTurn)).toEqual([
      ['unique', 'replace', 'ERR_BAD_ARGUMENT'],
      [true, 0],
    ])
    const multiFirst = async (as: (policy: NamePolicy) => Promise<string>) => [await as('multi'), await as('unique')]
    expect(await both(multiFirst)).toEqual([
      ['multi', 'ERR_BAD_ARGUMENT'],
      [false, 1],
    ])
  })

  it('is refused also while the other is under way', async () => {
    expect(await both((as) => Promise.all([as('replace'), as('multi')]))).toEqual([
      ['ERR_BAD_ARGUMENT', 'multi'],
      [false, 1],
    ])
  })
})

it('the rooms of a session show its author what is for him, and nothing else', () => {
  type Shown = 'all' | 'join' | 'leave' | 'broadcast' | 'present' | 'watch' | 'unwatch'
  expectTypeOf<keyof SessionRooms>().toEqualTypeOf<Shown>()
})

describe('a name that nobody has', () => {
  it.each(['nobody at all', '', 'x'.repeat(254), 'x'.repeat(300), '\ud800'])('is told of by a push to it', (name) => {
    expect(lab.at(0).gateway.push(name, 'hello')).toBe('noproc')
  })

  it.each(['', 'x'.repeat(254), 'x'.repeat(300), '\ud800'])('can be revoked: nobody is', async (name) => {
    expect(await lab.at(0).gateway.revoke(name)).toBe(0)
  })

  it('can be sent to by a session, whatever its client makes of it', async () => {
    const client = await lab.connect(0, 'sender')
    for (const to of ['', 'x'.repeat(254), 'x'.repeat(300), '\ud800'])
      client.send({ type: 'send', to, message: 'hello' })
    await client.handled()
    expect(client.socket.readyState).toBe(WebSocket.OPEN)
  })
})

it('a session sends to a name, whichever policy that has', async () => {
  const [one, all, sender] = [
    await named(0, 'one', 'unique'),
    await named(1, 'all', 'multi'),
    await lab.connect(2, 'sender'),
  ]
  await Promise.all([one.received(1), all.received(1)])
  await isKnown('one', 0)
  await expect.poll(() => lab.at(2).groups.members('name:all').length).toBe(1)
  sender.send({ type: 'send', to: 'one', message: 'hi one' }, { type: 'send', to: 'all', message: 'hi all' })
  expect(await one.received(2)).toContain('hi one')
  expect(await all.received(2)).toContain('hi all')
})

it('revoke closes all sessions of a name with 4004, on whatever node, and none of them can be gone on with', async () => {
  const [first, second] = [await named(0, 'revoked', 'multi'), await named(1, 'revoked', 'multi')]
  await Promise.all([first.received(1), second.received(1)])
  await expect.poll(() => lab.at(2).groups.members('name:revoked').length).toBe(2)
  expect(await lab.at(2).gateway.revoke('revoked')).toBe(2)
  for (const client of [first, second]) expect(await client.closed).toEqual({ code: 4004, reason: 'revoked' })
  const again = await lab.resume(0, 'revoked', first.at)
  expect(await again.next('resume_failed')).toMatchObject({ why: 'gone' })
})

it('what only looks like a broadcast to a room ends no session: it is a message like any other', async () => {
  class Named extends SocketSession<SimMessage, unknown, SimPrincipal> {
    override handleConnect(): Promise<void> {
      return this.registerAs('ann')
    }
  }
  const simulated = await labOf(1, { session: Named })
  const socket = await hello(simulated, 0)
  const { names, node } = simulated.at(0)
  const forged = { type: '$pidmesh_room_message', id: 1, from: node.self.pid, group: 'room:a', message: 'x' }
  for (const except of [null, 'nobody', 7]) void names.send('ann', { ...forged, except })
  await simulated.cluster.settle()
  expect([socket.closed, socket.messages]).toEqual([undefined, ['x', 'x', 'x']])
})

describe('a process that is no session', () => {
  it('in the group of a room reads with messageOfRoom what is broadcast there, and nothing else', async () => {
    const simulated = await labOf(2)
    const [here, there] = [simulated.at(0), simulated.at(1)]
    const received: unknown[] = []
    const bot = there.node.spawn(handler(() => (message) => void received.push(message)))
    there.groups.join('room:lobby', bot)
    await simulated.cluster.advance(1_000)
    here.gateway.broadcast('lobby', { text: 'hello' }, { except: bot })
    here.gateway.broadcast('lobby', undefined)
    here.groups.broadcast('room:lobby', { text: 'as it is' })
    await simulated.cluster.advance(1_000)
    expect(received.map(messageOfRoom)).toEqual([
      { room: 'lobby', message: { text: 'hello' }, except: bot },
      { room: 'lobby', message: undefined, except: undefined },
      undefined,
    ])
    const [{ from }] = received as [{ from: Pid }]
    const forged = { type: '$pidmesh_room_message', id: 1, from, message: 'x', except: 'nobody' }
    expect([7, { ...forged, group: 1 }, { ...forged, group: 'name:ann' }].map(messageOfRoom)).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(messageOfRoom({ ...forged, group: 'room:a' })).toEqual({ room: 'a', message: 'x', except: undefined })
  })
})

describe('a room', () => {
  async function inRoom(index: number, user: string, room: string): Promise<LabClient> {
    const client = await lab.connect(index, user)
    client.send({ type: 'enter', room, meta: { mood: `mood of ${user}` } })
    await client.received(1)
    return client
  }

  it('brings what is said to all who are in it, on all nodes, but to the sender only if it wants it', async () => {
    const clients = await Promise.all([inRoom(0, 'a', 'hall'), inRoom(1, 'b', 'hall'), inRoom(1, 'c', 'hall')])
    const [a, b, c] = clients
    await expect.poll(() => lab.at(0).groups.members('room:hall').length).toBe(3)
    a.send({ type: 'say', room: 'hall', message: 'one' }, { type: 'say', room: 'hall', message: 'two', alsoMe: true })
    expect(await b.received(3)).toEqual([{ type: 'entered', room: 'hall' }, 'one', 'two'])
    expect(await c.received(3)).toEqual([{ type: 'entered', room: 'hall' }, 'one', 'two'])
    expect(await a.received(2)).toEqual([{ type: 'entered', room: 'hall' }, 'two'])
  })

  it('has what is said encoded once on a node, however many are in it', async () => {
    const clients = await Promise.all(['g', 'h', 'i'].map((user) => inRoom(2, user, 'choir')))
    const message = { text: 'la' }
    const stringify = vi.spyOn(JSON, 'stringify')
    onTestFinished(() => stringify.mockRestore())
    lab.at(2).gateway.broadcast('choir', message)
    for (const client of clients) expect((await client.received(2)).at(-1)).toEqual(message)
    expect(stringify.mock.calls.filter(([value]) => value === message)).toHaveLength(1)
  })

  it('brings nothing to who has left it, or has gone for good', async () => {
    const [stays, leaves, goes] = [
      await inRoom(0, 'd', 'den'),
      await inRoom(1, 'e', 'den'),
      await inRoom(2, 'f', 'den'),
    ]
    leaves.send({ type: 'leave', room: 'den' })
    await leaves.handled()
    goes.socket.close(1000)
    await expect.poll(() => lab.nodes.map(({ groups }) => groups.members('room:den').length)).toEqual([1, 1, 1])
    lab.at(2).gateway.broadcast('den', 'who is there?')
    expect(await stays.received(2)).toContain('who is there?')
    await leaves.handled()
    expect(leaves.messages).not.toContain('who is there?')
  })

  it('is watched: first who is there, then who comes, changes and goes; a user of two devices comes and goes once', async () => {
    const watcher = await lab.connect(0, 'watcher')
    const first = await inRoom(1, 'g', 'watched')
    await expect.poll(() => lab.at(0).groups.members('room:watched').length).toBe(1)
    watcher.send({ type: 'watch', room: 'watched' })
    const g = { id: '{"user":"g"}', metas: [{ mood: 'mood of g' }] }
    expect(await watcher.received(1)).toEqual([{ type: 'presence_state', room: 'watched', present: [g] }])
    const second = await inRoom(2, 'g', 'watched')
    const twice = { ...g, metas: [...g.metas, ...g.metas] }
    const diff = { type: 'presence_diff', room: 'watched' }
    expect((await watcher.received(2))[1]).toEqual({ ...diff, joined: [twice], left: [] })
    second.send({ type: 'enter', room: 'watched', meta: { mood: 'better' } })
    const changed = { ...g, metas: [...g.metas, { mood: 'better' }] }
    expect((await watcher.received(3))[2]).toEqual({ ...diff, joined: [changed], left: [] })
    first.socket.close(1000)
    expect((await watcher.received(4))[3]).toEqual({
      ...diff,
      joined: [{ ...g, metas: [{ mood: 'better' }] }],
      left: [],
    })
    second.socket.close(1000)
    expect((await watcher.received(5))[4]).toEqual({ ...diff, joined: [], left: ['{"user":"g"}'] })
  })

  it('stays with a client that is away for a moment: nobody sees it go', async () => {
    const watcher = await lab.connect(0, 'watcher2')
    const first = await inRoom(1, 'h', 'moment')
    await expect.poll(() => lab.at(0).groups.members('room:moment').length).toBe(1)
    watcher.send({ type: 'watch', room: 'moment' })
    await watcher.received(1)
    first.socket.terminate()
    await expect.poll(() => lab.at(1).gateway.stats.sessions.detached).toBe(1)
    lab.at(0).gateway.broadcast('moment', 'missed')
    const second = await lab.resume(2, 'h', first.at)
    await second.next('resumed')
    expect(await second.received(1)).toEqual(['missed'])
    const left = () => watcher.messages.filter((message) => JSON.stringify(message).includes('"left":["'))
    await expect
      .poll(
        () =>
          lab
            .at(0)
            .groups.members('room:moment')
            .map(({ node }) => node),
        { timeout: 10_000 },
      )
      .toEqual([lab.at(2).node.name])
    await watcher.handled()
    expect(left()).toEqual([])
  })
})

it('a presence server that crashes is started anew, and goes on telling', async () => {
  const watcher = await lab.connect(0, 'watcher3')
  watcher.send({ type: 'watch', room: 'crashed' })
  await watcher.received(1)
  const { hub } = lab.at(0).gateway as unknown as { hub: { presence: Parameters<typeof node.exit>[0] } }
  const { node } = lab.at(0)
  node.exit(hub.presence, 'kill')
  expect((await watcher.received(2))[1]).toMatchObject({ type: 'presence_state', present: [] })
  const member = await lab.connect(1, 'i')
  member.send({ type: 'enter', room: 'crashed' })
  expect((await watcher.received(3))[2]).toMatchObject({ type: 'presence_diff', joined: [{ id: '{"user":"i"}' }] })
})

describe('with a table in which the newest does not win', () => {
  let other: Lab
  beforeAll(async () => {
    other = await Lab.start(2, {}, 'smaller_node')
  })
  afterAll(() => other.stop())

  it('a session that moves takes its name with it, also to a node of a larger name', async () => {
    const first = await other.connect(0, 'mover')
    first.send({ type: 'register', name: 'mover' })
    await first.received(1)
    await expect.poll(() => other.at(1).names.whereisName('mover')).toBeDefined()
    first.socket.terminate()
    await expect.poll(() => other.at(0).gateway.stats.sessions.detached).toBe(1)
    const second = await other.resume(1, 'mover', first.at)
    await second.next('resumed')
    for (const { names } of other.nodes)
      await expect.poll(() => names.whereisName('mover')?.node).toBe(other.at(1).node.name)
    other.at(0).names.send('mover', 'here')
    expect(await second.received(1)).toEqual(['here'])
  })

  it.each([0, 1])(
    'a client that has missed more than is kept, and begins anew on node %d, has its name again',
    async (back) => {
      const user = `gap${back}`
      const first = await other.connect(0, user)
      first.send({ type: 'register', name: user })
      await first.received(1)
      first.socket.terminate()
      await expect.poll(() => other.at(0).gateway.stats.sessions.detached).toBe(1)
      for (let message = 0; message < 65; message++) other.at(0).names.send(user, message)
      const second = await other.resume(back, user, first.at)
      expect(await second.next('resume_failed')).toMatchObject({ why: 'gap' })
      second.send({ type: 'register', name: user })
      expect(await second.received(1)).toEqual([{ type: 'registered', name: user }])
      second.socket.close(1000)
    },
  )

  it('a session whose client has gone yields its name to one that has logged in anew; one that is connected does not', async () => {
    const first = await other.connect(0, 'yielder')
    first.send({ type: 'register', name: 'yielder' })
    await first.received(1)
    const refused = await other.connect(1, 'yielder')
    await expect.poll(() => other.at(1).names.whereisName('yielder')).toBeDefined()
    refused.send({ type: 'register', name: 'yielder' })
    expect(await refused.closed).toMatchObject({ code: 4009 })
    first.socket.terminate()
    await expect.poll(() => other.at(0).gateway.stats.sessions.detached).toBe(1)
    const second = await other.connect(1, 'yielder')
    second.send({ type: 'register', name: 'yielder' })
    expect(await second.received(1)).toEqual([{ type: 'registered', name: 'yielder' }])
    second.socket.close(1000)
  })

  it('a name can not be had by replace: that is an error of the session', async () => {
    const client = await other.connect(0, 'replacer')
    client.send({ type: 'register', name: 'replacer', policy: 'replace' })
    expect((await client.closed).code).toBe(1011)
  })
})

it('a policy that is none is an error of the session', async () => {
  const client = await lab.connect(0, 'odd')
  client.send({ type: 'register', name: 'odd', policy: 'newest' as 'unique' })
  expect((await client.closed).code).toBe(1011)
})

describe('a session that asks for the next before it has what it has asked for', () => {
  class Session extends SocketSession<SimMessage, unknown, SimPrincipal> {}

  it.each(['unique', 'replace', 'multi'] as const)('has its name once, if that is %s', async (policy) => {
    class Named extends Session {
      override async handleConnect() {
        await Promise.all([this.registerAs('ann', { policy }), this.registerAs('ann', { policy })])
      }
    }
    const simulated = await labOf(1, { session: Named })
    const socket = await hello(simulated, 0)
    expect(await simulated.at(0).gateway.push('ann', 'to ann')).toBe('ok')
    await simulated.cluster.settle()
    expect([socket.closed, socket.messages]).toEqual([undefined, ['to ann']])
  })

  it('is in a room once, and not at all when it has left', async () => {
    class Member extends Session {
      override async handleConnect() {
        const { rooms } = this
        await Promise.all([rooms.join('twice'), rooms.join('twice'), rooms.join('left'), rooms.leave('left')])
      }
    }
    const simulated = await labOf(1, { session: Member })
    const socket = await hello(simulated, 0)
    for (const room of ['twice', 'left']) simulated.at(0).gateway.broadcast(room, `to ${room}`)
    await simulated.cluster.settle()
    expect(socket.messages).toEqual(['to twice'])
  })
})
