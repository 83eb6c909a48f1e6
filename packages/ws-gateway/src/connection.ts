/**
 * One socket and its session's process.
 *
 *   frame ─▶ decode ─▶ SocketMessage to the process            at most `maxPendingMessages` wait, then the socket is not read
 *   process ─▶ write ─▶ frame                                  at most `maxBufferedBytes` wait, then the socket is closed
 *   silence ─▶ ping ─▶ closed
 *
 * Invariants: nothing that a client sends throws here; a socket is closed once; after that nothing more is read from it.
 */
import { type Clock, type Logger, type Pid } from '@pidmesh/runtime'
import type { RawData, WebSocket } from 'ws'
import { CLOSE, type CloseCause } from './close-codes.ts'
import { decode, encode, type MessageSchema } from './codec.ts'
import { onBeat, onHeard, startHeartbeat, type Heartbeat, type HeartbeatOptions } from './heartbeat.ts'
import type { Counters } from './counters.ts'
import { SocketClosed, SocketMessage } from './session-server.ts'

/** After a close frame the client has so long to answer with its own. */
const CLOSE_GRACE_MS = 2_000

export interface ConnectionOptions {
  readonly socket: WebSocket
  readonly clock: Clock
  readonly log: Logger
  readonly counters: Counters
  readonly messages: MessageSchema<unknown> | undefined
  readonly heartbeat: HeartbeatOptions
  readonly maxBufferedBytes: number
  readonly maxPendingMessages: number
  /** Sends to the session's process. */
  readonly tell: (session: Pid, event: SocketMessage | SocketClosed) => void
  readonly onClosed: (connection: Connection) => void
}

export class Connection {
  session: Pid | undefined = undefined
  private readonly options: ConnectionOptions
  private heartbeat: Heartbeat
  private pending = 0
  private closing = false
  /** The code with which the WebSocket implementation has refused what the client sent. */
  private refusedWith: number | undefined = undefined

  constructor(options: ConnectionOptions) {
    this.options = options
    this.heartbeat = startHeartbeat(options.clock.monotonicMs())
    const { socket } = options
    // Not read before the session is there.
    socket.pause()
    socket.on('message', (data, isBinary) => this.onMessage(data, isBinary))
    socket.on('pong', () => this.heard())
    socket.on('ping', () => this.heard())
    socket.on('error', (error) => this.onError(error))
    socket.on('close', (code, reason) => this.onClose(this.refusedWith ?? code, reason.toString('utf8')))
  }

  /** The session is ready. */
  begin(session: Pid): void {
    this.session = session
    if (this.isOpen) {
      this.options.socket.resume()
      return
    }
    // Closed by the client while the session was starting.
    this.options.tell(session, new SocketClosed(1006, ''))
  }

  /** Sends a message to the client. */
  write(message: unknown): void {
    const { socket, counters, log, maxBufferedBytes } = this.options
    if (this.closing || !this.isOpen) return
    const text = encode(message)
    if (text === undefined) {
      counters.unencodable++
      log.warn({ session: this.session?.toString() }, 'a message that has no form in JSON was not sent to the client')
      return
    }
    if (socket.bufferedAmount + text.length > maxBufferedBytes) {
      this.close(CLOSE.slowConsumer)
      return
    }
    counters.messagesOut++
    socket.send(text)
  }

  /** Closes the socket. What was sent before still goes out if the client reads; if it doesn't, the socket is cut off soon. */
  close(cause: CloseCause): void {
    if (this.closing) return
    this.closing = true
    const { socket, clock, counters, log } = this.options
    counters.countClose(cause.code)
    try {
      socket.close(cause.code, cause.reason)
    } catch (error) {
      log.error(
        { code: cause.code, problem: String(error) },
        'a socket could not be closed as it was to be, and is cut off',
      )
      socket.terminate()
    }
    // A paused socket would not see the client's close frame.
    socket.resume()
    const timer = clock.setTimer(CLOSE_GRACE_MS, () => socket.terminate())
    socket.once('close', () => timer.cancel())
  }

  /** Called every second or so. */
  beat(): void {
    if (this.closing || !this.isOpen) return
    const { state, beat } = onBeat(this.heartbeat, this.options.clock.monotonicMs(), this.options.heartbeat)
    this.heartbeat = state
    if (beat === 'ping') this.options.socket.ping()
    // A socket that is not read shows no pong, and what holds it back is our own session. The pings go on: they find out a connection that is broken.
    else if (beat === 'dead' && this.options.socket.isPaused) this.heard()
    else if (beat === 'dead') this.close(CLOSE.pingTimeout)
  }

  private get isOpen(): boolean {
    return this.options.socket.readyState === this.options.socket.OPEN
  }

  private heard(): void {
    this.heartbeat = onHeard(this.options.clock.monotonicMs())
  }

  private onError(error: Error & { code?: unknown }): void {
    // `ws` sends the close frame by itself, and then reports 1006, as if there had been none.
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.refusedWith = 1009
    else if (error.code === 'WS_ERR_INVALID_UTF8') this.refusedWith = 1007
    else if (typeof error.code === 'string' && error.code.startsWith('WS_ERR_')) this.refusedWith = 1002
    this.options.log.debug({ problem: error.message }, 'socket error')
  }

  private onMessage(data: RawData, isBinary: boolean): void {
    this.heard()
    const { session } = this
    if (this.closing || session === undefined) return
    if (isBinary) {
      this.close(CLOSE.unsupported)
      return
    }
    const decoded = decode(textOf(data), this.options.messages)
    if (!decoded.ok) {
      this.options.log.debug({ session: session.toString(), problem: decoded.problem }, 'bad message from a client')
      this.close(CLOSE.badMessage)
      return
    }
    this.options.counters.messagesIn++
    this.pending++
    if (this.pending >= this.options.maxPendingMessages) this.options.socket.pause()
    this.options.tell(session, new SocketMessage(decoded.message, () => this.onHandled()))
  }

  private onHandled(): void {
    this.pending--
    if (this.pending <= this.options.maxPendingMessages / 2 && this.options.socket.isPaused)
      this.options.socket.resume()
  }

  private onClose(code: number, reason: string): void {
    if (!this.closing) this.options.counters.countClose(code)
    if (this.session !== undefined) this.options.tell(this.session, new SocketClosed(code, reason))
    this.options.onClosed(this)
  }
}

/** A message as one text; `ws` gives a Buffer unless it is told otherwise. */
function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8')
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString('utf8')
}
