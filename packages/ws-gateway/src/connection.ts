/**
 * One socket: from its upgrade to its end, and in between the way to and from a session's process.
 *
 *   hello ──▶ starting ──▶ open ──▶ closing ──▶ closed
 *     │ who it is, which session     │ frame ─▶ decode ─▶ schema ─▶ the process      at most `maxPendingMessages` wait, then the socket is not read
 *     │ (bare: said by the upgrade)  │ the process ─▶ frames of a turn ─▶ one write  at most `maxBufferedBytes` wait, then the socket is closed
 *     └── too late ──▶ closing       │ silence ─▶ ping ─▶ closed;  token expires ─▶ told ─▶ closed
 *
 * Invariants: nothing that a client sends throws here; a socket is closed once; after that nothing more is read from it, and nothing written.
 * Deadlines are looked at in `beat`, once a second: a connection has no timers, since there are many.
 */
import type { Duplex } from 'node:stream'
import type { Logger } from '@pidmesh/runtime'
import { WebSocket } from 'ws'
import { controlOf, helloOf, type ClientControl, type Hello } from './client-control.ts'
import { CLOSE, type CloseCause } from './close-codes.ts'
import type { Codec, Decoded } from './codec/codec.ts'
import { frameOf, type Frame } from './frame.ts'
import { type GatewaySocket, type SocketListener } from './gateway-socket.ts'
import { beatOf, type HeartbeatOptions } from './heartbeat.ts'
import type { UpgradeRequest } from './options.ts'
import type { Identity } from './principal.ts'
import { SocketClosed, SocketMessages } from './session-protocol.ts'
import type { SessionClient } from './session-client.ts'
import { SocketWriter, type Room, type WriterHost, type WriterOwner } from './socket-writer.ts'
import { giveBack, take, type FullAtMs, type Rate } from './token-bucket.ts'
import { TokenExpiry } from './token-expiry.ts'
import { validate, type MessageSchema } from './validate.ts'

/** After a close frame, whoever was the first to send one, the client has so long to end the connection. */
export const CLOSE_GRACE_MS = 2_000

/** What all connections of a gateway share. */
export interface ConnectionHost extends WriterHost {
  readonly log: Logger
  /** For what is a fault of the author's. */
  readonly faults: Pick<Logger, 'error'>
  readonly schema: MessageSchema<unknown> | undefined
  readonly heartbeat: HeartbeatOptions
  readonly rate: Rate
  readonly maxPendingMessages: number
  readonly helloTimeoutMs: number
  readonly onHello: (connection: Connection, hello: Hello) => void
  /** The client shows a fresh token. Resolves when it is known whose. */
  readonly onAuth: (connection: Connection, token: string) => Promise<void>
  readonly onClosed: (connection: Connection) => void
}

export interface ConnectionInit {
  readonly socket: GatewaySocket
  /** The stream that the WebSocket is on. */
  readonly stream: Duplex
  readonly codec: Codec
  readonly request: UpgradeRequest
  readonly host: ConnectionHost
  /** Who the client is, if the upgrade has said it. */
  readonly identity: Identity<unknown> | undefined
}

type Stage = 'hello' | 'starting' | 'open' | 'closing'

/** Frames that have come before the session was there, as they came: what they hold may take twenty times as much. */
interface Early {
  readonly frames: Buffer[]
  bytes: number
}

/** So much is read of a client while it is found out who it is. */
const MAX_STRANGERS_BYTES = 4 * 1024

