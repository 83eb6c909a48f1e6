/**
 * PURPOSE: the gateway on the other ways of keeping names: what it can do there it does, and what a way lacks it says. Simulated, with a store and a broker in memory.
 */
import { BroadcastVia, LocationVia } from '@pidmesh/via-kit'
import type { Via } from '@pidmesh/runtime'
import { SocketSession } from '@pidmesh/ws-gateway'
import { describe, expect, it } from 'vitest'
import { FakeBroker, FakeServer, FakeStore } from '@pidmesh/via-kit/testing'
import type { SimLab, SimMessage, SimOptions, SimPrincipal, SimSocket } from './simulation/sim-lab.ts'
import { hello, labOf, tell, tokenOf, typesOf } from './simulation/steps.ts'

/** One store for all nodes of a lab. */
function wayOf(
  start: (
    node: Parameters<NonNullable<SimOptions['way']>>[0],
    server: FakeServer,
  ) => ReturnType<NonNullable<SimOptions['way']>>,
): SimOptions {
  let server: FakeServer | undefined
  return {
    way: (node, lab) => {
      server ??= new FakeServer(lab.clock)
      return start(node, server)
    },
  }
}

const inStore = (): SimOptions => wayOf((node, server) => LocationVia.start(node, { store: new FakeStore(server) }))
const overBroker = (): SimOptions =>
  wayOf((node, server) => BroadcastVia.start(node, { broker: new FakeBroker(server, false) }))

/** Two nodes, and what they keep names in. */
async function labWithServer(start: Parameters<typeof wayOf>[0]): Promise<[SimLab, FakeServer]> {
  const servers: FakeServer[] = []
  const lab = await labOf(
    2,
    wayOf((node, server) => {
      servers.push(server)
      return start(node, server)
    }),
  )
  const [server] = servers
  if (server === undefined) throw new Error('no node has asked for a server')
  return [lab, server]
}

async function register(lab: SimLab, socket: SimSocket, policy: 'unique' | 'replace' | 'multi'): Promise<void> {
  await tell(lab, socket, { type: 'register', name: 'ann', policy })
  await lab.cluster.advance(500)
}

const push = (lab: SimLab, at: number, message: unknown) =>
  lab.cluster.run(Promise.resolve(lab.at(at).gateway.push('ann', message)))

