/**
 * One suite for every transport: what distribution/ relies on.
 */
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Link, LinkEnd, LinkEvents, Transport } from '../../src/ports.ts'
import { systemClock } from '../../src/system/system-clock.ts'
import { grpcTransport } from '../../src/transport/sockets/grpc.ts'
import { MemoryNetwork } from '../../src/transport/memory.ts'
import { tcpTransport } from '../../src/transport/sockets/tcp.ts'

class Side implements LinkEvents {
  readonly frames: Uint8Array[] = []
  readonly ends: LinkEnd[] = []
  /** What was still buffered each time that something had been passed on. */
  readonly left: number[] = []
  link: Link | undefined

  onFrame(frame: Uint8Array): void {
    this.frames.push(Uint8Array.from(frame))
  }

  onEnd(end: LinkEnd): void {
    this.ends.push(end)
  }

  onPassedOn(): void {
    this.left.push(this.link?.bufferedBytes ?? 0)
  }
}

const makers: Array<[string, () => () => Transport]> = [
  [
    'memory',
    () => {
      const network = new MemoryNetwork(systemClock)
      let hosts = 0
      return () => network.transport(`host ${++hosts}`)
    },
  ],
  ['gRPC', () => grpcTransport],
  ['TCP', () => tcpTransport],
]

describe.each(makers)('the %s transport', (_name, maker) => {
  const running: Transport[] = []

  afterEach(async () => {
    for (const transport of running.splice(0)) await transport.stop()
  })

  /** A listener and a dialer that is connected with it. */
  async function pair() {
    const make = maker()
    const near = make()
    const far = make()
    running.push(near, far)
    const accepted: Side[] = []
    const address = await far.listen('127.0.0.1:0', (link) => {
      const side = new Side()
      side.link = link
      accepted.push(side)
      return side
    })
    const dialer = new Side()
    dialer.link = near.dial(address, dialer)
    dialer.link.send(Uint8Array.of(0))
    await expect.poll(() => accepted[0]?.frames.length).toBe(1)
    return { make, near, far, address, accepted, dialer, listener: accepted[0] as Side }
  }

  it('frames arrive whole, once, and in the order in which they were sent, in both directions', async () => {
    const { dialer, listener } = await pair()
    for (let i = 1; i < 1_000; i++) {
      dialer.link?.send(Uint8Array.of(i & 255, i >> 8))
      listener.link?.send(Uint8Array.of(i & 255, i >> 8))
    }
    await expect.poll(() => dialer.frames.length).toBe(999)
    await expect.poll(() => listener.frames.length).toBe(1_000)
    expect(dialer.frames.map(([low = 0, high = 0]) => low + high * 256)).toEqual(
      Array.from({ length: 999 }, (_, i) => i + 1),
    )
  })

  it('a frame of 900 KiB arrives', async () => {
    const { dialer, listener } = await pair()
    const frame = new Uint8Array(900 * 1024).fill(7)
    dialer.link?.send(frame)
    await expect.poll(() => listener.frames[1]?.length, { timeout: 15_000 }).toBe(frame.length)
  })

  it('what is buffered is counted in bytes, and is zero when all is gone', async () => {
    const { dialer, listener } = await pair()
    for (let i = 0; i < 200; i++) dialer.link?.send(new Uint8Array(100_000))
    expect(dialer.link?.bufferedBytes).toBeGreaterThan(0)
    await expect.poll(() => listener.frames.length, { timeout: 15_000 }).toBe(201)
    await expect.poll(() => dialer.link?.bufferedBytes).toBe(0)
  })

  it('who has sent is told when it was passed on, up to the last of it, and nothing of it after a close', async () => {
    const { dialer, listener } = await pair()
    dialer.left.length = 0
    for (let i = 0; i < 20; i++) dialer.link?.send(new Uint8Array(100_000))
    await expect.poll(() => listener.frames.length, { timeout: 15_000 }).toBe(21)
    await expect.poll(() => dialer.link?.bufferedBytes).toBe(0)
    await expect.poll(() => dialer.left.at(-1)).toBe(0)
    const told = dialer.left.length
    dialer.link?.send(Uint8Array.of(42))
    dialer.link?.close()
    await expect.poll(() => listener.frames.length).toBe(22)
    await expect.poll(() => listener.ends.length).toBe(1)
    expect(dialer.left).toHaveLength(told)
  })

  it.each(['dialer', 'listener'] as const)(
    'a close by the %s delivers what was sent before, and ends the other side once',
    async (closing) => {
      const sides = await pair()
      const other = closing === 'dialer' ? sides.listener : sides.dialer
      const before = other.frames.length
      sides[closing].link?.send(Uint8Array.of(42))
      sides[closing].link?.close()
      sides[closing].link?.close()
      await expect.poll(() => other.ends.length).toBe(1)
      expect(other.frames.slice(before)).toEqual([Uint8Array.of(42)])
      expect(sides[closing].ends).toEqual([])
      expect(other.ends).toEqual([{ type: 'closed' }])
    },
  )

  it('nothing comes after a close of one’s own, though more has arrived', async () => {
    const { dialer, listener } = await pair()
    dialer.onFrame = (frame) => {
      dialer.frames.push(frame)
      dialer.link?.close()
    }
    for (let i = 0; i < 10; i++) listener.link?.send(Uint8Array.of(i))
    listener.link?.close()
    await expect.poll(() => dialer.frames.length).toBe(1)
    await running.pop()?.stop()
    await running.pop()?.stop()
    expect([dialer.frames.length, dialer.ends.length]).toEqual([1, 0])
  })

  it('nothing comes that was sent when the close had not arrived yet', async () => {
    const { dialer, listener } = await pair()
    dialer.link?.close()
    listener.link?.send(Uint8Array.of(1))
    await expect.poll(() => listener.ends.length).toBe(1)
    await running.pop()?.stop()
    await running.pop()?.stop()
    expect([dialer.frames.length, dialer.ends.length]).toEqual([0, 0])
  })

  it('two nodes of one process that dial one address have a link each, and the end of one is not that of the other', async () => {
    const { make, near, address, accepted } = await pair()
    const second = make()
    running.push(second)
    const other = new Side()
    const link = second.dial(address, other)
    link.send(Uint8Array.of(1))
    await expect.poll(() => accepted[1]?.frames.length).toBe(1)
    await near.stop()
    await expect.poll(() => accepted[0]?.ends.length).toBe(1)
    link.send(Uint8Array.of(2))
    await expect.poll(() => accepted[1]?.frames.length).toBe(2)
    expect(other.ends).toEqual([])
  })

  it('a dial that finds nobody ends as unreachable', async () => {
    const { make, near, far, address } = await pair()
    await far.stop()
    void make
    const dialer = new Side()
    near.dial(address, dialer)
    await expect.poll(() => dialer.ends, { timeout: 15_000 }).toMatchObject([{ type: 'unreachable' }])
  })

  it('an address that is taken is ERR_PORT_IN_USE', async () => {
    const { make, address } = await pair()
    const third = make()
    running.push(third)
    await expect(third.listen(address, () => new Side())).rejects.toMatchObject({ code: 'ERR_PORT_IN_USE' })
  })

  it('stop waits for no grace where the other side ends its half too', async () => {
    const { near, far } = await pair()
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    await expect(near.stop()).resolves.toBeUndefined()
    await expect(far.stop()).resolves.toBeUndefined()
  })

  it('stop ends every link at its other side', async () => {
    const { far, dialer } = await pair()
    await far.stop()
    await expect.poll(() => dialer.ends.length).toBe(1)
  })
})
