/**
 * One link from its first frame to its end: the handshake first, then whoever it led to.
 *
 *   transport ─ frames ─▶ Connection ─ handshake ─▶ onUp ─▶ the peer takes the frames
 *                                    └─ refused, timeout, malformed ─▶ closed, onFailed
 *
 * Invariants: exactly one of `onUp` and `onFailed` is called, unless we close first; before it is up a frame is small, decodes, and belongs to
 * the handshake, or the link is closed; nothing of a closed connection reaches anyone.
 */
import type { NodeName } from '../ids.ts'
import { errorOfThrown } from '../reasons.ts'
import type { Clock, Link, LinkEnd, LinkEvents, TimerHandle } from '../ports.ts'
import type { FrameCodec, OwnFrame } from '../wire/codec.ts'
import { MAX_FRAME_BYTES, type ClaimedIdentity, type Frame, type VersionRange } from '../wire/frame.ts'
import {
  startDialer,
  startListener,
  stepHandshake,
  type HandshakeConfig,
  type HandshakeEffect,
  type HandshakeState,
  type Introduced,
  type RefusalCode,
} from './handshake.ts'

/** What an unauthenticated peer may send in one frame. */
const MAX_HANDSHAKE_BYTES = 2_048

/** From here on a timer is late. */
const LATE_MS = 500

export type ConnectFailure =
  | {
      readonly type: 'refused'
      readonly code: RefusalCode
      readonly by: 'us' | 'peer'
      readonly peer: ClaimedIdentity | undefined
      readonly versions: VersionRange | undefined
    }
  | { readonly type: 'unreachable'; readonly detail: string }
  /** Something is there, and doesn't answer as a node does: another program, or one side has TLS and the other hasn't, or not the same. */
  | { readonly type: 'no_node'; readonly detail: string }
  | { readonly type: 'handshake_timeout' }
  | { readonly type: 'malformed'; readonly detail: string }

/** Takes what comes after the handshake. */
export interface ConnectionSink {
  onFrame(frame: Frame): void
  /** Something of what was sent has been passed on. */
  onPassedOn(): void
  /** The bytes were not a frame. */
  onMalformed(error: Error): void
  onEnd(end: LinkEnd): void
}

export interface ConnectionOptions {
  readonly role: 'dialer' | 'listener'
  readonly config: HandshakeConfig
  readonly codec: FrameCodec
  readonly clock: Clock
  readonly handshakeTimeoutMs: number
  readonly onUp: (connection: Connection, peer: Introduced) => ConnectionSink
  readonly onFailed: (connection: Connection, failure: ConnectFailure) => void
}

export class Connection implements LinkEvents {
  private readonly options: ConnectionOptions
  private link: Link | undefined = undefined
  private handshake: HandshakeState
  private timer: TimerHandle | undefined = undefined
  private sink: ConnectionSink | undefined = undefined
  private closed = false

  constructor(options: ConnectionOptions) {
    this.options = options
    this.handshake = startListener()
    this.wait(options.handshakeTimeoutMs)
  }

  get remoteAddress(): string {
    return this.link?.remoteAddress ?? ''
  }

  get bufferedBytes(): number {
    return this.link?.bufferedBytes ?? 0
  }

  /** Whether the other side may be this node, as far as certificates say. */
  isCertified(node: NodeName): boolean {
    const names = this.link?.certifiedNames
    return names === undefined || names.includes(node)
  }

  /** Whom a dial of ours has found, as far as it has said so. */
  get claimedPeer(): ClaimedIdentity | undefined {
    return 'peer' in this.handshake ? this.handshake.peer : undefined
  }

  /** The link is there: says hello if it's ours to say. */
  open(link: Link): void {
    this.link = link
    if (this.options.role === 'dialer') {
      const { state, effects } = startDialer(this.options.config)
      this.handshake = state
      for (const effect of effects) this.apply(effect)
    }
  }

  send(frame: OwnFrame): void {
    this.write(this.options.codec.encode(frame))
  }

  /** Sends a frame that is made already. */
  write(frame: Uint8Array): void {
    if (!this.closed) this.link?.send(frame)
  }

  /** Ends the link; nobody is told. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.timer?.cancel()
    this.link?.close()
  }

  get frameLimit(): number {
    return this.sink === undefined ? MAX_HANDSHAKE_BYTES : MAX_FRAME_BYTES
  }

  onFrame(bytes: Uint8Array): void {
    if (this.closed) return
    let frame: Frame
    try {
      const limit = this.frameLimit
      if (bytes.length > limit) throw new Error(`a frame of ${bytes.length} bytes, where ${limit} are allowed`)
      frame = this.options.codec.decode(bytes)
    } catch (error) {
      if (this.sink !== undefined) this.sink.onMalformed(errorOfThrown(error))
      else this.fail({ type: 'malformed', detail: errorOfThrown(error).message })
      return
    }
    if (this.sink !== undefined) {
      this.sink.onFrame(frame)
    } else if (frame.type !== 'handshake') {
      this.fail({ type: 'malformed', detail: `a frame of the layer ${frame.type} before the handshake` })
    } else {
      const { state, effects } = stepHandshake(this.handshake, frame.message, this.options.config)
      this.handshake = state
      for (const effect of effects) this.apply(effect)
    }
  }

  onPassedOn(): void {
    if (!this.closed) this.sink?.onPassedOn()
  }

  onEnd(end: LinkEnd): void {
    if (this.closed) return
    if (this.sink === undefined) {
      if (end.type === 'failed') this.fail({ type: 'no_node', detail: end.detail })
      else
        this.fail({ type: 'unreachable', detail: end.type === 'closed' ? 'closed during the handshake' : end.detail })
      return
    }
    this.closed = true
    this.sink.onEnd(end)
  }

  /** A timer that fires late means that we were stalled, and what the other side has said may stand unread: it gets a little time more. */
  private wait(ms: number): void {
    const { clock } = this.options
    const dueMs = clock.monotonicMs() + ms
    this.timer = clock.setTimer(ms, () => {
      if (clock.monotonicMs() - dueMs > LATE_MS) this.wait(LATE_MS)
      else this.fail({ type: 'handshake_timeout' })
    })
  }

  private apply(effect: HandshakeEffect): void {
    switch (effect.type) {
      case 'send':
        this.send({ type: 'handshake', message: effect.message })
        return
      case 'up':
        this.timer?.cancel()
        this.sink = this.options.onUp(this, effect.peer)
        return
      case 'close':
        this.fail({ ...effect, type: 'refused' })
    }
  }

  private fail(failure: ConnectFailure): void {
    if (this.closed) return
    this.close()
    this.options.onFailed(this, failure)
  }
}
