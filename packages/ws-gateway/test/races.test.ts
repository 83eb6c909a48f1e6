/**
 * Interleavings that went wrong once: what comes in the middle of a resume, of a move to another node, of an end.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { SocketSession } from '@pidmesh/ws-gateway'
import { WebSocket } from 'ws'
import { Lab, LabSession, type ClientMessage, type LabClient, type LabOptions } from './lab.ts'

let lab: Lab
afterEach(() => lab.stop())

/** Its socket breaks, and its session knows. */
async function cut(client: LabClient, index: number): Promise<void> {
  const { gateway } = lab.at(index)
  const before = gateway.stats.sessions.detached
  client.socket.terminate()
  await client.closed
  await expect.poll(() => gateway.stats.sessions.detached).toBe(before + 1)
}

/** Something that a callback waits at. */
class Gate {
  readonly reached: Promise<void>
  private readonly passed: Promise<void>
  private reach: () => void = () => undefined
  private pass: () => void = () => undefined

  constructor() {
    this.reached = new Promise((resolve) => (this.reach = resolve))
    this.passed = new Promise((resolve) => (this.pass = resolve))
  }

  open(): void {
    this.pass()
  }

  wait(): Promise<void> {
    this.reach()
    return this.passed
  }
}

/** From now on who takes a name over there waits at a gate first. */
function holdTakeovers(names: Lab['nodes'][number]['names'], gate: Gate): void {
  const takeover = names.takeover.bind(names)
  Object.assign(names, {
    takeover: async (...args: Parameters<typeof takeover>) => {
      await gate.wait()
      return takeover(...args)
    },
  })
}

/** A lab whose sessions have callbacks of the test's. */
function start(count: number, session: typeof LabSession, options: LabOptions = {}): Promise<Lab> {
  return Lab.start(count, { session, ...options })
}