export class Connection implements SocketListener, WriterOwner {
  readonly codec: Codec
  /** What the client has come with. Let go as soon as nobody will ask again. */
  request: UpgradeRequest | undefined
  readonly address: string
  identity: Identity<unknown> | undefined
  /** Who is told that the socket is closed: from the moment on at which the session has it, which may be before `begin`. */
  session: SessionClient | undefined = undefined
  private readonly socket: GatewaySocket
  private readonly writer: SocketWriter
  private readonly host: ConnectionHost
  private stage: Stage
  /** Of whole milliseconds, as all that is kept of each connection: they take less memory. */
  private heardMs: number
  private pingedMs: number | undefined = undefined
  /** Of the stage: until when the hello must be here, or the client's close frame. */
  private deadlineMs: number | undefined = undefined
  /** Of the tokens that messages are paid for with. */
  private tokensFullAtMs: FullAtMs = undefined
  private early: Early | undefined = undefined
  /** The last number that the client has acknowledged: who goes on with a session has done so before. */
  acked = 0
  /** The client's messages that the session hasn't handled yet. */
  private pending = 0
  /** `undefined`: its token doesn't. */
  private expiry: TokenExpiry | undefined = undefined
  /** A fresh token is being looked at. */
  private isRefreshing = false
  /** Of whoever was first: the gateway, `ws` that refuses what the client has sent, or the client. What comes later changes nothing. */
  private closedWith: number | undefined = undefined

  constructor({ socket, stream, codec, request, host, identity }: ConnectionInit) {
    this.socket = socket
    this.codec = codec
    this.request = request
    this.address = request.remoteAddress
    this.host = host
    this.identity = undefined
    if (identity !== undefined) this.authenticated(identity)
    const nowMs = this.nowMs()
    this.heardMs = nowMs
    this.stage = codec.name === 'bare' ? 'starting' : 'hello'
    if (this.stage === 'hello') this.deadlineMs = nowMs + host.helloTimeoutMs
    this.writer = new SocketWriter({ socket, stream, isBinary: codec.isBinary, host, owner: this })
    socket.tell(this)
  }

  get isOpen(): boolean {
    return this.stage !== 'closing' && this.socket.readyState === WebSocket.OPEN
  }

  /** Who it is is known, and it has no session yet. */
  get isStarting(): boolean {
    return this.stage === 'starting'
  }

  /** It has no session yet, and who it is isn't known. */
  get isUnauthenticated(): boolean {
    return this.identity === undefined
  }

  /** `undefined` as long as it is open. */
  get closeCode(): number | undefined {
    return this.isOpen ? undefined : (this.closedWith ?? 1006)
  }

  /** Bytes that wait for the client. */
  get bufferedBytes(): number {
    return this.writer.bufferedBytes
  }

  /** The client's messages that wait for the session. */
  get pendingMessages(): number {
    return this.pending
  }

  /** The session is there. */
  begin(session: SessionClient): void {
    this.session = session
    if (this.identity?.expiresAtMs === undefined) this.request = undefined
    if (!this.isOpen) {
      // Closed while the session was starting.
      this.tellClosed(this.closeCode ?? 1006, '')
      session.socketIsClosed(this)
      return
    }
    this.stage = 'open'
    const early = this.early?.frames ?? []
    this.early = undefined
    for (const frame of early) this.onDecoded(this.codec.decode(frame))
    if (this.pending < this.host.maxPendingMessages) this.resumeReading()
  }

  /** The client has shown who it is, or that it is so still. */
  authenticated(identity: Identity<unknown>): void {
    this.identity = identity
    const { expiresAtMs } = identity
    this.expiry = expiresAtMs === undefined ? undefined : new TokenExpiry(expiresAtMs, this.host.clock.wallMs())
  }

  /** Milliseconds until the client's token expires. */
  get expiresInMs(): number | undefined {
    return this.expiry?.leftMs(this.host.clock.wallMs())
  }

  // To the client.

  roomFor(bytes: number): Room {
    return this.isOpen ? this.writer.roomFor(bytes) : 'none'
  }

  /** Sends a frame with a message. */
  writeMessage(frame: Frame): void {
    if (this.isOpen) this.writer.writeMessage(frame)
  }

  writeFrame(frame: Frame): void {
    if (this.isOpen) this.writer.write(frame)
  }

  /** Nothing, in the bare protocol. */
  writeControl(control: object): void {
    if (this.codec.name === 'bare') return
    const frame = frameOf(this.codec.encodeControl(this.withExpiry(control)), false)
    // A client that asks, and doesn't read what it is answered, is as slow as any other.
    if (this.stage === 'open' && this.roomFor(frame.length) === 'full') this.close(CLOSE.slowConsumer)
    else this.writeFrame(frame)
  }

