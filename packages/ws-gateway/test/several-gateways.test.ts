/**
 * PURPOSE: several gateways on one node, of one class of sessions or of several: each session is reached, whichever gateway has it. Simulated.
 */
import type { Pid } from '@pidmesh/runtime'
import { SocketSession } from '@pidmesh/ws-gateway'
import { describe, expect, it } from 'vitest'
import type { SimLab, SimMessage, SimPrincipal, SimSocket } from './simulation/sim-lab.ts'
import { hello, labOf, tell, tokenOf, typesOf } from './simulation/steps.ts'

const never = (): Promise<void> => new Promise(() => undefined)
const NONE = { attached: 0, detached: 0 }

class Named extends SocketSession<SimMessage, unknown, SimPrincipal> {
  override handleConnect(): Promise<void> {
    return this.registerAs(this.principal.user)
  }
}

/** Comes to no end when it is sent anything. */
class Hanging extends Named {
  override handleMessage() {
    return never()
  }
}

class Other extends Hanging {}

async function hang(lab: SimLab, index: number): Promise<SimSocket> {
  const socket = await hello(lab, index)
  await lab.cluster.advance(100)
  await tell(lab, socket, { type: 'busy', ms: 1 })
  return socket
}

/** Revokes it by the gateway with that number, and says with what its client is closed, and how many sessions are left of which it was one. */
async function revoked(lab: SimLab, socket: SimSocket, by: number): Promise<unknown> {
  expect(await lab.cluster.run(lab.at(by).gateway.revoke('ann'))).toBe(1)
  await lab.cluster.advance(11_000)
  return [socket.closed, socket.life.gateway.stats.sessions]
}

describe('a session that hangs is killed in time when it is revoked, and its client told so', () => {
  it.each([
    { what: 'the second gateway of its class on its node', session: Hanging, by: 0 },
    { what: 'the second gateway of its class, and revoked on another node', session: Hanging, by: 1 },
    { what: 'a gateway of another class on its node', session: Other, by: 0 },
    { what: 'a gateway of another class, and revoked on another node', session: Other, by: 1 },
  ])('of $what', async ({ session, by }) => {
    const lab = await labOf(2, { session: Hanging })
    await lab.startGateway(lab.at(0), { session })
    expect(await revoked(lab, await hang(lab, 2), by)).toEqual([4004, NONE])
  })

  it('of the gateway that is left when the first one has stopped', async () => {
    const lab = await labOf(2, { session: Hanging })
    await lab.startGateway(lab.at(0), { session: Hanging })
    await lab.cluster.run(lab.at(0).gateway.stop())
    expect(await revoked(lab, await hang(lab, 2), 1)).toEqual([4004, NONE])
  })

  it('of a gateway that was started when the only one had stopped', async () => {
    const lab = await labOf(2, { session: Hanging })
    await lab.cluster.run(lab.at(0).gateway.stop())
    await lab.startGateway(lab.at(0), { session: Hanging })
    expect(await revoked(lab, await hang(lab, 2), 1)).toEqual([4004, NONE])
  })

  it('but not by a message whose cause no socket can be closed with, and the next that is one is heard', async () => {
    const lab = await labOf(1, { session: Hanging })
    const socket = await hang(lab, 0)
    const session = (await lab.at(0).names.resolveName('ann')) as Pid
    const { node } = lab.at(0)
    for (const cause of [undefined, null, { code: 7, reason: 'revoked' }, { code: 4004 }])
      node.send({ name: 'pidmesh_gateways', node: node.name }, { type: 'revoked', session, cause })
    await lab.cluster.advance(11_000)
    expect(socket.closed).toBeUndefined()
    expect(await revoked(lab, socket, 0)).toEqual([4004, NONE])
  })

  it('before it has begun', async () => {
    class Beginning extends Named {
      override async handleConnect() {
        await super.handleConnect()
        return never()
      }
    }
    const lab = await labOf(1, { session: Beginning, sessionEndTimeoutMs: 3_000 })
    const socket = await hello(lab, 0)
    await lab.cluster.run(lab.at(0).gateway.revoke('ann'))
    await lab.cluster.advance(3_500)
    expect([socket.closed, lab.at(0).gateway.stats.sessions]).toEqual([4004, NONE])
  })

  it('at the place to which it has just moved, while others still find it at its former one', async () => {
    const lab = await labOf(2, { session: Hanging })
    const first = await hello(lab, 0)
    const former = await lab.at(0).names.resolveName('ann')
    first.cut()
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await tell(lab, second, { type: 'busy', ms: 1 })
    const names = lab.at(0).names as unknown as { resolveName: () => unknown }
    names.resolveName = () => former
    expect(typesOf(second)).toContain('resumed')
    expect(await revoked(lab, second, 0)).toEqual([4004, NONE])
  })
})

describe('a client comes back to another gateway of its class on the node', () => {
  it('and goes on with its session', async () => {
    const lab = await labOf(1)
    await lab.startGateway(lab.at(0))
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'register', name: 'ann', policy: 'unique' }, { type: 'enter', room: 'r', meta: {} })
    first.cut()
    await lab.cluster.advance(100)
    lab.at(0).gateway.broadcast('r', 'missed')
    await lab.cluster.advance(100)
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    expect([typesOf(second), second.messages]).toEqual([['resumed'], ['missed']])
    await lab.cluster.advance(10_000)
    expect(await lab.at(0).gateway.push('ann', 'by its name')).toBe('ok')
    lab.at(1).gateway.broadcast('r', 'in its room')
    await lab.cluster.advance(100)
    expect(second.messages).toEqual(['missed', 'by its name', 'in its room'])
    expect(lab.lives.map(({ gateway }) => gateway.stats.sessions)).toEqual([NONE, { attached: 1, detached: 0 }])
  })

  it('but not with one of another class that only has the same name', async () => {
    const lab = await labOf(1, { session: class Same extends Named {} })
    await lab.startGateway(lab.at(0), { session: class Same extends Named {} })
    const first = await hello(lab, 0)
    first.cut()
    expect(typesOf(await hello(lab, 1, { token: tokenOf(first), seq: 0 }))[0]).toBe('resume_failed')
  })
})

it.each([
  { where: 'that node', by: 1 },
  { where: 'another node', by: 0 },
])(
  'a session that has moved to the second gateway of a node is found by $where, with the token that it had before',
  async ({ by }) => {
    const lab = await labOf(2)
    await lab.startGateway(lab.at(1))
    const first = await hello(lab, 0)
    first.cut()
    ;(await hello(lab, 2, { token: tokenOf(first), seq: 0 })).cut()
    // Its former process has ended.
    await lab.cluster.advance(6_000)
    expect(typesOf(await hello(lab, by, { token: tokenOf(first), seq: 0 }))).toEqual(['resumed'])
  },
)

it('the last gateway of a node leaves no process and no name behind', async () => {
  const lab = await labOf(1)
  const { node, gateway } = lab.at(0)
  const second = await lab.startGateway(lab.at(0), { session: Other })
  await lab.cluster.run(gateway.stop())
  expect(node.registered().filter((name) => name.startsWith('pidmesh_gateway'))).toEqual([
    'pidmesh_gateway:Other',
    'pidmesh_gateways',
  ])
  await lab.cluster.run(second.gateway.stop())
  expect(node.registered().filter((name) => name.startsWith('pidmesh_gateway'))).toEqual([])
})
