/**
 * PURPOSE: a session whose callback takes so long that the session is killed: what the callback does when it goes on after all leaves nothing behind. Simulated.
 */
import { SocketSession } from '@pidmesh/ws-gateway'
import { describe, expect, it } from 'vitest'
import type { SimLab, SimMessage, SimPrincipal } from './simulation/sim-lab.ts'
import { hello, labOf, tell, tokenOf, typesOf } from './simulation/steps.ts'

/** Longer than a session has for anything. */
const SLOW_MS = 12_000

class Session extends SocketSession<SimMessage, unknown, SimPrincipal> {}

/** A promise that is kept so late. */
const later = (lab: SimLab): Promise<void> => new Promise((resolve) => lab.clock.setTimer(SLOW_MS, resolve))

function failing(message: string): never {
  throw new Error(message)
}

describe('a session that was killed', () => {
  it('in handleDisconnect does not wait for its client when that has come to its end', async () => {
    let isSlow = true
    class Slow extends Session {
      override handleDisconnect() {
        return isSlow ? later(lab) : undefined
      }
    }
    const lab: SimLab = await labOf(1, { session: Slow, resume: { maxDetachedPerPrincipal: 2 } })
    for (let n = 0; n < 3; n++) {
      ;(await hello(lab, 0)).cut()
      await lab.cluster.advance(SLOW_MS + 3_000)
    }
    expect(lab.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
    isSlow = false
    const socket = await hello(lab, 0)
    socket.cut()
    await lab.cluster.advance(100)
    expect(typesOf(await hello(lab, 0, { token: tokenOf(socket), seq: 0 }))).toEqual(['resumed'])
  })

  it('in handleConnect is no session of its gateway when that has come to its end, and no drain waits for it', async () => {
    class Slow extends Session {
      override handleConnect() {
        return later(lab)
      }
    }
    const lab: SimLab = await labOf(1, { session: Slow })
    const socket = await hello(lab, 0)
    await lab.cluster.advance(SLOW_MS + 1_000)
    expect([socket.closed, lab.at(0).gateway.stats.sessions]).toEqual([1011, { attached: 0, detached: 0 }])
    const startMs = lab.clock.monotonicMs()
    await lab.cluster.run(lab.at(0).gateway.drain({ overMs: 0 }))
    expect(lab.clock.monotonicMs() - startMs).toBeLessThan(1_000)
  })
})

it('a push in handleDisconnect is kept for a client that may come back, and dropped for one that has said good-bye', async () => {
  const statuses: string[] = []
  class Telling extends Session {
    override handleDisconnect() {
      statuses.push(this.push('bye'))
    }
  }
  const lab: SimLab = await labOf(1, { session: Telling })
  ;(await hello(lab, 0)).cut()
  await lab.cluster.settle()
  ;(await hello(lab, 0)).sayGoodBye()
  await lab.cluster.settle()
  expect(statuses).toEqual(['kept', 'dropped'])
})

describe('a session that comes to no end', () => {
  const never = (): Promise<void> => new Promise(() => undefined)

  class Named extends Session {
    override handleConnect(): Promise<void> {
      return this.registerAs('ann')
    }
  }

  it('in terminate is killed in time, and its client told why it was to end', async () => {
    class Hanging extends Named {
      override terminate() {
        return never()
      }
    }
    const lab = await labOf(1, { session: Hanging })
    const socket = await hello(lab, 0)
    await lab.cluster.run(lab.at(0).gateway.revoke('ann'))
    await lab.cluster.advance(11_000)
    expect([socket.closed, lab.at(0).gateway.stats.sessions]).toEqual([4004, { attached: 0, detached: 0 }])
  })

  it.each([
    { where: 'its own gateway', index: 0 },
    { where: 'that of another node', index: 1 },
  ])('in what it is at is killed in time when it is revoked by $where, and its client told so', async ({ index }) => {
    class Hanging extends Named {
      override handleMessage() {
        return never()
      }
    }
    const lab = await labOf(2, { session: Hanging })
    const socket = await hello(lab, 0)
    await lab.cluster.advance(100)
    await tell(lab, socket, { type: 'busy', ms: 1 })
    expect(await lab.cluster.run(lab.at(index).gateway.revoke('ann'))).toBe(1)
    await lab.cluster.advance(11_000)
    expect([socket.closed, lab.at(0).gateway.stats.sessions]).toEqual([4004, { attached: 0, detached: 0 }])
  })

  it('is killed in time however often it is revoked, and no later than after the first time', async () => {
    class Hanging extends Named {
      override handleMessage() {
        return never()
      }
    }
    const lab = await labOf(1, { session: Hanging })
    const socket = await hello(lab, 0)
    await tell(lab, socket, { type: 'busy', ms: 1 })
    for (let n = 0; n < 3; n++) {
      await lab.cluster.run(lab.at(0).gateway.revoke('ann'))
      await lab.cluster.advance(4_000)
    }
    expect([socket.closed, lab.at(0).gateway.stats.sessions]).toEqual([4004, { attached: 0, detached: 0 }])
  })

  it('is killed in time when it is revoked while its client comes back, and hangs in handleResume', async () => {
    class Hanging extends Named {
      override handleMessage() {
        return new Promise<void>((resolve) => lab.clock.setTimer(3_000, resolve))
      }
      override handleResume() {
        return never()
      }
    }
    const lab: SimLab = await labOf(1, { session: Hanging })
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'busy', ms: 3_000 })
    const second = await hello(lab, 0, { token: tokenOf(first), seq: 0 })
    await lab.cluster.run(lab.at(0).gateway.revoke('ann'))
    await lab.cluster.advance(11_000)
    expect([typesOf(second), second.closed]).toEqual([['resumed'], 4004])
    expect(lab.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
  })

  it.each([
    { where: 'of the same node', index: 0 },
    { where: 'of another node', index: 1 },
  ])(
    'in handleDisconnect is killed in time, also if its client has said good-bye before it had the socket $where',
    async ({ index }) => {
      class Hanging extends Named {
        override handleMessage() {
          return new Promise<void>((resolve) => lab.clock.setTimer(2_000, resolve))
        }
        override handleDisconnect() {
          return never()
        }
      }
      const lab: SimLab = await labOf(2, { session: Hanging })
      const first = await hello(lab, 0)
      const resume = { token: tokenOf(first), seq: 0 }
      await tell(lab, first, { type: 'busy', ms: 2_000 })
      const second = await hello(lab, index, resume)
      second.sayGoodBye()
      await lab.cluster.advance(15_000)
      expect([typesOf(second), second.closed, first.closed]).toEqual([[], 1000, 4014])
      expect(lab.at(index).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
      expect(await lab.at(0).names.resolveName('ann')).toBeUndefined()
    },
  )

  it.each([
    {
      at: 'handleConnect',
      session: class extends Named {
        override handleConnect() {
          return super.handleConnect().then(never)
        }
      },
    },
    {
      at: 'handleMessage',
      session: class extends Named {
        override handleMessage() {
          return never()
        }
      },
    },
    {
      at: 'terminate',
      session: class extends Named {
        override terminate() {
          return never()
        }
      },
    },
  ])('in $at does not keep its name when its gateway has stopped', async ({ session }) => {
    const lab = await labOf(1, { session })
    const socket = await hello(lab, 0)
    await tell(lab, socket, { type: 'present', room: 'any' })
    await lab.cluster.run(lab.at(0).gateway.stop())
    await lab.cluster.advance(11_000)
    expect(await lab.at(0).names.resolveName('ann')).toBeUndefined()
  })
})

describe('a drain', () => {
  it.each([{ overMs: Infinity }, { overMs: Number.NaN }, { overMs: -1 }, { handOverMs: Infinity }])(
    'of %o is refused: it would never end, or close nobody',
    async (options) => {
      const lab = await labOf(1)
      expect(() => lab.at(0).gateway.drain(options)).toThrowError(
        expect.objectContaining({ code: 'ERR_BAD_OPTION' }) as Error,
      )
      expect(lab.at(0).gateway.isReady).toBe(true)
    },
  )
})

describe('what a user’s code throws or gives that is none of what it may', () => {
  it.each([
    ['an error without a message', Object.assign(new Error('x'), { message: undefined })],
    ['an error whose message is no text', Object.assign(new Error('x'), { message: { code: 1 } })],
    ['an object without a prototype', Object.create(null) as unknown],
  ])('authenticate throws %s: the client is told to come later, and the node goes on', async (_what, thrown) => {
    const lab = await labOf(1, {
      authenticate: ({ token }) => {
        if (token === undefined) return undefined
        throw thrown
      },
    })
    expect((await hello(lab, 0)).closed).toBe(1013)
  })

  it.each([
    ['nothing', () => undefined, 'it has failed: '],
    ['null', () => null, 'it has failed: '],
    ['a promise', () => Promise.resolve({ value: 1 }), 'it is asynchronous'],
    // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
    ['a promise of another library', () => ({ then: (f?: (value: unknown) => void) => f?.(1) }), 'it is asynchronous'],
    ['an error', () => failing('no such table'), 'it has failed: "no such table"'],
  ])(
    'a schema gives %s: the message is refused, its author is told, and the node goes on',
    async (_what, validate, problem) => {
      const lab = await labOf(1, {
        messages: { '~standard': { version: 1, vendor: 'x', validate: validate as never } },
      })
      const socket = await hello(lab, 0)
      socket.send([{ type: 'busy', ms: 1 }])
      await lab.cluster.settle()
      expect(socket.closed).toBe(4400)
      const told = lab.cluster.log.lines.find(({ message }) => message === 'the schema of messages can not be used')
      expect(told).toMatchObject({ level: 'error', fields: { problem: expect.stringContaining(problem) as string } })
      expect(typesOf(await hello(lab, 0))).toEqual(['welcome'])
    },
  )

  it('a schema that fails, and clients who come again and again, do not fill the log', async () => {
    const lab = await labOf(1, {
      messages: { '~standard': { version: 1, vendor: 'x', validate: () => failing('no such table') } },
    })
    const sockets = []
    for (let n = 0; n < 150; n++) sockets.push(await hello(lab, 0))
    for (const socket of sockets) socket.send([{ type: 'busy', ms: 1 }])
    await lab.cluster.settle()
    expect(lab.cluster.log.lines.filter(({ level }) => level === 'error')).toHaveLength(100)
  })

  it('a message that has no form in a subprotocol does not fill the log, however often it is pushed', async () => {
    class Pushing extends SocketSession<SimMessage, unknown, SimPrincipal> {
      override handleConnect() {
        for (let n = 0; n < 150; n++) this.push(1n)
      }
    }
    const lab = await labOf(1, { session: Pushing })
    await hello(lab, 0)
    expect(lab.at(0).gateway.stats.dropped.get('unencodable')).toBe(150)
    const lines = lab.cluster.log.lines.filter(({ message }) => message.startsWith('a message that has no form'))
    expect(lines).toHaveLength(100)
  })

  it('a schema says that a message is none: that is no error of this node', async () => {
    const validate = () => ({ issues: [{ message: 'no text' }] })
    const lab = await labOf(1, { messages: { '~standard': { version: 1, vendor: 'x', validate } } })
    const socket = await hello(lab, 0)
    socket.send([{ type: 'busy', ms: 1 }])
    await lab.cluster.settle()
    expect(socket.closed).toBe(4400)
    expect(lab.cluster.log.lines.filter(({ level }) => level === 'error')).toEqual([])
  })
})

it('what a session pushes after its end is dropped, and not said to be kept', async () => {
  const ended: Ended[] = []
  class Ended extends Session {
    override terminate() {
      ended.push(this)
    }
    say() {
      return this.push('late')
    }
  }
  const lab = await labOf(1, { session: Ended })
  const socket = await hello(lab, 0)
  socket.cut()
  await lab.cluster.advance(61_000)
  expect(ended.map((session) => session.say())).toEqual(['dropped'])
})

it('a client that is not read, since its session is at something long, is not closed for pongs that nobody reads', async () => {
  const lab = await labOf(1, { maxPendingMessages: 1, pingIntervalMs: 1_000, pingTimeoutMs: 1_000 })
  const client = await hello(lab, 0)
  await tell(lab, client, { type: 'busy', ms: 20_000 }, { type: 'pushLater', afterMs: 1, message: 'read again' })
  await lab.cluster.advance(15_000)
  expect(client.closed).toBeUndefined()
  // They find out a connection that is broken.
  expect(client.pings).toBeGreaterThan(5)
  await lab.cluster.advance(20_000)
  expect([client.closed, client.messages]).toEqual([undefined, ['read again']])
})
