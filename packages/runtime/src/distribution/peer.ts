/**
 * A connected node: one first-in first-out sender of signals, what arrives from it, and its liveness.
 *
 *   router ─▶ signal() ─▶ sender ─▶ connection
 *   connection ─▶ onFrame ─ signals ─▶ intake ─ in pieces ─▶ node/inbound
 *                         ├ parts ───▶ inbox ─ the last one ─▶ intake
 *                         └ ticks ───▶ liveness
 *
 * What has arrived when the connection ends by the other side's hand is taken in first.
 *
 * Invariants: the signals of a process leave in the order in which they were given; after `down` nothing is sent, received or reported any more, so what a
 * connection carries is never taken for another's. A connection on which more waits than may ends with the turn.
 *
 * Not here: who may connect (peers), and what a lost connection means for links and monitors (signals/).
 */
import { assertNever } from '../assert-never.ts'
import type { IdHash } from '../id-table.ts'
import type { NodeIdentity } from '../ids.ts'
import type { NodeDownReason } from '../messages.ts'
import type { Counters } from '../observe/counters.ts'
import type { BusyWait, Clock, LinkEnd, Logger, TimerHandle } from '../ports.ts'
import { briefReason, errorOfThrown } from '../reasons.ts'
import { RemoteRelations, type RemoteNode } from '../signals/remote-node.ts'
import type { SendStatus, SentStatus, Signal } from '../signals/signal.ts'
import type { FrameCodec } from '../wire/codec.ts'
import type { ControlMessage, Frame, PeerAddress } from '../wire/frame.ts'
import type { Connection, ConnectionSink } from './connection.ts'
import type { Introduced } from './handshake.ts'
import { Inbox } from './inbox.ts'
import { Intake, PIECE } from './intake.ts'
import { onHeard, onLook, onProgress, onTick, startLiveness, type Liveness, type LivenessOptions } from './liveness.ts'
import { Sender, type SenderLimits } from './sender.ts'
import { TurnTaking } from './turn-taking.ts'

export interface PeerLimits extends SenderLimits {
  /** Bytes that one signal may have. */
  readonly signalBytes: number
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
  readonly introduced: Introduced
  readonly connection: Connection
  readonly codec: FrameCodec
  readonly clock: Clock
  readonly busyWait: BusyWait | undefined
  readonly log: Logger
  readonly counters: Counters
  readonly liveness: LivenessOptions
  readonly limits: PeerLimits
  /** For the ids that the node chooses. */
  readonly idHash: IdHash
  readonly events: PeerEvents
}

export class Peer implements RemoteNode, ConnectionSink {
  readonly identity: NodeIdentity
  /** `host:port` at which the node wants to be dialed. */
  readonly address: string
  readonly isHidden: boolean
  /** Milliseconds between the ticks on this connection. */
  readonly tickMs: number
  readonly relations: RemoteRelations
  private readonly options: PeerOptions
  private readonly sender: Sender
  private readonly inbox: Inbox
  private readonly intake = new Intake()
  private readonly turnTaking = new TurnTaking()
  /** The next piece is taken in when sockets have had theirs. */
  private nextPiece: TimerHandle | undefined = undefined
  private liveness: Liveness
  private up = true

  constructor(options: PeerOptions) {
    const { introduced, connection, codec, clock, counters, liveness, limits, events } = options
    this.options = options
    this.identity = introduced.identity
    this.address = introduced.address
    this.isHidden = introduced.isHidden
    this.relations = new RemoteRelations(options.idHash)
    this.tickMs = liveness.tickMs
    this.sender = new Sender({
      connection,
      codec,
      counters,
      limits,
      wantFlush: events.wantFlush,
      onWrite: () => this.onWrite(),
    })
    this.inbox = new Inbox(limits.signalBytes)
    this.liveness = startLiveness(clock.monotonicMs(), liveness)
  }

  /** Milliseconds since something was last heard from the node. */
  get silentForMs(): number {
    return this.options.clock.monotonicMs() - this.liveness.lastHeardMs
  }

  /** Bytes that wait to be sent, or have not been passed on. */
  get bufferedBytes(): number {
    return this.sender.bufferedBytes
  }

  /** Signals that have arrived and are not taken in yet. */
  get waitingSignals(): number {
    return this.intake.length
  }

  signal(signal: Signal): SendStatus {
    if (!this.up) return 'noconnection'
    const { sender } = this
    switch (signal.type) {
      case 'send':
      case 'send_name':
      case 'send_alias':
      case 'send_many':
      case 'answer':
      case 'request':
        return sender.add(signal, 'message')
      case 'exit':
      case 'link_exit':
      case 'down':
        return sender.add(sender.isHalfFull ? { ...signal, reason: briefReason(signal.reason) } : signal, 'notice')
      case 'demonitor':
        // The end of a monitor is in no hurry, and there are as many as monitors.
        return sender.add(signal, 'whenever')
      case 'link':
      case 'unlink':
      case 'unlink_ack':
      case 'monitor':
        return sender.add(signal, 'notice')
      default:
        return assertNever(signal)
    }
  }

  /** As `signal`, of one that has waited for the connection. */
  signalData(from: number, data: Uint8Array): SendStatus {
    return this.up ? this.sender.addData(from, data) : 'noconnection'
  }

  /** Resolves with `ok` when the connection is no longer busy, or with `noconnection` when it has ended. */
  drained(): Promise<SentStatus> {
    return this.up ? this.sender.drained() : Promise.resolve('noconnection')
  }

