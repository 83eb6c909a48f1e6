/**
 * A gateway as the protocol says it is, and wires to it that lose what is on them. Nothing arrives unless the test lets it.
 *
 * Its sessions push texts that say which session and which number they are: `2:7` is the seventh of the second.
 */
import type { FakeSocket } from './fakes.ts'

/** Few, so that short histories reach the bounds. */
const KEPT = 6
const RECEIVED_EVERY = 3

export interface ModelSession {
  readonly number: number
  readonly handled: unknown[]
  token: string
  /** Good until the client has shown that it has the next one. */
  former: string | undefined
  last: number
  acked: number
  wire: Wire | undefined
  isAlive: boolean
}

type Control =
  | { readonly type: 'hello'; readonly resume?: { readonly token: string; readonly seq: number } }
  | { readonly type: 'ack'; readonly seq: number }
  | { readonly type: 'ping' }

/** One socket, and what is on its way. */
export class Wire {
  readonly socket: FakeSocket
  readonly toClient: unknown[] = []
  session: ModelSession | undefined = undefined
  /** `silent`: it is broken, and neither side knows. */
  is: 'opening' | 'up' | 'silent' | 'down' = 'opening'
  private taken = 0

  constructor(socket: FakeSocket) {
    this.socket = socket
  }

  /** The next frame of the client, if it arrives. */
  next(): unknown {
    return this.hasNext ? this.socket.sent[this.taken++] : undefined
  }

  get hasNext(): boolean {
    return this.is === 'up' && this.taken < this.socket.sent.length
  }
}

export class ModelGateway {
  readonly sessions: ModelSession[] = []
  /** What the client has done that the gateway would close with 4400. */
  readonly faults: string[] = []
  private tokens = 0

  /** Something that the session says, whether its client is there or not. */
  push(session: ModelSession): void {
    if (!session.isAlive) return
    session.last++
    session.wire?.toClient.push([textOf(session, session.last)])
  }

  /** One frame of the client arrives. */
  takeFrom(wire: Wire): void {
    const frame = wire.next()
    if (Array.isArray(frame)) this.onMessages(wire, frame as unknown[])
    else if (frame !== undefined) this.onControl(wire, frame as Control)
  }

  /** The gateway knows that the socket is gone. */
  lose(wire: Wire): void {
    if (wire.session?.wire === wire) wire.session.wire = undefined
  }

  end(session: ModelSession): void {
    session.isAlive = false
    session.wire = undefined
  }

  private onMessages(wire: Wire, messages: readonly unknown[]): void {
    const { session } = wire
    if (session?.wire !== wire) {
      // Of a socket that the session has left they are not taken; before hello there may be none.
      if (session === undefined) this.faults.push('messages before hello')
      return
    }
    for (const message of messages) {
      session.handled.push(message)
      const received = session.handled.length
      if (received % RECEIVED_EVERY === 0) wire.toClient.push({ type: 'received', received })
    }
  }

  private onControl(wire: Wire, control: Control): void {
    if (control.type === 'hello') return this.onHello(wire, control.resume)
    if (control.type === 'ping') return void wire.toClient.push({ type: 'pong' })
    const { session } = wire
    if (session?.wire !== wire) return
    if (control.seq > session.last || control.seq < session.acked) this.faults.push(`ack of ${control.seq}`)
    session.acked = control.seq
    session.former = undefined
  }

  private onHello(wire: Wire, resume: { readonly token: string; readonly seq: number } | undefined): void {
    if (resume !== undefined && this.resume(wire, resume)) return
    const session: ModelSession = {
      ...{ number: this.sessions.length, handled: [], token: this.token(), former: undefined },
      ...{ last: 0, acked: 0, wire, isAlive: true },
    }
    this.sessions.push(session)
    wire.session = session
    wire.toClient.push({ type: 'welcome', seq: 0, received: 0, ...this.terms(session) })
  }

  private resume(wire: Wire, { token, seq }: { readonly token: string; readonly seq: number }): boolean {
    const session = this.sessions.find((one) => one.isAlive && (one.token === token || one.former === token))
    const failed = (why: string): boolean => {
      wire.toClient.push({ type: 'resume_failed', why, seq })
      return false
    }
    if (session === undefined) return failed('gone')
    if (seq > session.last) this.faults.push(`resume at ${seq}`)
    if (seq < session.acked || session.last - seq > KEPT) {
      this.end(session)
      return failed('gap')
    }
    wire.session = session
    session.wire = wire
    session.former = session.token
    session.token = this.token()
    const received = session.handled.length
    wire.toClient.push({ type: 'resumed', seq, received, ...this.terms(session) })
    for (let number = seq + 1; number <= session.last; number++) wire.toClient.push([textOf(session, number)])
    return true
  }

  private token(): string {
    return `token${++this.tokens}`
  }

  private terms({ token }: ModelSession): object {
    return { resume: { token, graceMs: 60_000 }, ackEvery: 2 }
  }
}

function textOf({ number }: ModelSession, seq: number): string {
  return `${number}:${seq}`
}
