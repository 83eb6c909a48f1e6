/**
 * A connected node: one first-in first-out sender of signals, and its liveness.
 *
 *   router ─▶ signal() ─▶ outbox ─ end of turn, or 64 KiB ─▶ one frame ─▶ connection
 *   connection ─▶ onFrame ─ signals ─▶ router.receive
 *                         └ ticks ───▶ liveness
 *
 * Invariants: signals leave in the order in which they were given; after `down` nothing is sent, received or reported any more. What is buffered is
 * counted in bytes: above `busyBytes` senders are told `busy`, above `limitBytes` the connection ends.
 *
 * Not here: who may connect (peers), and what a lost connection means for links and monitors (signals/).
 */
import { assertNever } from '../assert-never.ts'
import type { NodeIdentity } from '../ids.ts'
import type { NodeDownReason } from '../messages.ts'
import type { Clock, LinkEnd, Logger } from '../ports.ts'
import { RemoteRelations, type RemoteNode } from '../signals/remote-node.ts'
import { signalBytes, type SendStatus, type SentStatus, type Signal } from '../signals/signal.ts'
import type { ControlMessage, Frame, PeerAddress } from '../wire/frame.ts'
import type { Connection, ConnectionSink } from './connection.ts'
import { onHeard, onLook, onTick, startLiveness, type Liveness, type LivenessOptions } from './liveness.ts'

/** A batch is sent when it has so many bytes of payload, if not before at the end of the turn. */
const BATCH_BYTES = 64 * 1024

export interface PeerLimits {
  /** Buffered bytes above which `send` says `busy`. @default 1 MiB */
  readonly busyBytes: number
  /** Buffered bytes down to which it must come before those who wait go on. @default 512 KiB */
  readonly resumeBytes: number
  /** Buffered bytes above which the connection ends. @default 16 MiB */
  readonly limitBytes: number
}

export interface PeerEvents {
  /** Something is in the outbox: a turn must come that flushes it. */
  readonly wantFlush: () => void
  /** @throws PidmeshError `ERR_BAD_TERM` if its payload can't be decoded. */
  readonly onSignal: (peer: Peer, signal: Signal) => void
  readonly onPeers: (peers: readonly PeerAddress[]) => void
  readonly onDown: (peer: Peer, reason: NodeDownReason) => void
}

export interface PeerOptions {
  readonly identity: NodeIdentity
  readonly address: string
  readonly connection: Connection
  readonly clock: Clock
  readonly log: Logger
  readonly liveness: LivenessOptions
  readonly limits: PeerLimits
  readonly events: PeerEvents
}

export class Peer implements RemoteNode, ConnectionSink {
  readonly identity: NodeIdentity
  /** `host:port` at which the node wants to be dialed. */
  readonly address: string
  readonly relations: RemoteRelations = new RemoteRelations()
  private readonly options: PeerOptions
  private outbox: Signal[] = []
  private outboxBytes = 0
  /** Senders that wait until the connection is no longer busy. */
  private waiting: Array<(status: SentStatus) => void> = []
  private liveness: Liveness
  private up = true

  constructor(options: PeerOptions) {
    this.options = options
    this.identity = options.identity
    this.address = options.address
    this.liveness = startLiveness(options.clock.monotonicMs(), options.liveness)
  }

  /** Milliseconds since something was last heard from the node. */
  get silentForMs(): number {
    return this.options.clock.monotonicMs() - this.liveness.lastHeardMs
  }

  signal(signal: Signal): SendStatus {
    if (!this.up) return 'noconnection'
    this.outbox.push(signal)
    this.outboxBytes += signalBytes(signal)
    // Also after a batch that is written at once: the end of the turn is where its limit is judged.
    if (this.outbox.length === 1) this.options.events.wantFlush()
    if (this.outboxBytes >= BATCH_BYTES) this.writeBatch()
    return this.bufferedBytes > this.options.limits.busyBytes ? 'busy' : 'ok'
  }

