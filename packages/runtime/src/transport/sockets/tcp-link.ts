/**
 * One link over TCP: a socket, plain or of TLS, on which each side says first what it speaks.
 *
 *   made ─ the other side's greeting ─▶ frames come ─ close, or the other side's end ─▶ the socket is let go
 *     └─ finish ─▶ over: nobody was there, or another program
 *
 * Invariants: `onEnd` is called at most once, and nothing after it; not for a close of one's own.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Link, LinkEnd, LinkEvents } from '../../ports.ts'
import { MAX_FRAME_BYTES } from '../../wire/frame.ts'
import { certifiedNames } from './certificates.ts'
import { FrameSplitter, ledByLength, type FrameTaker } from './frame-splitter.ts'
import { graceMs } from './grace.ts'
import { detailOf, MAYBE_REFUSED } from './socket-error.ts'

export interface TcpLinkOptions {
  readonly socket: Socket
  readonly remoteAddress: string
  /** The links of the transport: this one is among them as long as its socket is there. */
  readonly links: Set<TcpLink>
}

export class TcpLink implements Link {
  readonly remoteAddress: string
  /** When its socket is closed. */
  readonly ended: Promise<void>
  /** What the system has not taken. A copy: it is asked for with each signal, and the socket's own takes several times as long. */
  bufferedBytes = 0
  private readonly socket: Socket
  private readonly splitter = new FrameSplitter()
  private readonly taker: FrameTaker = {
    limit: () => this.frameLimit,
    onFrame: (frame) => {
      this.events?.onFrame(frame)
      return this.state === 'open'
    },
  }
  private events: LinkEvents | undefined = undefined
  private isGreeted = false
  private state: 'open' | 'closing' | 'over' = 'open'

  constructor({ socket, remoteAddress, links }: TcpLinkOptions) {
    this.socket = socket
    this.remoteAddress = remoteAddress
    socket.setNoDelay(true)
    let type: 'unreachable' | 'failed' = socket.connecting ? 'unreachable' : 'failed'
    socket.once('connect', () => (type = 'failed'))
    // Who has greeted is a node: one that has waited too long for us, or has been ended.
    socket.on('error', (error) => this.finish({ type: this.isGreeted ? 'unreachable' : type, detail: detailOf(error) }))
    const onClosed = (): void =>
      this.finish(this.isGreeted ? { type: 'closed' } : { type, detail: closedEarly(socket) })
    socket.on('end', onClosed)
    links.add(this)
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        onClosed()
        links.delete(this)
        resolve()
      })
    })
  }

  get certifiedNames(): readonly string[] | undefined {
    const { socket } = this
    return socket instanceof TLSSocket ? certifiedNames(socket.getPeerCertificate()?.subjectaltname ?? '') : undefined
  }

  attach(events: LinkEvents): void {
    this.events = events
  }

  /** The other side's greeting has come, and this after it. */
  carry(first: Buffer): void {
    this.isGreeted = true
    this.take(first)
    this.socket.on('data', (chunk: Buffer) => this.take(chunk))
  }

  send(frame: Uint8Array): void {
    if (this.state !== 'open') return
    const { socket } = this
    const [head, rest] = ledByLength(frame)
    if (rest === undefined) {
      socket.write(head, this.onWritten)
    } else {
      socket.cork()
      socket.write(head)
      socket.write(rest, this.onWritten)
      socket.uncork()
    }
    // What the system has taken at once is told of only when the code that has sent it lets others run.
    this.bufferedBytes = socket.writableLength
  }

  private readonly onWritten = (): void => {
    this.bufferedBytes = this.socket.writableLength
    if (this.state === 'open') this.events?.onPassedOn?.()
  }

  close(): void {
    if (this.state !== 'open') return
    this.state = 'closing'
    this.letGo()
  }

  finish(end: LinkEnd): void {
    const { state } = this
    if (state === 'over') return
    this.state = 'over'
    if (state === 'closing') {
      this.socket.destroy()
      return
    }
    this.letGo()
    this.events?.onEnd(end)
  }

  private get frameLimit(): number {
    return this.events?.frameLimit ?? MAX_FRAME_BYTES
  }

  private take(chunk: Buffer): void {
    // What floods in while the link is let go is nobody's.
    if (this.state !== 'open') return
    const tooLong = this.splitter.take(chunk, this.taker)
    if (tooLong === undefined) return
    this.finish({ type: 'failed', detail: `a frame of ${tooLong} bytes, where ${this.frameLimit} are allowed` })
  }

  /** What was written still goes out, if anyone takes it. */
  private letGo(): void {
    const { socket } = this
    if (socket.destroyed) return
    if (socket.connecting) {
      socket.destroy()
      return
    }
    socket.end()
    setTimeout(() => socket.destroy(), graceMs(this.events)).unref()
  }
}

function closedEarly(socket: Socket): string {
  const closed = 'closed before it has said what it speaks'
  return socket instanceof TLSSocket && socket.authorized ? `${closed}: ${MAYBE_REFUSED}` : closed
}
