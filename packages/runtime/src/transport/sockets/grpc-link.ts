/**
 * One link: a gRPC stream, and before there is one the frames that wait for it.
 *
 *   made ─ carry(stream) ─▶ frames go both ways ─ close, or the other side's end ─▶ cut off ─ a grace since the close, or the end ─▶ its socket is let go
 *     └─ finish ─▶ over: nobody was there
 *
 * Invariants: `onEnd` is called at most once, and nothing after it; not for a close of one's own.
 */
import type { ClientDuplexStream, ServerDuplexStream, StatusObject } from '@grpc/grpc-js'
import type { Link, LinkEnd, LinkEvents } from '../../ports.ts'
import { certifiedNames } from './certificates.ts'
import { graceMs } from './grace.ts'
import { MAYBE_REFUSED, otherTransport } from './socket-error.ts'

export type Stream = ClientDuplexStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>

export interface GrpcLinkOptions {
  readonly remoteAddress: string
  readonly isTls: boolean
  /** The links of the transport: this one is among them as long as it isn't over. */
  readonly links: Set<GrpcLink>
}

export interface LinkParts {
  /** Ends what the link is made of, at once, but for its socket. */
  readonly cutOff: () => void
  readonly destroySocket: () => void
}

export class GrpcLink implements Link {
  readonly remoteAddress: string
  /** When the link is over and its resources are let go. */
  readonly ended: Promise<void>
  bufferedBytes = 0
  private readonly options: GrpcLinkOptions
  private stream: Stream | undefined = undefined
  private parts: LinkParts = { cutOff: () => undefined, destroySocket: () => undefined }
  /** Frames that wait for the stream. */
  private early: Uint8Array[] = []
  private events: LinkEvents | undefined = undefined
  private resolveEnded: () => void = () => undefined
  private closing = false
  private over = false

  constructor(options: GrpcLinkOptions) {
    this.options = options
    this.remoteAddress = options.remoteAddress
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve
    })
    options.links.add(this)
  }

  get certifiedNames(): readonly string[] | undefined {
    if (!this.options.isTls) return undefined
    return certifiedNames(this.stream?.getAuthContext()?.sslPeerCertificate?.subjectaltname ?? '')
  }

  attach(events: LinkEvents): void {
    this.events = events
  }

  /** Of what the link is made now. */
  consistOf(parts: LinkParts): void {
    this.parts = parts
  }

  carry(stream: Stream): void {
    this.stream = stream
    stream.on('data', (frame: Buffer) => {
      if (!this.closing) this.events?.onFrame(frame)
    })
    // The first of these three tells how it ended; 'status' comes at clients, 'close' last at both.
    stream.on('error', (error: Error & Partial<StatusObject>) => {
      const detail = inBrief(error.details ?? error.message)
      const isUnexplained = this.options.isTls && detail === NO_REASON
      this.finish({ type: 'failed', detail: isUnexplained ? `${detail}: ${MAYBE_REFUSED}` : detail })
    })
    stream.on('end', () => this.finish({ type: 'closed' }))
    stream.on('close', () => this.finish({ type: 'closed' }))
    stream.on('cancelled', () => this.finish({ type: 'closed' }))
    for (const frame of this.early.splice(0)) this.write(stream, frame)
  }

  send(frame: Uint8Array): void {
    if (this.closing || this.over) return
    this.bufferedBytes += frame.length
    if (this.stream === undefined) this.early.push(frame)
    else this.write(this.stream, frame)
  }

  close(): void {
    if (this.closing || this.over) return
    this.closing = true
    if (this.stream === undefined) {
      this.finish({ type: 'closed' })
      return
    }
    this.stream.end()
    this.letGo()
  }

  finish(end: LinkEnd): void {
    if (this.over) return
    this.over = true
    this.options.links.delete(this)
    // A server's stream whose other side has ended is ended too; only then is a stream over for both.
    if (!this.closing) this.stream?.end()
    this.parts.cutOff()
    this.resolveEnded()
    if (this.closing) return
    this.letGo()
    this.events?.onEnd(end)
  }

  /** What was written last still goes out, if anyone takes it. */
  private letGo(): void {
    setTimeout(() => {
      this.finish({ type: 'closed' })
      this.parts.destroySocket()
    }, graceMs(this.events)).unref()
  }

  private write(stream: Stream, frame: Uint8Array): void {
    // gRPC writes what it is given: a view of the same bytes, not a copy.
    stream.write(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength), () => {
      this.bufferedBytes -= frame.length
      if (!this.closing && !this.over) this.events?.onPassedOn?.()
    })
  }
}

/** What gRPC says of a connection that was closed before anything was said on it. */
const NO_REASON = 'Failed to connect'

const BEFORE_ERROR = 'Last error: '
const AFTER_ERROR = ' Resolution note:'
/** Of what is said no more is looked at: the other side can choose all of it. */
const HEARD_LENGTH = 2_000
const SHOWN_LENGTH = 300

/** What has happened, without what gRPC says around it: what it has tried, and when. */
export function inBrief(details: string): string {
  const heard = details.slice(0, HEARD_LENGTH)
  const before = heard.indexOf(BEFORE_ERROR)
  const after = heard.indexOf(AFTER_ERROR, before)
  const inner = before === -1 || after === -1 ? heard : errorIn(heard.slice(before + BEFORE_ERROR.length, after))
  return otherTransport(inner.trim().slice(0, SHOWN_LENGTH))
}

/** `Error: connect ECONNREFUSED 10.0.0.1:4370 (2026-01-31T12:00:00.000Z).` */
function errorIn(said: string): string {
  const error = said.replace(/^Error: /, '').replace(/\.$/, '')
  const at = error.lastIndexOf(' (')
  return /^ \(\d{4}-[^)]*\)$/.test(error.slice(at)) ? error.slice(0, at) : error
}