  /** Resolves with `ok` when the connection is no longer busy, or with `noconnection` when it has ended. */
  drained(): Promise<SentStatus> {
    if (!this.up) return Promise.resolve('noconnection')
    if (this.bufferedBytes <= this.options.limits.busyBytes) return Promise.resolve('ok')
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  onPassedOn(): void {
    if (this.waiting.length > 0 && this.bufferedBytes <= this.options.limits.resumeBytes) this.letGo('ok')
  }

  /** End of a turn. The limit is judged here and not in `signal`, where a lost connection would be reported in the middle of a send. */
  flush(): void {
    if (!this.up) return
    if (this.outbox.length > 0) this.writeBatch()
    if (this.options.connection.bufferedBytes > this.options.limits.limitBytes) this.down('buffer_limit')
    else this.onPassedOn()
  }

  tell(message: ControlMessage): void {
    if (this.up) this.options.connection.send({ type: 'control', message })
  }

  /** Eight times a tick: sends what is due and judges the silence. */
  look(): void {
    if (!this.up) return
    const nowMs = this.options.clock.monotonicMs()
    const { state, verdict } = onLook(this.liveness, nowMs, this.options.liveness)
    this.liveness = state
    if (verdict.type === 'dead') {
      this.options.log.warn(
        { peer: this.identity.name, why: verdict.why, silentForMs: Math.round(this.silentForMs) },
        'peer is silent',
      )
      this.down('net_tick_timeout')
    } else if (verdict.sendTick) {
      this.tell({ type: 'tick', heardAgeMs: this.silentForMs })
    }
    this.flush()
  }

  /** Ends the connection and reports it. */
  down(reason: NodeDownReason): void {
    if (!this.up) return
    this.up = false
    this.outbox = []
    this.options.connection.close()
    this.options.events.onDown(this, reason)
    this.letGo('noconnection')
  }

  onFrame(frame: Frame): void {
    if (!this.up) return
    const nowMs = this.options.clock.monotonicMs()
    switch (frame.type) {
      case 'data':
        this.liveness = onHeard(this.liveness, nowMs)
        this.onSignals(frame.signals)
        return
      case 'control':
        this.onControl(frame.message, nowMs)
        return
      case 'handshake':
        // A dialer that has let in another connection meanwhile: the last word of the handshake is its.
        if (frame.message.type === 'refused') this.down('connection_closed')
        else this.onMalformed(new Error(`the step ${frame.message.type} after the handshake`))
        return
      default:
        assertNever(frame)
    }
  }

  onMalformed(error: Error): void {
    this.options.log.error({ peer: this.identity.name, problem: error.message }, 'peer broke the protocol')
    this.down('protocol_error')
  }

  onEnd(end: LinkEnd): void {
    if (end.type !== 'closed') this.options.log.debug({ peer: this.identity.name, detail: end.detail }, 'link ended')
    this.down('connection_closed')
  }

  private onSignals(signals: readonly Signal[]): void {
    for (const signal of signals) {
      // A signal may have led to the end of this very connection.
      if (!this.up) return
      try {
        this.options.events.onSignal(this, signal)
      } catch (error) {
        this.onMalformed(error as Error)
      }
    }
  }

  private onControl(message: ControlMessage, nowMs: number): void {
    switch (message.type) {
      case 'tick':
        this.liveness = onTick(this.liveness, nowMs, message.heardAgeMs)
        return
      case 'goodbye':
        this.down(message.reason)
        return
      case 'peers':
        this.liveness = onHeard(this.liveness, nowMs)
        this.options.events.onPeers(message.peers)
        return
      default:
        assertNever(message)
    }
  }

  /** What is not yet written counts as buffered too. */
  private get bufferedBytes(): number {
    return this.options.connection.bufferedBytes + this.outboxBytes
  }

  private letGo(status: SentStatus): void {
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve(status)
  }

  private writeBatch(): void {
    const signals = this.outbox
    this.outbox = []
    this.outboxBytes = 0
    this.options.connection.send({ type: 'data', signals })
  }
}