  /** Closes the socket. What was sent before still goes out if the client reads; if it doesn't, the socket is cut off soon. */
  close({ code, reason }: CloseCause): void {
    if (this.stage === 'closing') return
    this.stage = 'closing'
    const { socket, host } = this
    this.closedWith ??= code
    host.counters.countClose(this.closedWith)
    this.deadlineMs = this.nowMs() + CLOSE_GRACE_MS
    try {
      socket.close(code, reason)
    } catch (error) {
      host.faults.error(
        { code, problem: String(error) },
        'a socket could not be closed as it was to be, and is cut off',
      )
      socket.terminate()
    }
    // A paused socket would not see the client's close frame.
    socket.resume()
  }

  /** Closes the socket, and gives free at once what waits for the client. */
  shed(cause: CloseCause): void {
    this.close(cause)
    this.cutOff()
  }

  /** Ends the socket without the client. */
  cutOff(): void {
    this.socket.terminate()
  }

  /** The client was slow, and has caught up. */
  onRelieved(): void {
    this.session?.flushCoalesced()
  }

  // Once a second.

  beat(nowMs: number, wallMs: number): void {
    const { stage, socket, host } = this
    if (this.deadlineMs !== undefined && nowMs >= this.deadlineMs) {
      if (stage === 'hello') this.close(CLOSE.authTimeout)
      else if (stage === 'closing') socket.terminate()
      return
    }
    if (stage === 'closing' || socket.readyState !== WebSocket.OPEN) return
    if (this.expiry?.isOver(wallMs) === true) {
      this.close(CLOSE.tokenExpired)
      return
    }
    if (stage === 'open' && this.expiry?.tellNow(wallMs) === true)
      this.writeControl({ type: 'expiring', inMs: this.expiry.leftMs(wallMs) })
    if (this.writer.isStalled(nowMs)) {
      this.close(CLOSE.slowConsumer)
      return
    }
    const beat = beatOf(this.heardMs, this.pingedMs, nowMs, host.heartbeat)
    if (beat === 'ping') {
      this.pingedMs = nowMs
      socket.ping()
    }
    // A socket that is not read shows no pong, and what holds it back is our own session. The pings go on: they find out a connection that is broken.
    else if (beat === 'dead' && socket.isPaused) this.heard()
    else if (beat === 'dead') this.close(CLOSE.pingTimeout)
  }

  private withExpiry(control: object): object {
    const { expiresInMs } = this
    if (expiresInMs === undefined || !('type' in control)) return control
    return control.type === 'welcome' || control.type === 'resumed' || control.type === 'authenticated'
      ? { ...control, expiresInMs }
      : control
  }

  // From the client.

  /** A message has come, or a ping, or a pong that nobody has asked for: `false` if it is one too many. */
  private takes(): boolean {
    this.heard()
    if (this.stage === 'closing') return false
    if (this.pay(1)) return true
    this.close(CLOSE.rateLimited)
    return false
  }

  private pay(tokens: number): boolean {
    const taken = take(this.tokensFullAtMs, this.host.rate, this.heardMs, tokens)
    if (taken === undefined) return false
    this.tokensFullAtMs = taken
    return true
  }

  private nowMs(): number {
    return Math.floor(this.host.clock.monotonicMs())
  }

  private heard(): void {
    this.heardMs = this.nowMs()
    this.pingedMs = undefined
  }

  onPing(): void {
    this.takes()
  }

  /** One that was asked for is free. */
  onPong(): void {
    if (this.pingedMs === undefined) this.takes()
    else this.heard()
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    if (!this.takes()) return
    this.host.counters.bytesIn += data.length
    if (isBinary !== this.codec.isBinary) {
      this.close(CLOSE.unsupported)
      return
    }
    if (this.stage === 'starting') this.keep(data)
    else this.onDecoded(this.codec.decode(data))
  }

  private onDecoded(frame: Decoded): void {
    if (this.stage === 'closing') return
    if (frame.type === 'malformed') this.refuse(frame.problem)
    else if (this.stage === 'hello') this.onFirst(frame)
    else if (frame.type === 'control') this.onControl(controlOf(frame.control))
    else this.onMessages(frame.messages)
  }

