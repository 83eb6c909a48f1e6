/**
 * The client of a session: over which socket it is there, with which tokens it may come back, and how long it is waited for.
 *
 *   attach ─▶ it has a socket ─▶ leave, or the socket is closed ─▶ awaitReturn ─▶ attach
 *
 * State: the socket and what is sent to it (session-outbox.ts), the numbers and nonces (session-state.ts), since when it has the socket, the wait (session-wait.ts), the nonces that name a former place.
 *
 * Invariants: a session has one socket at most; whose socket it isn't neither acknowledges nor ends it.
 */
import type { Context, Pid } from '@pidmesh/runtime'
import { CLOSE, type CloseCause } from './close-codes.ts'
import type { Codec } from './codec/codec.ts'
import type { Connection } from './connection.ts'
import type { Frame } from './frame.ts'
import type { Identity } from './principal.ts'
import { NONCE_BYTES, sealToken } from './resume-token.ts'
import type { SessionHub } from './session-hub.ts'
import { SessionOutbox } from './session-outbox.ts'
import type { SocketClosed, SocketMessages, SocketRefreshed } from './session-protocol.ts'
import type { SessionState } from './session-state.ts'
import { SessionWait } from './session-wait.ts'

/** The client is told after so many of its messages that they have come. */
const RECEIVED_EVERY = 16
/** Where nothing is kept nobody needs to acknowledge. */
const ACK_EVERY = 16
/** A client that goes on says within so long that it knows it: `ack` is the first thing that it sends. */
const CONFIRM_MS = 2_000
/** What a client has asked for that is not there any more comes within so long. */
const LATE_MS = 15_000
/** A client that closes so, or is closed so, doesn't come back. */
const FINAL_CODES: ReadonlySet<number> = new Set([
  1000,
  1002,
  1003,
  1007,
  1008,
  1009,
  CLOSE.notAuthenticated.code,
  CLOSE.badMessage.code,
])
/** One for all: a session that never moves has no list of its own. */
const NONE: readonly Uint8Array[] = []

export interface ClientInit {
  readonly hub: SessionHub
  readonly self: Context
  readonly identity: Identity<unknown>
  readonly codec: Codec
  /** `undefined`: the client can't resume. */
  readonly state: SessionState | undefined
}

export class SessionClient {
  identity: Identity<unknown>
  readonly outbox: SessionOutbox
  readonly state: SessionState | undefined
  private readonly hub: SessionHub
  private readonly self: Context
  /** Once it has been away. */
  private wait: SessionWait | undefined = undefined
  private attachedMs = 0
  /** Of tokens that name a former process, until the client has shown that it has one of this. */
  private former: readonly Uint8Array[] = NONE

  constructor({ hub, self, identity, codec, state }: ClientInit) {
    this.hub = hub
    this.self = self
    this.identity = identity
    this.state = state
    this.outbox = new SessionOutbox({ hub, self, codec, ring: state?.ring })
  }

  /** Of the session. */
  get pid(): Pid {
    return this.self.pid
  }

  get connection(): Connection | undefined {
    return this.outbox.connection
  }

  get isConnected(): boolean {
    return this.connection?.isOpen === true
  }

  /**
   * Whether the session's name is not to be had. A client that has not acknowledged anything may never have got the welcome: it comes again, and must not be refused for the socket that it
   * has lost.
   */
  get isInUse(): boolean {
    return this.connection !== undefined && this.state?.isConfirmed !== false
  }

  // It comes and goes.

  attach(connection: Connection, shown?: Uint8Array): void {
    this.wait?.end()
    this.attachedMs = Math.floor(this.self.monotonicMs())
    this.outbox.connection = connection
    connection.session = this
    this.state?.attach(Buffer.from(this.hub.components.random.bytes(NONCE_BYTES)), shown)
  }

  tellWelcome(connection: Connection): void {
    connection.writeControl({ type: 'welcome', seq: 0, received: 0, ...this.terms() })
  }

  /** It is back: what it has missed goes out before anything else. */
  resume(
    connection: Connection,
    { nonce, seq }: { readonly nonce: Uint8Array; readonly seq: number },
    missed: readonly Frame[],
  ): void {
    this.attach(connection, nonce)
    connection.acked = seq
    const received = this.state?.received ?? 0
    connection.writeControl({ type: 'resumed', seq, received, ...this.terms() })
    for (const frame of missed) connection.writeMessage(frame)
    this.outbox.flushCoalesced()
    this.hub.components.counters.countResume('resumed')
  }

  /** What `welcome` and `resumed` tell besides. */
  private terms(): { readonly [key: string]: unknown } {
    const { resume, keys } = this.hub.components
    const [{ state }, [key]] = [this, keys]
    if (resume === undefined || state === undefined || key === undefined) return { ackEvery: ACK_EVERY }
    const { graceMs, maxMessages } = resume
    const token = sealToken(key, this.pid, state.nonce, this.identity.id)
    return { resume: { token, graceMs }, ackEvery: Math.max(1, Math.floor(maxMessages / 4)) }
  }