describe('on a location database', () => {
  it('a push from any node reaches the client, and says noproc if there is none', async () => {
    const lab = await labOf(2, inStore())
    const socket = await hello(lab, 0)
    await register(lab, socket, 'unique')
    for (const at of [0, 1]) expect(await push(lab, at, at)).toBe('ok')
    await lab.cluster.advance(100)
    expect(socket.messages).toEqual([0, 1])
    expect(await lab.cluster.run(Promise.resolve(lab.at(1).gateway.push('bob', 1)))).toBe('noproc')
  })

  it('the second of a unique name is refused, and the newest of a replaced one has it', async () => {
    const lab = await labOf(2, inStore())
    const first = await hello(lab, 0)
    await register(lab, first, 'replace')
    first.send({ type: 'ack', seq: 0 })
    const second = await hello(lab, 1)
    await register(lab, second, 'unique')
    expect([first.closed, second.closed]).toEqual([undefined, 4009])
    const third = await hello(lab, 1)
    await register(lab, third, 'replace')
    expect([first.closed, third.closed]).toEqual([4013, undefined])
    expect(await push(lab, 0, 'to the newest')).toBe('ok')
    await lab.cluster.advance(100)
    expect(third.messages).toEqual(['to the newest'])
  })

  it('a session moves with its name: nothing that is pushed meanwhile is lost', async () => {
    const lab = await labOf(3, inStore())
    const first = await hello(lab, 0)
    await register(lab, first, 'unique')
    for (let n = 0; n < 4; n++) await push(lab, 2, n)
    first.cut()
    const second = lab.open(lab.at(1))
    await lab.cluster.settle()
    second.send({ type: 'hello', token: 'ann', resume: { token: tokenOf(first), seq: 0 } })
    for (let n = 4; n < 40; n++) {
      expect(await push(lab, 2, n)).toBe('ok')
      await lab.cluster.advance(5)
    }
    await lab.cluster.advance(1_000)
    expect(typesOf(second)).toEqual(['resumed'])
    // Of what is pushed just while it moves some may overtake.
    expect([...second.messages].sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 40 }, (_, n) => n))
  })

  it.each([
    {
      what: 'is away',
      stop: (server: FakeServer) => {
        server.isAway = true
        return () => void (server.isAway = false)
      },
    },
    { what: 'stands still', stop: (server: FakeServer) => server.standStill() },
  ])(
    'a session whose client comes to another node while the store $what waits where it is, and moves later',
    async ({ stop }) => {
      const [lab, server] = await labWithServer((node, server) =>
        LocationVia.start(node, { store: new FakeStore(server) }),
      )
      const first = await hello(lab, 0)
      await register(lab, first, 'unique')
      expect(await push(lab, 1, 'missed by none')).toBe('ok')
      first.cut()
      const resume = { token: tokenOf(first), seq: 0 }
      const goOn = stop(server)
      const early = await hello(lab, 1, resume)
      await lab.cluster.advance(2_000)
      expect([typesOf(early), early.closed]).toEqual([[], 1013])
      goOn()
      await lab.cluster.advance(1_000)
      const late = await hello(lab, 1, resume)
      expect(typesOf(late)).toEqual(['resumed'])
      expect(await push(lab, 0, 'there again')).toBe('ok')
      await lab.cluster.advance(100)
      expect(late.messages).toEqual(['missed by none', 'there again'])
      expect(lab.cluster.log.lines.filter(({ level }) => level === 'error')).toEqual([])
    },
  )

  it('a session has its name at its new place as soon as the store is back, which was there when it was asked and not when it had moved', async () => {
    const [lab, server] = await labWithServer((node, server) =>
      LocationVia.start(node, { store: new FakeStore(server) }),
    )
    const first = await hello(lab, 0)
    await register(lab, first, 'unique')
    first.cut()
    await lab.cluster.settle()
    const untilMs = lab.clock.monotonicMs() + 2_500
    let asked = 0
    server.isNameAway = () => asked++ > 0 && lab.clock.monotonicMs() < untilMs
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(3_000)
    expect([typesOf(second), second.closed]).toEqual([['resumed'], undefined])
    expect(await push(lab, 0, 'there again')).toBe('ok')
    await lab.cluster.advance(100)
    expect(second.messages).toEqual(['there again'])
  })

  it('a store that is away is not logged with each message to a name', async () => {
    class Sender extends SocketSession<SimMessage, unknown, SimPrincipal> {
      override handleMessage() {
        for (let n = 0; n < 250; n++) this.sendTo('bob', n)
      }
    }
    const way = { send: () => Promise.reject(new Error('the store is away')) }
    const options = inStore()
    const lab = await labOf(1, {
      session: Sender,
      way: async (node, simLab) => Object.assign((await options.way?.(node, simLab)) ?? way, way) as Via,
    })
    const socket = await hello(lab, 0)
    await tell(lab, socket, { type: 'busy', ms: 1 })
    const lines = lab.cluster.log.lines.filter(({ message }) => message === 'a message to a name was not sent')
    expect(lines).toHaveLength(100)
    expect(lines[0]?.fields).toMatchObject({ name: 'bob', problem: 'Error: the store is away' })
  })

  it('revoke ends the session', async () => {
    const lab = await labOf(2, inStore())
    const socket = await hello(lab, 0)
    await register(lab, socket, 'unique')
    expect(await lab.cluster.run(lab.at(1).gateway.revoke('ann'))).toBe(1)
    await lab.cluster.advance(100)
    expect(socket.closed).toBe(4004)
  })

  it.each(['unique', 'multi'] as const)(
    'with a channel in place of the mesh revoke ends one that is %s',
    async (policy) => {
      const start = wayOf((node, server) =>
        LocationVia.start(node, { store: new FakeStore(server), channel: new FakeBroker(server, false) }),
      )
      const lab = await labOf(2, start)
      const socket = await hello(lab, 0)
      await register(lab, socket, policy)
      expect(await lab.cluster.run(lab.at(1).gateway.revoke('ann'))).toBe(policy === 'multi' ? 1 : undefined)
      await lab.cluster.advance(100)
      expect(socket.closed).toBe(4004)
    },
  )
})

