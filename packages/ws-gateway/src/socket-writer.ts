/**
 * Frames on their way to a socket.
 *
 *   write ─▶ the socket's stream, which is corked ─▶ (end of the turn) one write of the system
 *
 * Frames are whole and made by the gateway (frame.ts). Those of one turn go out together, with the answer to the upgrade too, if it is of the same turn: a write costs the same whatever
 * it carries. With compression they go through `ws`.
 *
 * State: whether the stream is corked; since when the client is slow. Nothing here closes a socket: it is said how much room there is, and when there was none for too long.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '@pidmesh/runtime'
import { WebSocket } from 'ws'
import type { Counters } from './counters.ts'
import { payloadOf } from './frame.ts'

/** Of so many pushes one is timed. */
const TIMED_EVERY = 64

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
}

export interface WriterInit {
  readonly socket: WebSocket
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
  private readonly socket: WebSocket
  private readonly stream: Duplex
  private readonly isBinary: boolean
  private readonly host: WriterHost
  private readonly owner: WriterOwner
  private readonly isCompressed: boolean
  private isCorked = true
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
    return this.isCompressed ? this.socket.bufferedAmount : this.stream.writableLength
  }

  roomFor(bytes: number): Room {
    const { softBufferedBytes, maxBufferedBytes } = this.host
    const waiting = this.bufferedBytes + bytes
    if (waiting <= softBufferedBytes) return 'enough'
    this.becomeSlow()
    return waiting > maxBufferedBytes ? 'full' : 'tight'
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

  writeMessage(frame: Buffer): void {
    const { counters, clock } = this.host
    counters.messagesOut++
    this.write(frame, counters.messagesOut % TIMED_EVERY === 0 ? this.onWritten(clock.monotonicMs()) : undefined)
  }

  write(frame: Buffer, onWritten?: () => void): void {
    const { host, socket, stream, isBinary } = this
    if (socket.readyState !== WebSocket.OPEN) return
    host.counters.bytesOut += frame.length
    if (!this.isCorked) {
      this.isCorked = true
      stream.cork()
      host.flushLater(this)
    }
    if (this.isCompressed) socket.send(payloadOf(frame), { binary: isBinary }, onWritten)
    else stream.write(frame, onWritten)
  }

  /** The end of the turn. */
  flush(): void {
    this.isCorked = false
    this.stream.uncork()
  }

  private onWritten(startMs: number): () => void {
    const { clock, counters } = this.host
    return () => counters.pushLatencySeconds.observe((clock.monotonicMs() - startMs) / 1_000)
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