  onPassedOn(): void {
    if (!this.up) return
    this.liveness = onProgress(this.liveness, this.options.clock.monotonicMs())
    this.sender.passedOn()
  }

  /** End of a turn. A connection that is full ends here and not in `signal`, where its loss would be reported in the middle of a send. */
  flush(): void {
    if (this.up && this.sender.flush() === 'full') this.down('buffer_limit')
  }

  tell(message: ControlMessage): void {
    if (this.up) this.options.connection.send({ type: 'control', message })
  }

  /** Says goodbye, after all that waits, and ends the connection. */
  leave(reason: 'shutdown' | 'disconnect'): void {
    if (!this.up) return
    this.sender.writeAll()
    this.tell({ type: 'goodbye', reason })
    this.down(reason)
  }

  /** Eight times a tick: sends what is due and judges the silence. Says whether another look is due as soon as what stands unread has been read. */
  look(): boolean {
    if (!this.up) return false
    const nowMs = this.options.clock.monotonicMs()
    const { state, verdict, isLate } = onLook(this.liveness, nowMs, this.bufferedBytes > 0, this.options.liveness)
    this.liveness = state
    if (verdict.type === 'dead') {
      this.options.log.warn(
        { peer: this.identity.name, why: verdict.why, silentForMs: Math.round(this.silentForMs) },
        verdict.why === 'no_progress' ? 'peer takes nothing of what is sent to it' : 'peer is silent',
      )
      this.down(verdict.why === 'no_progress' ? 'no_progress' : 'net_tick_timeout')
    } else if (verdict.sendTick) {
      this.tell({ type: 'tick', heardAgeMs: this.silentForMs })
    }
    this.flush()
    this.intake.forgetSent()
    return isLate
  }

  /** The connection is over, for whatever reason. */
  down(reason: NodeDownReason): void {
    if (!this.up) return
    this.up = false
    this.nextPiece?.cancel()
    this.options.connection.close()
    this.options.events.onDown(this, reason)
    this.sender.end()
  }

  onFrame(frame: Frame): void {
    if (!this.up) return
    const nowMs = this.options.clock.monotonicMs()
    switch (frame.type) {
      case 'data':
        this.onArrived(nowMs)
        this.onSignals(frame.signals)
        return
      case 'part':
        this.onArrived(nowMs)
        this.onPart(frame)
        return
      case 'control':
        this.onControl(frame.message, nowMs)
        return
      case 'handshake':
        // We were up with our `accepted`; when it came, the dialer had another connection with us already.
        if (frame.message.type === 'refused') this.endedByPeer('connection_closed')
        else this.onMalformed(new Error(`the step ${frame.message.type} after the handshake`))
        return
      default:
        assertNever(frame)
    }
  }

  onMalformed(error: Error): void {
    this.options.counters.protocolErrors++
    this.options.log.error({ peer: this.identity.name, problem: error.message }, 'peer broke the protocol')
    this.down('protocol_error')
  }

  onEnd(end: LinkEnd): void {
    if (end.type !== 'closed') this.options.log.debug({ peer: this.identity.name, detail: end.detail }, 'link ended')
    this.endedByPeer('connection_closed')
  }

  private endedByPeer(reason: NodeDownReason): void {
    this.takeIn(this.intake.length)
    this.down(reason)
  }

  private onArrived(nowMs: number): void {
    this.liveness = onHeard(this.liveness, nowMs)
    if (this.turnTaking.arrived(nowMs)) this.options.busyWait?.end()
  }

  private onSignals(signals: readonly Signal[]): void {
    this.intake.add(signals)
    if (this.nextPiece === undefined) this.takePiece()
    while (this.up && this.intake.isOver) this.takeIn(PIECE)
  }

  private takePiece(): void {
    this.takeIn(this.intake.piece)
    // Also if nothing is left: another frame may stand behind this one in what was read.
    if (!this.up || !this.intake.isPieceOver) return
    this.nextPiece = this.options.clock.setTimer(0, () => {
      this.nextPiece = undefined
      this.intake.beginPiece()
      this.takePiece()
    })
  }

  private takeIn(most: number): void {
    for (let left = most; left > 0; left--) {
      // A signal may have led to the end of this very connection.
      const signal = this.up ? this.intake.next() : undefined
      if (signal === undefined) return
      this.options.counters.signalsReceived++
      try {
        this.options.events.onSignal(this, signal)
      } catch (error) {
        this.onMalformed(errorOfThrown(error))
      }
    }
  }

  private onPart({ transfer, bytes, last }: Frame & { type: 'part' }): void {
    let signals: readonly Signal[]
    try {
      const whole = this.inbox.add(transfer, bytes, last)
      if (whole === undefined) return
      signals = this.options.codec.decodeParts(whole)
    } catch (error) {
      this.onMalformed(errorOfThrown(error))
      return
    }
    this.onSignals(signals)
  }

  private onControl(message: ControlMessage, nowMs: number): void {
    switch (message.type) {
      case 'tick':
        this.liveness = onTick(this.liveness, nowMs, message.heardAgeMs)
        return
      case 'goodbye':
        this.endedByPeer(message.reason)
        return
      case 'peers':
        this.liveness = onHeard(this.liveness, nowMs)
        this.options.events.onPeers(message.peers)
        return
      default:
        assertNever(message)
    }
  }

  /** The other side is about to answer, as it has done until now: stays awake for that. */
  private onWrite(): void {
    const { busyWait, clock } = this.options
    this.intake.sent()
    if (busyWait === undefined) return
    const untilMs = this.turnTaking.sent(clock.monotonicMs())
    if (untilMs !== undefined) busyWait.until(untilMs)
  }
}
