/**
 * Frames on their way to a socket.
 *
 *   write ─▶ the text of the turn ─▶ (end of the turn) the socket's stream ─▶ one write of the system
 *       └──▶ (a Buffer) the stream, which is corked ───────┘
 *
 * Frames are whole and made by the gateway (frame.ts). Those of one turn go out together, with the answer to the upgrade too, if it is of the same turn: a write costs the same whatever
 * it carries. With compression they go through `ws`.
 *
 * State: what the turn has written, and whether the stream is corked; since when the client is slow. Invariant: frames come to the stream in the order in which they were written, and before
 * a close frame that is written after them. Nothing here closes a socket: it is said how much room there is, and when there was none for too long.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '@pidmesh/runtime'
import { WebSocket } from 'ws'
import type { Counters } from './counters.ts'
import { payloadLength, payloadOf, type Frame } from './frame.ts'

/** Of so many pushes one is timed. */
const TIMED_EVERY = 64
/**
 * Of what waits for a client so much may be texts, each of which the system's write copies for each client. What comes on top are Buffers, which all that are sent the same share: of a
 * broadcast to many who read slowly each would keep a copy otherwise.
 */
const MAX_TEXTS_BYTES = 16 * 1_024
/** What is shorter stays a text: a Buffer takes as much by itself. */
const MIN_SHARED_BYTES = 256

/** How much a client may still be sent: `tight` above the soft limit, `full` above the hard one, `none` if it has no socket that is open. */
export type Room = 'enough' | 'tight' | 'full' | 'none'

/** What all writers of a gateway share. */
export interface WriterHost {
  readonly clock: Clock
  readonly counters: Counters
  readonly softBufferedBytes: number
  readonly maxBufferedBytes: number
  readonly slowTimeoutMs: number
  /** Calls the writer's `flush` at the end of the turn. */
  readonly flushLater: (writer: SocketWriter) => void
  /** The bytes of a text frame, the same for all that the turn sends it to. */
  readonly sharedBytes: (frame: string) => Buffer
}

/** What a writer needs of a WebSocket. */
export type WriterSocket = Pick<WebSocket, 'readyState' | 'extensions' | 'bufferedAmount' | 'send'>

export interface WriterInit {
  readonly socket: WriterSocket
  /** The stream that the WebSocket is on: corked, before the upgrade was answered. */
  readonly stream: Duplex
  readonly isBinary: boolean
  readonly host: WriterHost
  readonly owner: WriterOwner
}

export interface WriterOwner {
  /** Its session is being started. */
  readonly isStarting: boolean
  /** The client was slow, and has caught up. */
  onRelieved(): void
}

export class SocketWriter {
  private readonly socket: WriterSocket
  private readonly stream: Duplex
  private readonly isBinary: boolean
  private readonly host: WriterHost
  private readonly owner: WriterOwner
  private readonly isCompressed: boolean
  /** The stream is, and what is written goes there: it holds the answer to the upgrade, or a Buffer of this turn. */
  private isCorked = true
  /** Texts of this turn, which aren't in the stream yet. */
  private text = ''
  /** When the first message was written that is timed, if one of these is. */
  private textSinceMs: number | undefined = undefined
  private slowSinceMs: number | undefined = undefined
  private awaitsDrain = false

  constructor({ socket, stream, isBinary, host, owner }: WriterInit) {
    this.socket = socket
    this.stream = stream
    this.isBinary = isBinary
    this.host = host
    this.owner = owner
    this.isCompressed = socket.extensions !== ''
    // A session that starts at once has its first words in the answer. It takes a few turns of its process, and one of the event loop if no window of the scheduler is
    // open just then (docs/adr/0010): always if the client comes alone.
    setImmediate(() => (owner.isStarting ? setImmediate(() => this.flush()) : this.flush()))
  }

  /** Bytes that wait for the client. */
  get bufferedBytes(): number {
    return this.isCompressed ? this.socket.bufferedAmount : this.stream.writableLength + this.text.length
  }

  roomFor(bytes: number): Room {
    const { softBufferedBytes, maxBufferedBytes } = this.host
    const { bufferedBytes } = this
    const waiting = bufferedBytes + bytes
    if (waiting <= softBufferedBytes) return 'enough'
    this.becomeSlow()
    if (waiting > maxBufferedBytes) return 'full'
    // Where nothing waits a message may be larger than that: there would never be more room for it.
    return bufferedBytes === 0 ? 'enough' : 'tight'
  }

  /** Whether more than the soft limit has waited for too long. */
  isStalled(nowMs: number): boolean {
    if (this.slowSinceMs === undefined) return false
    const { host } = this
    if (this.bufferedBytes <= host.softBufferedBytes) {
      this.relieve()
      return false
    }
    return nowMs - this.slowSinceMs >= host.slowTimeoutMs
  }

  writeMessage(frame: Frame): void {
    const { counters, clock } = this.host
    counters.messagesOut++
    this.write(frame, counters.messagesOut % TIMED_EVERY === 0 ? clock.monotonicMs() : undefined)
  }

  /** `sinceMs`: it is timed from then on until the system has taken it. */
  write(frame: Frame, sinceMs?: number): void {
    const { host, socket, stream, isBinary } = this
    if (socket.readyState !== WebSocket.OPEN) return
    host.counters.bytesOut += payloadLength(frame)
    const isText = typeof frame === 'string' && !this.isCompressed && this.isTextFor(frame.length)
    if (!this.isCorked) {
      if (this.text === '') host.flushLater(this)
      if (isText) {
        this.text += frame
        this.textSinceMs ??= sinceMs
        return
      }
      this.isCorked = true
      stream.cork()
      this.push()
    }
    const onWritten = this.onWritten(sinceMs)
    if (isText) {
      stream.write(frame, 'latin1', onWritten)
      return
    }
    const bytes = typeof frame === 'string' ? host.sharedBytes(frame) : frame
    if (this.isCompressed) socket.send(payloadOf(bytes), { binary: isBinary }, onWritten)
    else stream.write(bytes, onWritten)
  }

  /** Whether a frame that can be a text goes out as one. */
  private isTextFor(bytes: number): boolean {
    return bytes < MIN_SHARED_BYTES || this.bufferedBytes + bytes <= MAX_TEXTS_BYTES
  }

  /** What was written so far is in the stream from now on. */
  push(): void {
    const { stream, text, textSinceMs } = this
    if (text === '') return
    this.text = ''
    this.textSinceMs = undefined
    // Its client may have ended the connection since.
    if (stream.writable) stream.write(text, 'latin1', this.onWritten(textSinceMs))
  }

  /** The end of the turn. */
  flush(): void {
    this.push()
    if (!this.isCorked) return
    this.isCorked = false
    this.stream.uncork()
  }

  private onWritten(sinceMs: number | undefined): (() => void) | undefined {
    if (sinceMs === undefined) return undefined
    const { clock, counters } = this.host
    return () => counters.pushLatencySeconds.observe((clock.monotonicMs() - sinceMs) / 1_000)
  }

  private becomeSlow(): void {
    if (this.slowSinceMs !== undefined) return
    this.slowSinceMs = this.host.clock.monotonicMs()
    if (this.awaitsDrain) return
    this.awaitsDrain = true
    this.stream.once('drain', () => {
      this.awaitsDrain = false
      this.relieve()
    })
  }

  private relieve(): void {
    this.slowSinceMs = undefined
    this.owner.onRelieved()
  }
}
