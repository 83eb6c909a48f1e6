/**
 * A clock that stands until it is moved, and sockets that do what the test says: no time, no network.
 */
import { connect, type Client, type ClientClock, type ClientOptions, type SocketLike } from '@pidmesh/client'

export class FakeClock implements ClientClock {
  private now = 0
  private timers: { readonly atMs: number; readonly run: () => void }[] = []

  nowMs(): number {
    return this.now
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.now + delayMs, run }
    this.timers.push(timer)
    return () => void (this.timers = this.timers.filter((other) => other !== timer))
  }

  /** Timers run in the order in which they are due. */
  advance(byMs: number): void {
    const end = this.now + byMs
    for (;;) {
      const [next] = this.timers.filter(({ atMs }) => atMs <= end).toSorted((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.timers = this.timers.filter((other) => other !== next)
      this.now = Math.max(this.now, next.atMs)
      next.run()
    }
    this.now = Math.max(this.now, end)
  }

  /** As a page does that is not seen: time passes, and nothing runs. */
  sleep(forMs: number): void {
    this.now += forMs
  }

  get pending(): number {
    return this.timers.length
  }
}

export class FakeSocket implements SocketLike {
  binaryType = ''
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: never) => void) | null = null
  onclose: ((event: never) => void) | null = null
  onerror: ((event: never) => void) | null = null
  readonly url: string
  readonly protocols: readonly string[]
  /** What the client has sent, decoded. */
  readonly sent: unknown[] = []
  /** `[undefined]`: without a code. */
  closedWith: readonly (number | undefined)[] | undefined = undefined

  constructor(url: string, protocols: string[]) {
    this.url = url
    this.protocols = protocols
  }

  send(data: string | Uint8Array): void {
    this.sent.push(JSON.parse(String(data)) as unknown)
  }

  close(...code: (number | undefined)[]): void {
    this.closedWith = code
  }

  opens(): void {
    call(this.onopen, {})
  }

  /** A frame of the gateway. */
  says(frame: unknown): void {
    call(this.onmessage, { data: JSON.stringify(frame) })
  }

  saysText(data: unknown): void {
    call(this.onmessage, { data })
  }

  closes(code = 1006, reason = ''): void {
    call(this.onclose, { code, reason })
  }

  /** As a socket of `ws` does that comes to nothing: it says why, and in the close event there is no word of it. */
  fails(message: string): void {
    call(this.onerror, { message })
    this.closes()
  }

  /** Opens, and the gateway begins a session. */
  welcomes(fields: object = { resume: { token: 't1', graceMs: 60_000 }, ackEvery: 16 }): void {
    this.opens()
    this.says({ type: 'welcome', seq: 0, received: 0, ...fields })
  }

  /** Opens, and the gateway goes on with a session. */
  resumes(seq: number, received: number, token = 't2'): void {
    this.opens()
    this.says({ type: 'resumed', seq, received, resume: { token, graceMs: 60_000 }, ackEvery: 16 })
  }

  get controls(): unknown[] {
    return this.sent.filter((frame) => !Array.isArray(frame))
  }

  get messages(): unknown[] {
    return this.sent.filter((frame) => Array.isArray(frame)).flat() as unknown[]
  }
}

function call(listener: ((event: never) => void) | null, event: object): void {
  if (listener !== null) Reflect.apply(listener, undefined, [event])
}

export interface Bench {
  readonly client: Client<unknown, unknown>
  readonly clock: FakeClock
  readonly sockets: readonly FakeSocket[]
  /** Everything that was told, in order. */
  readonly told: unknown[][]
  /** The socket that was made last. */
  readonly socket: FakeSocket
  /** Lets time pass until there is another one. */
  next(): FakeSocket
}

/** A client whose random numbers are all one half, unless the options say otherwise. */
export function bench(options: Partial<ClientOptions> = {}): Bench {
  const clock = new FakeClock()
  const sockets: FakeSocket[] = []
  class Socket extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      sockets.push(this)
    }
  }
  const client = connect({ urls: 'ws://a/', WebSocket: Socket, clock, random: () => 0.5, ...options })
  const told: unknown[][] = []
  client.on('message', (...args) => told.push(['message', ...args]))
  client.on('open', (...args) => told.push(['open', ...args]))
  client.on('gap', (...args) => told.push(['gap', ...args]))
  client.on('close', (...args) => told.push(['close', ...args]))
  const latest = (): FakeSocket => {
    const socket = sockets.at(-1)
    if (socket === undefined) throw new Error('there is no socket yet')
    return socket
  }
  return {
    client,
    clock,
    sockets,
    told,
    get socket() {
      return latest()
    },
    next() {
      const before = sockets.length
      for (let tries = 0; sockets.length === before; tries++) {
        if (tries === 1_000) throw new Error('there is no other socket')
        clock.advance(100)
      }
      return latest()
    },
  }
}

/** All promises that are kept by now have had their say. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
