/**
 * Interleavings that went wrong once: what comes in the middle of a resume, of a move to another node, of an end.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { Lab, LabSession, type LabClient, type LabOptions } from './lab.ts'

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

/** A lab whose sessions have callbacks of the test's. */
function start(count: number, session: typeof LabSession, options: LabOptions = {}): Promise<Lab> {
  return Lab.start(count, { session, ...options })
}

describe('a session that goes to another node', () => {
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

  it('keeps its unique name: another one that wants it in the middle gets 4009', async () => {
    const gate = new Gate()
    class Slow extends LabSession {
      override async handleTakeover(state: unknown) {
        await gate.wait()
        super.handleTakeover(state)
      }
    }
    lab = await start(2, Slow)
    const first = await lab.connect(0, 'mover')
    first.send({ type: 'register', name: 'name' })
    await first.handled()
    await cut(first, 0)
    const second = await lab.resume(1, 'mover', first.at)
    await gate.reached
    const other = await lab.connect(0, 'other')
    other.send({ type: 'register', name: 'name' })
    // On a node that asks it then is busy with its takeover; it says so only afterwards.
    expect((await other.closed).code).toBe(4009)
    gate.open()
    await second.next('resumed')
    await second.handled()
  })

  it('is revoked in the middle', async () => {
    const gate = new Gate()
    class Slow extends LabSession {
      override async handleTakeover(state: unknown) {
        await gate.wait()
        super.handleTakeover(state)
      }
    }
    lab = await start(2, Slow)
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
})