describe('a session that goes to another node', () => {
  it('has what it pushes in handOver and handleTakeover with it, each with its number', async () => {
    class Talking extends LabSession {
      override handOver() {
        this.push('from handOver')
        return super.handOver()
      }
      override handleTakeover(state: unknown) {
        void super.handleTakeover(state)
        return this.push('from handleTakeover')
      }
      override handleResume() {
        return this.push('from handleResume')
      }
    }
    lab = await start(2, Talking)
    const first = await lab.connect(0, 'talker')
    await cut(first, 0)
    const second = await lab.resume(1, 'talker', first.at)
    await second.next('resumed')
    expect(await second.received(3)).toEqual(['from handOver', 'from handleTakeover', 'from handleResume'])
    await cut(second, 1)
    const third = await lab.resume(1, 'talker', { token: second.resumeToken, seq: second.seq })
    await third.next('resumed')
    expect(await third.received(1)).toEqual(['from handleResume'])
  })

  it('has the latest of each key with it that waited for the client', async () => {
    class Ticking extends LabSession {
      override handleDisconnect() {
        this.push('old price', { coalesce: 'price' })
        this.push('price', { coalesce: 'price' })
      }
    }
    lab = await start(2, Ticking)
    const first = await lab.connect(0, 'ticker')
    await cut(first, 0)
    const second = await lab.resume(1, 'ticker', first.at)
    await second.next('resumed')
    expect(await second.received(1)).toEqual(['price'])
  })

  it('has what a callback that it did not wait for pushes meanwhile with it', async () => {
    class Pushing extends LabSession {
      override handOver() {
        // The claim has been answered by then, and the commit has not come.
        void Promise.resolve()
          .then(() => undefined)
          .then(() => setImmediate(() => this.push('late')))
        return super.handOver()
      }
    }
    lab = await start(2, Pushing)
    const first = await lab.connect(0, 'pusher')
    await cut(first, 0)
    const second = await lab.resume(1, 'pusher', first.at)
    await second.next('resumed')
    expect(await second.received(1)).toEqual(['late'])
  })

  it('is not harmed by what has come in the middle that no other node can be sent: the rest is forwarded', async () => {
    const gate = new Gate()
    class Slow extends LabSession {
      override async handOver() {
        await gate.wait()
        return super.handOver()
      }
    }
    lab = await start(2, Slow)
    const first = await lab.connect(0, 'mover')
    first.send({ type: 'register', name: 'mover' }, { type: 'watch', room: 'room' })
    await first.received(2)
    await cut(first, 0)
    const second = await lab.resume(1, 'mover', first.at)
    await gate.reached
    const { names } = lab.at(0)
    names.send('mover', () => 'no node can be sent this')
    const other = await lab.connect(0, 'other')
    other.send({ type: 'enter', room: 'room' })
    await other.received(1)
    names.send('mover', 'after it')
    gate.open()
    await second.next('resumed')
    await second.received(2)
    expect(second.messages).toContain('after it')
    expect(second.messages).toContainEqual(expect.objectContaining({ type: 'presence_state' }))
    expect(JSON.stringify(second.messages)).not.toContain('outgoing')
    await second.handled()
  })

  it('does not get what it has broadcast to all but itself before', async () => {
    const gate = new Gate()
    class Slow extends LabSession {
      override async handOver() {
        this.rooms.broadcast('room', 'from myself', { except: this.pid })
        this.rooms.broadcast('room', 'to all')
        await gate.wait()
        return super.handOver()
      }
    }
    lab = await start(2, Slow)
    const first = await lab.connect(0, 'mover')
    first.send({ type: 'enter', room: 'room' })
    await first.received(1)
    await cut(first, 0)
    const second = await lab.resume(1, 'mover', first.at)
    await gate.reached
    gate.open()
    await second.next('resumed')
    await second.received(1)
    await second.handled()
    expect(second.messages.filter((message) => typeof message === 'string')).toEqual(['to all'])
  })

  it('runs terminate if it can not go on there', async () => {
    const ended: unknown[] = []
    class Broken extends LabSession {
      override handleTakeover() {
        throw new Error('broken')
      }
      override terminate() {
        ended.push(this.node)
      }
    }
    lab = await start(2, Broken)
    const first = await lab.connect(0, 'broken')
    await cut(first, 0)
    const second = await lab.resume(1, 'broken', first.at)
    expect((await second.closed).code).toBe(1011)
    expect(ended).toEqual(['n1@127.0.0.1'])
    expect(lab.at(1).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
  })

  it('leaves nothing behind there if it takes too long', async () => {
    class Hanging extends LabSession {
      override async handleResume() {
        await new Promise(() => undefined)
      }
    }
    lab = await start(2, Hanging, { connectTimeoutMs: 200 })
    const first = await lab.connect(0, 'hanging')
    await cut(first, 0)
    const second = await lab.resume(1, 'hanging', first.at)
    expect((await second.closed).code).toBe(1011)
    await expect.poll(() => lab.at(1).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
  })

  it('is reached by its name and in its rooms, however long handleTakeover takes', async () => {
    const gate = new Gate()
    class Slow extends LabSession {
      override async handleTakeover(state: unknown) {
        await gate.wait()
        await super.handleTakeover(state)
      }
    }
    lab = await start(2, Slow)
    const first = await lab.connect(0, 'mover')
    first.send({ type: 'register', name: 'name' }, { type: 'enter', room: 'room' })
    await first.received(2)
    await cut(first, 0)
    const second = await lab.resume(1, 'mover', first.at)
    await gate.reached
    expect(lab.at(1).names.whereisName('name')?.node).toBe('n1@127.0.0.1')
    expect(
      lab
        .at(1)
        .groups.members('room:room')
        .map(({ node }) => node),
    ).toContain('n1@127.0.0.1')
    gate.open()
    await second.handled()
  })

  it('keeps its unique name: another one that wants it in the middle gets 4009', async () => {
    const gate = new Gate()
    lab = await Lab.start(2)
    holdTakeovers(lab.at(1).names, gate)
    const first = await lab.connect(0, 'mover')
    first.send({ type: 'register', name: 'name' })
    await first.handled()
    await cut(first, 0)
    const second = await lab.resume(1, 'mover', first.at)
    await gate.reached
    const other = await lab.connect(0, 'other')
    other.send({ type: 'register', name: 'name' })
    expect((await other.closed).code).toBe(4009)
    gate.open()
    await second.next('resumed')
    await second.handled()
  })

  it('is revoked in the middle', async () => {
    const gate = new Gate()
    lab = await Lab.start(2)
    holdTakeovers(lab.at(1).names, gate)
    const first = await lab.connect(0, 'mover')
    first.send({ type: 'register', name: 'name' })
    await first.handled()
    await cut(first, 0)
    const second = await lab.resume(1, 'mover', first.at)
    await gate.reached
    expect(await lab.at(0).gateway.revoke('name')).toBe(1)
    gate.open()
    expect((await second.closed).code).toBe(4004)
  })
})

it('a client may lose as many answers to its resume as it likes: the token that it has stays good', async () => {
  lab = await Lab.start(1)
  const first = await lab.connect(0, 'unlucky')
  await cut(first, 0)
  for (let lost = 0; lost < 3; lost++) {
    const again = await lab.resume(0, 'unlucky', first.at)
    expect((await again.next('resumed')).seq).toBe(0)
    await cut(again, 0)
  }
})

it('a client can not end the session of another by a message that looks like an exit', async () => {
  lab = await Lab.start(1)
  const victim = await lab.connect(0, 'victim')
  victim.send({ type: 'register', name: 'victim' })
  await victim.handled()
  const attacker = await lab.connect(0, 'attacker')
  attacker.send({ type: 'send', to: 'victim', message: { type: 'EXIT', reason: 'killed' } })
  await attacker.handled()
  await victim.handled()
  expect(victim.messages).toHaveLength(3)
})

it('a room that is none is the fault of who watches it, and harms no other', async () => {
  lab = await Lab.start(1)
  const good = await lab.connect(0, 'good')
  good.send({ type: 'watch', room: 'room' })
  expect(await good.received(1)).toMatchObject([{ type: 'presence_state' }])
  const bad = await lab.connect(0, 'bad')
  bad.send({ type: 'watch', room: 'r'.repeat(1_000) })
  expect((await bad.closed).code).toBe(1011)
  await good.handled()
  expect(good.messages).toHaveLength(2)
})

it('a session whose handleDisconnect never ends is killed', async () => {
  class Hanging extends LabSession {
    override async handleDisconnect() {
      await new Promise(() => undefined)
    }
  }
  lab = await start(1, Hanging, { sessionEndTimeoutMs: 50 })
  const client = await lab.connect(0, 'hanging')
  client.send({ type: 'register', name: 'hanging' })
  await client.handled()
  client.socket.terminate()
  await expect.poll(() => lab.at(0).names.whereisName('hanging')).toBe(undefined)
  await expect.poll(() => lab.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
})

it('a session that waits for its client and is at something that never ends is killed when its time is over', async () => {
  class Hanging extends LabSession {
    override handleInfo() {
      return new Promise<void>(() => undefined)
    }
  }
  lab = await start(1, Hanging, { sessionEndTimeoutMs: 50, resume: { graceMs: 50 } })
  const client = await lab.connect(0, 'stuck')
  client.send({ type: 'register', name: 'stuck' })
  await client.handled()
  client.socket.terminate()
  await expect.poll(() => lab.at(0).gateway.stats.sessions.detached).toBe(1)
  lab.at(0).names.send('stuck', 'never handled')
  await expect.poll(() => lab.at(0).names.whereisName('stuck')).toBe(undefined)
  await expect.poll(() => lab.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
})

it('a client that says good-bye while its session is on its way to it ends it, too', async () => {
  const gate = new Gate()
  const ended = new Gate()
  class Slow extends LabSession {
    override async handOver() {
      await gate.wait()
      return super.handOver()
    }
    override terminate() {
      void ended.wait()
    }
  }
  lab = await start(2, Slow)
  const first = await lab.connect(0, 'leaver')
  await cut(first, 0)
  const second = await lab.resume(1, 'leaver', first.at)
  await gate.reached
  second.socket.close(1000)
  await second.closed
  await expect.poll(() => lab.at(1).gateway.stats.connections).toBe(0)
  gate.open()
  await ended.reached
})

it('a gateway that has stopped has no sessions, attached or detached', async () => {
  lab = await Lab.start(1)
  const client = await lab.connect(0, 'detached')
  await cut(client, 0)
  await lab.at(0).gateway.stop()
  expect(lab.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
})

it('a token is of one class of sessions: a gateway with another refuses it', async () => {
  class Other extends SocketSession<ClientMessage, unknown, { readonly user: string }> {}
  lab = await Lab.start(1)
  await lab.addNode('other', { session: Other })
  const client = await lab.connect(0, 'user')
  const elsewhere = await lab.resume(1, 'user', client.at)
  expect(await elsewhere.next('resume_failed')).toMatchObject({ why: 'refused' })
  await client.handled()
})

describe('a socket does not hold its session afterwards', () => {
  const gate = { current: new Gate() }
  class Busy extends LabSession {
    override async handleInfo(message: unknown) {
      if (message === 'be busy') await gate.current.wait()
    }
  }

  /** A client that comes back to a session which is busy until the gate is open. */
  async function returning(): Promise<LabClient> {
    gate.current = new Gate()
    lab = await start(1, Busy)
    const first = await lab.connect(0, 'busy')
    first.send({ type: 'register', name: 'busy' })
    await first.handled()
    await cut(first, 0)
    lab.at(0).names.send('busy', 'be busy')
    await gate.current.reached
    return lab.resume(0, 'busy', first.at)
  }

  it('if it is given up while that is busy', { timeout: 15_000 }, async () => {
    const second = await returning()
    expect((await second.closed).code).toBe(1013)
    gate.current.open()
    const third = await lab.connect(0, 'other')
    third.send({ type: 'register', name: 'busy' })
    await third.handled()
    expect(third.messages).toContainEqual({ type: 'registered', name: 'busy' })
  })

  it('if it is closed for good while that is busy', { timeout: 20_000 }, async () => {
    const second = await returning()
    const { names, node, gateway } = lab.at(0)
    const session = names.whereisName('busy')
    if (session === undefined) throw new Error('it has lost its name')
    // It is asked to take its client back.
    await expect.poll(() => node.processInfo(session)?.messageQueueLength).toBe(1)
    second.socket.close(1000)
    await second.closed
    // Nobody waits for its answer any more.
    await expect.poll(() => gateway.stats.resumes.get('busy'), { timeout: 10_000 }).toBe(1)
    gate.current.open()
    await expect.poll(() => gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
    expect(names.whereisName('busy')).toBeUndefined()
  })
})

it('of a client that sends more before its session is there than may wait nothing more is read until that has handled some', async () => {
  const gate = new Gate()
  class Slow extends LabSession {
    override async handleMessage() {
      await gate.wait()
    }
  }
  lab = await start(1, Slow, { maxPendingMessages: 2 })
  const client = await lab.open(0)
  const message = JSON.stringify([{ type: 'echo', message: 'x' }])
  client.control({ type: 'hello', token: 'eager' })
  for (let n = 0; n < 4; n++) client.socket.send(message)
  await gate.reached
  const { sockets } = lab.at(0).gateway as unknown as {
    sockets: { connections: Set<{ socket: { isPaused: boolean } }> }
  }
  expect([...sockets.connections].map(({ socket }) => socket.isPaused)).toEqual([true])
  gate.open()
  await expect.poll(() => lab.at(0).gateway.stats.messagesIn).toBe(4)
})

describe('on a node whose mailboxes drop', () => {
  const mailbox = { limit: 20, policy: 'drop' } as const

  it('a session of which others want too much handles all that its client sends, and knows that its socket is closed', async () => {
    const gate = new Gate()
    const handled: unknown[] = []
    class Busy extends LabSession {
      override async handleInfo(message: unknown) {
        if (message === 'be busy') await gate.wait()
      }
      override async handleMessage(message: ClientMessage) {
        handled.push(message)
        await super.handleMessage(message)
      }
      override handleDisconnect() {
        handled.push('disconnected')
      }
    }
    lab = await start(1, Busy, { mailbox })
    const client = await lab.connect(0, 'busy')
    client.send({ type: 'register', name: 'busy' })
    await client.handled()
    handled.length = 0
    const { names, node, gateway } = lab.at(0)
    names.send('busy', 'be busy')
    await gate.reached
    for (let n = 0; n < 100; n++) names.send('busy', n)
    expect(node.counters().messagesDropped).toBe(80)
    for (let n = 0; n < 5; n++) client.send({ type: 'echo', message: n })
    await expect.poll(() => gateway.stats.mailboxMessages.sum).toBe(5)
    client.socket.terminate()
    await expect.poll(() => gateway.stats.connections).toBe(0)
    gate.open()
    await expect.poll(() => gateway.stats.sessions.detached).toBe(1)
    expect(handled).toEqual([...[0, 1, 2, 3, 4].map((message) => ({ type: 'echo', message })), 'disconnected'])
  })
})

it("a unique name that two sessions want at once of one that gives way is one's, and the other gets 4009", async () => {
  lab = await Lab.start(2)
  const first = await lab.connect(0, 'away')
  first.send({ type: 'register', name: 'name' })
  await first.handled()
  await cut(first, 0)
  const both = [await lab.connect(1, 'one'), await lab.connect(1, 'other')]
  for (const client of both) client.send({ type: 'register', name: 'name' })
  const codes = both.map(async ({ closed }) => (await closed).code)
  expect(await Promise.race(codes)).toBe(4009)
  const [winner] = both.filter(({ socket }) => socket.readyState === WebSocket.OPEN)
  await winner?.handled()
  expect(winner?.messages).toContainEqual({ type: 'registered', name: 'name' })
})

it('a name that goes to the last who wants it is not taken back by a session that was on its way meanwhile', async () => {
  lab = await Lab.start(2)
  const gate = new Gate()
  const first = await lab.connect(0, 'user')
  first.send({ type: 'register', name: 'name', policy: 'replace' })
  await first.handled()
  await cut(first, 0)
  const resolve = lab.at(1).names.resolveName.bind(lab.at(1).names)
  Object.assign(lab.at(1).names, {
    resolveName: async (name: string) => {
      await gate.wait()
      return resolve(name)
    },
  })
  const second = await lab.resume(1, 'user', first.at)
  await gate.reached
  const newer = await lab.connect(0, 'user')
  newer.send({ type: 'register', name: 'name', policy: 'replace' })
  await newer.handled()
  await expect.poll(() => lab.at(1).names.whereisName('name')?.node).toBe('n0@127.0.0.1')
  gate.open()
  expect((await second.closed).code).toBe(4013)
  await newer.handled()
})

it('a session that is busy for long is not gone for a client that comes to another node: it finds it a moment later', async () => {
  const gate = new Gate()
  class Busy extends LabSession {
    override async handleInfo(message: unknown) {
      if (message === 'be busy') await gate.wait()
      else this.push(message)
    }
  }
  lab = await start(2, Busy)
  const first = await lab.connect(0, 'busy')
  first.send({ type: 'register', name: 'busy' })
  await first.handled()
  first.socket.terminate()
  await expect.poll(() => lab.at(0).gateway.stats.sessions.detached).toBe(1)
  lab.at(0).names.send('busy', 'be busy')
  const second = await lab.resume(1, 'busy', first.at)
  expect((await second.closed).code).toBe(1013)
  gate.open()
  const resumed = async () => {
    const again = await lab.resume(1, 'busy', first.at)
    return Promise.race([again.next('resumed').then(() => 'resumed'), again.closed.then(({ code }) => code)])
  }
  await expect.poll(resumed, { interval: 300 }).toBe('resumed')
})
