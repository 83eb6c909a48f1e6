/**
 * What a session says at once goes out with the answer to the upgrade, in one write of the system.
 */
import { once } from 'node:events'
import { Socket } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { Lab, LabSession } from './lab.ts'

/** Longer than a window of the scheduler: what comes then is handled a lap of the event loop later. */
const REST_MS = 10
const CLIENTS = 20

class Greeting extends LabSession {
  override async handleConnect(): Promise<void> {
    await this.registerAs(this.principal.user)
    this.push('welcome')
  }
}

let lab: Lab
afterEach(async () => {
  vi.restoreAllMocks()
  await lab.stop()
})

/** Counts what is written by sockets of the gateway's port. */
function countWrites(port: number): () => number {
  let count = 0
  for (const method of ['_write', '_writev'] as const) {
    const write = Socket.prototype[method] as (...args: unknown[]) => void
    vi.spyOn(Socket.prototype, method).mockImplementation(function (this: Socket, ...args: unknown[]) {
      if (this.localPort === port) count++
      write.apply(this, args)
    })
  }
  return () => count
}

it('a session that starts at once has its first words in the answer, also after a while in which nothing ran', async () => {
  lab = await Lab.start(1, { session: Greeting })
  const { gateway } = lab.at(0)
  const writes = countWrites(gateway.port)
  for (let n = 0; n < CLIENTS; n++) {
    await new Promise((resolve) => setTimeout(resolve, REST_MS))
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws?user=user:${n}`)
    const [data] = (await once(socket, 'message')) as [Buffer]
    expect(data.toString()).toBe('"welcome"')
  }
  // On a machine that is busy a start may take longer than a window; not all of them.
  expect(writes()).toBeLessThan(2 * CLIENTS)
})

it('a session that takes its time does not hold up the answer', async () => {
  let greet = (): void => undefined
  class Slow extends LabSession {
    override async handleConnect(): Promise<void> {
      await new Promise<void>((resolve) => (greet = resolve))
      this.push('welcome')
    }
  }
  lab = await Lab.start(1, { session: Slow })
  const { gateway } = lab.at(0)
  const writes = countWrites(gateway.port)
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws?user=slow`)
  await once(socket, 'open')
  expect(writes()).toBe(1)
  const message = once(socket, 'message')
  greet()
  expect(String((await message)[0])).toBe('"welcome"')
  expect(writes()).toBe(2)
})

it('a session may have methods and fields of its own with whatever names the gateway calls it by', async () => {
  class Player extends LabSession {
    seat = 'the third'
    enter(): void {
      this.push({ type: 'entered', seat: this.seat })
    }
    override handleConnect(): void {
      this.enter()
    }
  }
  lab = await Lab.start(1, { session: Player })
  const socket = new WebSocket(`ws://127.0.0.1:${lab.at(0).gateway.port}/ws?user=alice`)
  const [data] = (await once(socket, 'message')) as [Buffer]
  expect(data.toString()).toBe('{"type":"entered","seat":"the third"}')
})
