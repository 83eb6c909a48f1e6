/**
 * When a gateway tells its client something, or closes it, because time has passed.
 */
import { Authenticated, SocketSession } from '@pidmesh/ws-gateway'
import { describe, expect, it } from 'vitest'
import type { SimLab, SimMessage, SimOptions, SimPrincipal } from './simulation/sim-lab.ts'
import { hello, labOf, tell, tokenOf, typesOf } from './simulation/steps.ts'

/** A gateway whose sessions take so long to start, and whose tokens are good for so long. */
async function labOfTokens({ startMs, goodForMs }: { startMs: number; goodForMs: number }): Promise<SimLab> {
  class Slow extends SocketSession<SimMessage, unknown, SimPrincipal> {
    override handleConnect() {
      return new Promise<void>((resolve) => lab.clock.setTimer(startMs, resolve))
    }
  }
  const lab: SimLab = await labOf(1, {
    session: Slow,
    authenticate: () => new Authenticated({ user: 'ann' }, { expiresAtMs: lab.clock.wallMs() + goodForMs }),
  })
  return lab
}

it('a token that expires while its session starts closes the socket then, and not when that has started', async () => {
  const lab = await labOfTokens({ startMs: 8_000, goodForMs: 3_000 })
  const socket = await hello(lab, 0)
  await lab.cluster.advance(4_000)
  expect(socket.closed).toBe(4001)
})

it('that its token expires soon a client is told after the welcome, also if it is late with its hello', async () => {
  const lab = await labOfTokens({ startMs: 0, goodForMs: 6_000 })
  const socket = lab.open(lab.at(0))
  await lab.cluster.advance(4_000)
  socket.send({ type: 'hello' })
  await lab.cluster.advance(1_000)
  expect(typesOf(socket)).toEqual(['welcome', 'expiring'])
})

it('a client that goes on is told for how long its token is good, as one that begins is', async () => {
  const lab = await labOfTokens({ startMs: 0, goodForMs: 3_600_000 })
  const first = await hello(lab, 0)
  first.cut()
  const second = await hello(lab, 0, { token: tokenOf(first), seq: 0 })
  const told = [...first.controls, ...second.controls]
  expect(told).toMatchObject(
    ['welcome', 'resumed'].map((type) => ({ type, expiresInMs: expect.any(Number) as number })),
  )
})

it('a client may put its token off as often as it likes, one after the other', async () => {
  const lab = await labOfTokens({ startMs: 0, goodForMs: 3_600_000 })
  const socket = await hello(lab, 0)
  for (let n = 0; n < 3; n++) {
    socket.send({ type: 'auth', token: 'ann' })
    await lab.cluster.settle()
  }
  expect(typesOf(socket)).toEqual(['welcome', 'authenticated', 'authenticated', 'authenticated'])
  expect(socket.closed).toBeUndefined()
})

it('a client that says something is not asked whether it is there', async () => {
  const lab = await labOf(1, { pingIntervalMs: 5_000 })
  const socket = await hello(lab, 0)
  for (let n = 0; n < 10; n++) {
    await tell(lab, socket, { type: 'watch', room: 'hall' })
    await lab.cluster.advance(2_000)
  }
  expect(socket.pings).toBe(0)
  await lab.cluster.advance(20_000)
  expect([socket.pings > 1, socket.closed]).toEqual([true, undefined])
})

it.each([
  { pingIntervalMs: 3_000, pingTimeoutMs: 8_000 },
  { pingIntervalMs: 8_000, pingTimeoutMs: 3_000 },
])('a client is given up when it has said nothing for the two together: %j', async (times) => {
  const lab = await labOf(1, times)
  const socket = await hello(lab, 0)
  socket.goDeaf()
  const { gateway } = lab.at(0)
  // A second has passed since the hello; and it is looked once in a second, at each of the two.
  await lab.cluster.advance(9_000)
  expect(gateway.stats.closed.size).toBe(0)
  await lab.cluster.advance(3_000)
  expect([...gateway.stats.closed.keys()]).toEqual([4010])
})

describe('of a client that does not read', () => {
  async function slow(options: SimOptions): Promise<{ readonly lab: SimLab; sockets(): number; closed(): number[] }> {
    const lab = await labOf(1, options)
    const socket = await hello(lab, 0)
    await tell(lab, socket, { type: 'register', name: 'ann', policy: 'unique' })
    socket.stopReading()
    for (let n = 0; n < 2; n++) void lab.at(0).names.send('ann', 'x'.repeat(1_000))
    await lab.cluster.settle()
    const { gateway } = lab.at(0)
    return { lab, sockets: () => gateway.stats.connections, closed: () => [...gateway.stats.closed.keys()] }
  }

  it('nothing is kept when it is closed since the heap is nearly full', async () => {
    let share = 0
    const { lab, sockets, closed } = await slow({ heapShare: () => share })
    share = 0.97
    await lab.cluster.advance(4_000)
    expect([sockets(), closed()]).toEqual([1, []])
    await lab.cluster.advance(1_000)
    expect([sockets(), closed()]).toEqual([0, [1013]])
  })

  it('what waits is kept for two seconds when it is closed as too slow: it may read that', async () => {
    const { lab, sockets, closed } = await slow({ softBufferedBytes: 1_000, slowTimeoutMs: 3_000 })
    await lab.cluster.advance(3_000)
    expect([sockets(), closed()]).toEqual([1, [4008]])
    await lab.cluster.advance(1_000)
    expect(sockets()).toBe(1)
    await lab.cluster.advance(1_000)
    expect(sockets()).toBe(0)
  })
})