  /** Of who may be nobody little is kept: to ask who it is may take seconds, and a thousand may wait for that. */
  private keep(frame: Buffer): void {
    this.early ??= { frames: [], bytes: 0 }
    const { early } = this
    early.frames.push(frame)
    early.bytes += frame.length
    const isEnough = this.isUnauthenticated && early.bytes >= MAX_STRANGERS_BYTES
    if (isEnough || early.frames.length >= this.host.maxPendingMessages) this.socket.pause()
  }

  private onFirst(frame: Decoded): void {
    const hello = frame.type === 'control' ? helloOf(frame.control) : undefined
    if (hello === undefined) {
      this.refuse('the first frame is no hello')
      return
    }
    this.stage = 'starting'
    this.deadlineMs = undefined
    this.host.onHello(this, hello)
  }

  private onControl(control: ClientControl): void {
    switch (control.type) {
      case 'ack':
        this.onAck(control.seq)
        return
      case 'auth':
        if (this.isRefreshing) this.refuse('auth before the last one was answered')
        else void this.refresh(control.token)
        return
      case 'ping':
        if (this.session?.received !== undefined)
          this.writeControl({ type: 'received', received: this.session.received })
        this.writeControl({ type: 'pong' })
        return
      case 'malformed':
        this.refuse(control.problem)
    }
  }

  private async refresh(token: string): Promise<void> {
    this.isRefreshing = true
    await this.host.onAuth(this, token)
    this.isRefreshing = false
  }

  /** One that says something new costs the client nothing: there are no more of them than there are messages to it. Where nobody counts those it costs what any message does. */
  private onAck(seq: number): void {
    const outcome = this.session?.ack(this, seq)
    if (outcome === 'bad') this.refuse('an ack of what was not sent')
    if (outcome !== 'ok' || seq <= this.acked) return
    this.acked = seq
    this.tokensFullAtMs = giveBack(this.tokensFullAtMs, this.host.rate)
  }

  private onMessages(values: readonly unknown[]): void {
    const { host, session } = this
    if (session === undefined || values.length === 0) return
    const messages: unknown[] = []
    for (const value of values) {
      const validated = validate(value, host.schema)
      if (!validated.ok) {
        if (validated.isOfSchema) this.onSchemaFailed(validated.problem)
        else this.refuse(validated.problem)
        return
      }
      messages.push(validated.message)
    }
    // Of several in one frame the first is paid for.
    if (!this.pay(messages.length - 1)) {
      this.close(CLOSE.rateLimited)
      return
    }
    host.counters.messagesIn += messages.length
    this.pending += messages.length
    if (this.pending >= host.maxPendingMessages) this.socket.pause()
    session.tell(new SocketMessages(this, messages))
  }

  private refuse(problem: string): void {
    this.host.log.debug({ session: this.session?.pid.toString(), problem }, 'bad message from a client')
    this.close(CLOSE.badMessage)
  }

  /** Its author has to know: clients are closed for it, whatever they send. */
  private onSchemaFailed(problem: string): void {
    this.host.faults.error({ session: this.session?.pid.toString(), problem }, 'the schema of messages can not be used')
    this.close(CLOSE.badMessage)
  }

  /** The session has handled a message. */
  onHandled(): void {
    this.pending--
    if (this.pending <= this.host.maxPendingMessages / 2) this.resumeReading()
  }

  private resumeReading(): void {
    if (this.socket.isPaused) this.socket.resume()
  }

  /** What was sent before stands before the close frame. And why it is closed is known from now on: that the connection has ended may come seconds later. */
  onClosing(code: number | undefined): void {
    this.closedWith ??= code ?? 1005
    this.writer.push()
  }

  onError(error: Error): void {
    this.host.log.debug({ problem: error.message }, 'socket error')
  }

  onClosed(code: number, reason: string): void {
    this.closedWith ??= code
    if (this.stage !== 'closing') this.host.counters.countClose(this.closedWith)
    this.stage = 'closing'
    this.early = undefined
    this.tellClosed(this.closedWith, reason)
    this.host.onClosed(this)
  }

  private tellClosed(code: number, reason: string): void {
    this.session?.tell(new SocketClosed(this, code, reason))
  }
}