  /** It is on another socket, here or elsewhere. */
  leave(): void {
    const { connection } = this
    this.outbox.connection = undefined
    this.wait?.end()
    connection?.close(CLOSE.resumedElsewhere)
  }

  /** Whether it may come back, after its socket was closed with a code. */
  mayReturn(code: number): boolean {
    return this.state !== undefined && !FINAL_CODES.has(code)
  }

  /** From now on it is waited for. `false` if too many are. */
  awaitReturn(): boolean {
    const { resume } = this.hub.components
    this.state?.detach()
    return resume !== undefined && this.ownWait().begin(this.identity.id, resume.graceMs)
  }

  /** Whether that deadline is of the wait that is under way. */
  isOverdue(number: number): boolean {
    return this.wait?.isOver(number) === true
  }

  /**
   * Whether who comes is the client's past: it has come here or to another node, given that up, and has the session meanwhile, over the socket that it has now. That must not be closed, nor may its
   * past begin a session of its own: the client would take that to be somebody else's. It may be late by what it takes to authenticate, and a call to a session that is busy. A client that has not yet
   * said that it has the newest token may not have it, and has to wait no longer than it takes to say so.
   */
  isPast(nonce: Uint8Array): boolean {
    const { state } = this
    if (state === undefined || !this.isConnected || state.isNewest(nonce)) return false
    return this.self.monotonicMs() - this.attachedMs < (state.knows(nonce) ? CONFIRM_MS : LATE_MS)
  }

  /** It has the token of a former place, perhaps, and would not find the session by that. */
  hasMovedFrom(nonces: readonly Uint8Array[]): void {
    this.former = nonces
    this.hub.whereabouts.add(nonces, this.pid)
  }

  private forgetFormer(): void {
    if (this.former.length === 0) return
    this.hub.whereabouts.forget(this.former, this.pid)
    this.former = NONE
  }

  private ownWait(): SessionWait {
    this.wait ??= new SessionWait(this.hub, this.self)
    return this.wait
  }

  // What its connection and the gateway say.

  /** It has all messages up to a number. `bad`: there is no such number; `uncounted`: nobody keeps what it may be of. */
  ack(connection: Connection, number: number): 'ok' | 'bad' | 'uncounted' {
    const { state } = this
    if (connection !== this.connection || state === undefined) return 'uncounted'
    if (!state.ack(number)) return 'bad'
    this.forgetFormer()
    return 'ok'
  }

  /** How many of its messages have come; `undefined` if nobody counts, as it can't resume. */
  get received(): number | undefined {
    return this.state?.received
  }

  /** One of its messages has come. */
  countReceived(connection: Connection): void {
    const { state } = this
    if (state === undefined) return
    state.received++
    if (state.received % RECEIVED_EVERY === 0) connection.writeControl({ type: 'received', received: state.received })
  }

  /** What its socket says is the session's own: a mailbox that is full of what others send doesn't drop it. */
  tell(event: SocketMessages | SocketClosed | SocketRefreshed): void {
    if (this.self.isAlive) this.self.send(this.pid, event)
  }

  /** It reads again. */
  flushCoalesced(): void {
    this.outbox.flushCoalesced()
  }

  /** The session must come to know that its socket is closed, and to terms with that, in time. Its process may hang: so the gateway says this, and not the process. */
  socketIsClosed(connection: Connection): void {
    if (connection === this.connection && this.self.isAlive) this.ownWait().watch(0)
  }

  /** The session is at the last that it does: its client is closed, and it is killed, in time also if that never ends. */
  isEnding(cause: CloseCause): void {
    if (this.self.isAlive) this.ownWait().watchEnd(() => this.connection?.close(cause))
  }

  /** The session has been told to end, and may be at something that never ends. Who tells it so again gives it no more time. */
  isRevoked(cause: CloseCause): void {
    if (!this.ownWait().isToEnd) this.isEnding(cause)
  }

  /** It was to be a session: one that has come from another node, and can't go on here, is looked for by its former tokens already. If its gateway has ended meanwhile it runs still, perhaps for ever. */
  startHasFailed(): void {
    this.hub.beginning.delete(this.self.pid.id)
    this.sessionHasEnded()
    if (this.self.isAlive) this.hub.watch(this.pid, 0)
  }

  /** The session's process has ended. */
  sessionHasEnded(): void {
    this.outbox.isClosed = true
    this.wait?.processHasEnded()
    this.forgetFormer()
  }
}

/** Whether a client waits for its session; or has closed the socket for good, and waits for nothing but that the session ends. */
export function isWanted({ closeCode }: Connection): boolean {
  return closeCode === undefined || FINAL_CODES.has(closeCode)
}