describe('on pub-sub', () => {
  it('a name may have many: a push reaches each, but for the one that is excepted', async () => {
    const lab = await labOf(2, overBroker())
    const sockets = [await hello(lab, 0), await hello(lab, 0), await hello(lab, 1)]
    for (const socket of sockets) await register(lab, socket, 'multi')
    expect(await push(lab, 1, 'all')).toBe('ok')
    await lab.cluster.advance(100)
    expect(sockets.map(({ messages }) => messages)).toEqual([['all'], ['all'], ['all']])
  })

  it.each(['unique', 'replace'] as const)(
    'a name can not be %s: the session is told so, with a code',
    async (policy) => {
      const codes: unknown[] = []
      class Session extends SocketSession<SimMessage, unknown, SimPrincipal> {
        override async handleConnect() {
          await this.registerAs('ann', { policy }).catch((error: { readonly code?: unknown }) => codes.push(error.code))
        }
      }
      const lab = await labOf(1, { ...overBroker(), session: Session })
      const socket = await hello(lab, 0)
      expect([codes, typesOf(socket)]).toEqual([['ERR_NOT_SUPPORTED'], ['welcome']])
    },
  )

  it('a session that has moved gets what is pushed once, and its former process nothing', async () => {
    const lab = await labOf(2, overBroker())
    const first = await hello(lab, 0)
    await register(lab, first, 'multi')
    first.cut()
    await push(lab, 1, 'missed')
    await lab.cluster.advance(100)
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await push(lab, 0, 'again')
    await lab.cluster.advance(1_000)
    expect([typesOf(second), second.messages]).toEqual([['resumed'], ['missed', 'again']])
  })

  it('a session that has moved while the broker is away has its name as soon as that is back', async () => {
    const [lab, server] = await labWithServer((node, server) =>
      BroadcastVia.start(node, { broker: new FakeBroker(server, true) }),
    )
    const first = await hello(lab, 0)
    await register(lab, first, 'multi')
    first.cut()
    server.isAway = true
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(3_000)
    expect([typesOf(second), second.closed]).toEqual([['resumed'], undefined])
    server.isAway = false
    await lab.cluster.advance(1_000)
    expect(await push(lab, 0, 'there again')).toBe('ok')
    await lab.cluster.advance(100)
    expect(second.messages).toEqual(['there again'])
  })

  it('a session of many names moves while the broker stands still', async () => {
    const [lab, server] = await labWithServer((node, server) =>
      BroadcastVia.start(node, { broker: new FakeBroker(server, true) }),
    )
    const first = await hello(lab, 0)
    const names = Array.from({ length: 8 }, (_, n) => `ann${n}`)
    for (const name of names) await tell(lab, first, { type: 'register', name, policy: 'multi' })
    await lab.cluster.advance(500)
    first.cut()
    const goOn = server.standStill()
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(4_000)
    expect([typesOf(second), second.closed]).toEqual([['resumed'], undefined])
    goOn()
    await lab.cluster.advance(3_000)
    for (const name of names)
      expect(await lab.cluster.run(Promise.resolve(lab.at(0).gateway.push(name, name)))).toBe('ok')
    await lab.cluster.advance(100)
    expect(second.messages).toEqual(names)
  })

  it('revoke ends all sessions of a name, and does not know how many', async () => {
    const lab = await labOf(2, overBroker())
    const sockets = [await hello(lab, 0), await hello(lab, 1)]
    for (const socket of sockets) await register(lab, socket, 'multi')
    expect(await lab.cluster.run(lab.at(0).gateway.revoke('ann'))).toBeUndefined()
    await lab.cluster.advance(100)
    expect(sockets.map(({ closed }) => closed)).toEqual([4004, 4004])
  })

  it('what a client has said, and a session passes on, revokes nobody', async () => {
    const lab = await labOf(1, overBroker())
    const socket = await hello(lab, 0)
    await register(lab, socket, 'multi')
    await push(lab, 0, { type: '$pidmesh_revoke', from: '<1.x/1>', cause: { code: 4004, reason: 'revoked' } })
    await lab.cluster.advance(100)
    expect([socket.closed, socket.messages.length]).toEqual([undefined, 1])
  })
})
