/**
 * Frames on their way to a socket.
 *
 *   write ─▶ the frames of this turn ─▶ (end of the turn) one write to the socket's stream
 *
 * Frames are whole and made by the gateway (frame.ts). Those of one turn go out together: a write costs the same whatever it carries. With compression they go through `ws`.
 *
 * State: the frames of this turn; since when the client is slow. Nothing here closes a socket: it is said how much room there is, and when there was none for too long.
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
  /** The stream that the WebSocket is on. */
  readonly stream: Duplex
  readonly isBinary: boolean
  readonly host: WriterHost
  readonly owner: WriterOwner
}

export interface WriterOwner {
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
  private out: Buffer | Buffer[] | undefined = undefined
  private outBytes = 0
  private slowSinceMs: number | undefined = undefined
  private awaitsDrain = false
  /** When a push of this turn was written that is being timed. */
  private timedMs: number | undefined = undefined

  constructor({ socket, stream, isBinary, host, owner }: WriterInit) {
    this.socket = socket
    this.stream = stream
    this.isBinary = isBinary
    this.host = host
    this.owner = owner
    this.isCompressed = socket.extensions !== ''
  }

  /** Bytes that wait for the client. */
  get bufferedBytes(): number {
    const { socket, stream } = this
    return (this.isCompressed ? socket.bufferedAmount : stream.writableLength) + this.outBytes
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
    if (counters.messagesOut % TIMED_EVERY === 0) this.timedMs = clock.monotonicMs()
    this.write(frame)
  }

  write(frame: Buffer): void {
    const { host } = this
    this.outBytes += frame.length
    host.counters.bytesOut += frame.length
    if (this.out === undefined) {
      this.out = frame
      host.flushLater(this)
    } else if (Array.isArray(this.out)) this.out.push(frame)
    else this.out = [this.out, frame]
  }

  flush(): void {
    const { out } = this
    const { stream, socket, isBinary } = this
    this.out = undefined
    this.outBytes = 0
    if (out === undefined || socket.readyState !== WebSocket.OPEN) return
    const timed = this.timedMs === undefined ? undefined : this.onWritten(this.timedMs)
    this.timedMs = undefined
    if (this.isCompressed) {
      for (const frame of Array.isArray(out) ? out : [out]) socket.send(payloadOf(frame), { binary: isBinary }, timed)
    } else if (Array.isArray(out)) {
      stream.cork()
      for (const frame of out) stream.write(frame, timed)
      stream.uncork()
    } else stream.write(out, timed)
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
