/**
 * The process of a session: a GenServer that calls the session's callbacks, and does what its state (session-state.ts) decides.
 *
 *   start ─▶ welcome ─▶ handleConnect                                   a new session
 *   start ─▶ moveFrom its former process ─▶ resumed, missed ─▶ handleTakeover, handleResume   from another node
 *   attach ─▶ resumed, missed ─▶ handleResume                           its client is back on this node
 *   claim, commit ─▶ it forwards, and ends                              its client is on another node
 *
 * It traps exits so that `terminate` runs however the session ends, and does with exit signals what a process that doesn't trap would do.
 *
 * Not here: what is sent to the client (session-outbox.ts), how a session goes from node to node (session-move.ts), its names and rooms.
 */
import {
  GenServer,
  type CallResult,
  type CastResult,
  type From,
  type InfoResult,
  type InitResult,
} from '@pidmesh/gen-server'
import {
  encodedBytes,
  ExitError,
  hasType,
  Pid,
  PidmeshError,
  reasonOfThrown,
  type Awaitable,
  type Context,
  type ExitReason,
  type NameMeta,
  type Via,
} from '@pidmesh/runtime'
import { conflictOf } from './close-cause.ts'
import { CLOSE, closeReason, isCloseReason } from './close-codes.ts'
import type { Connection } from './connection.ts'
import { PresenceChange } from './presence-server.ts'
import type { Identity } from './principal.ts'
import { NONCE_BYTES, sealToken } from './resume-token.ts'
import { isRevokeMessage } from './revoke-message.ts'
import { isRoomMessage, type RoomMessage } from './room-message.ts'
import { SeenOnce } from './seen-once.ts'
import type { SessionHub } from './session-hub.ts'
import { Departure, FORWARD_MS, MOVE_MS, moveFrom, resumeFailed, type Former } from './session-move.ts'
import { canTakeOver, SessionNames, type NamePolicy } from './session-names.ts'
import { SessionOutbox } from './session-outbox.ts'
import {
  Deadline,
  SocketClosed,
  SocketMessages,
  SocketRefreshed,
  type AttachCall,
  type ClaimCall,
  type ClaimFailure,
  type CommitCall,
  type SessionCall,
  type SessionCast,
  type SessionSnapshot,
} from './session-protocol.ts'
import { SessionRooms } from './session-rooms.ts'
import { SessionState } from './session-state.ts'
import { SessionWait } from './session-wait.ts'
import type { AnySession, PushOptions, PushStatus, SessionSeat } from './session.ts'

export interface SessionStart {
  readonly hub: SessionHub
  readonly identity: Identity<unknown>
  readonly connection: Connection
  readonly former: Former | undefined
}

/** The client is told after so many of its messages that they have come. */
const RECEIVED_EVERY = 16
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
const REFUSED: ClaimFailure & { readonly type: 'failed' } = { type: 'failed', why: 'refused', seq: 0 }

export class SessionServer extends GenServer<SessionCall, SessionCast> implements SessionSeat<unknown> {
  #hub!: SessionHub
  #session!: AnySession
  #identity!: Identity<unknown>
  #outbox!: SessionOutbox
  /** `undefined`: the client can't resume. */
  #state: SessionState | undefined = undefined
  #names: SessionNames | undefined = undefined
  #rooms: SessionRooms | undefined = undefined
  /** There from a claim on, until the move is called off. */
  #departure: Departure | undefined = undefined
  /** Broadcasts may come twice to a session that has just moved. */
  #seen: SeenOnce | undefined = undefined
  /** Once it has been without its client. */
  #wait: SessionWait | undefined = undefined
  #attachedMs = 0
  /** Of tokens that name a former process, until the client has shown that it has one of this. */
  #former: readonly Uint8Array[] = NONE

  override init({ hub, connection, identity, former }: SessionStart): Awaitable<InitResult> {
    this.#hub = hub
    this.#identity = identity
    this.#session = new hub.components.session()
    this.#session.enter(this)
    if (former !== undefined) return this.#moveHere(former, connection)
    const { resume } = hub.components
    this.#begin(
      connection,
      resume === undefined || connection.codec.name === 'bare' ? undefined : new SessionState(resume),
    )
    this.#attach(connection)
    connection.writeControl({ type: 'welcome', seq: 0, received: 0, ...this.#terms() })
    return this.#orEnd(() => this.#session.handleConnect())
  }

  // What the session has of its process.

  override get self(): Context {
    return super.self
  }

  override get pid(): Pid {
    return super.pid
  }

  get names(): Via {
    return this.#hub.components.names
  }

  get principal(): unknown {
    return this.#identity.principal
  }

  get connection(): Connection | undefined {
    return this.#outbox.connection
  }

  get isConnected(): boolean {
    return this.connection?.isOpen === true
  }

  get rooms(): SessionRooms {
    this.#rooms ??= new SessionRooms({
      self: this.self,
      groups: this.#hub.components.groups,
      presence: () => this.#hub.presence,
      broadcast: this.#hub.broadcast,
      idOf: () => this.#identity.id,
      random: this.#hub.components.random,
    })
    return this.#rooms
  }

  push(message: unknown, options: PushOptions | undefined): PushStatus {
    return this.#outbox.push(message, options)
  }

  sendTo(name: string, message: unknown): void {
    const failed = (thrown: unknown): void =>
      this.log.warn({ name, problem: String(thrown) }, 'a message to a name was not sent')
    try {
      const status = this.#hub.send(name, message)
      if (status instanceof Promise) status.catch(failed)
    } catch (thrown) {
      // What can't be sent is the caller's fault; a way of keeping names that fails isn't.
      if (thrown instanceof PidmeshError) throw thrown
      failed(thrown)
    }
  }

  register(name: string, policy: NamePolicy, meta: NameMeta): Promise<'yes' | 'no'> {
    return this.#ownNames().register(name, policy, meta)
  }

  setMeta(name: string, meta: NameMeta): Promise<'ok' | 'error'> {
    return this.#ownNames().setMeta(name, meta)
  }

  // What its connection and its gateway call.

  /** The client has all messages up to a number: `false` if there is no such number. */
  ack(connection: Connection, number: number): boolean {
    const state = this.#state
    if (connection !== this.connection || state === undefined) return true
    if (!state.ack(number)) return false
    this.#forgetFormer()
    return true
  }

  /** How many of the client's messages have come; `undefined` if nobody counts, as the client can't resume. */
  get received(): number | undefined {
    return this.#state?.received
  }

  /** The client reads again. */
  flushCoalesced(): void {
    this.#outbox.flushCoalesced()
  }

  /** It must come to know that its socket is closed, and to terms with that, in time. Its process may hang: so the gateway says this, and not the process. */
  socketIsClosed(connection: Connection): void {
    if (connection === this.connection) this.#ownWait().watch(0)
  }

  /** Its process has ended. */
  ended(): void {
    this.#wait?.end()
    this.#forgetFormer()
  }

  /** Who told it who is in its rooms has been started anew. */
  watchAgain(): void {
    this.#rooms?.watchAgain()
  }

  // What comes to the process.

  /** Whatever else is asked of a session it doesn't answer, and it must not end of it: the caller's timeout tells. */
  override handleCall(request: SessionCall, from: From): Awaitable<CallResult> {
    const state = this.#state
    if (request?.type === 'yield') {
      // A client that has not acknowledged anything may never have got the welcome: it comes again, and must not be refused for the socket that it has lost. Where a session goes its client is.
      const isInUse = this.connection !== undefined && state?.isConfirmed !== false
      if (isInUse || this.#departure !== undefined) return this.reply(request, 'attached')
      return this.stopAfterReply(request, 'yielded', closeReason(CLOSE.replaced))
    }
    if (state === undefined) return this.noreply()
    switch (request?.type) {
      case 'attach':
        return this.#onAttach(state, request, from)
      case 'claim':
        return this.#onClaim(state, request, from.pid)
      case 'commit':
        return this.#onCommit(state, request)
      default:
        return this.noreply()
    }
  }

  /** Whatever else is told to a session it passes over. */
  override handleCast(told: SessionCast): Awaitable<CastResult> {
    return told?.type === 'left' && this.#departure?.to !== undefined ? this.#rooms?.leave(told.room) : undefined
  }

  override handleInfo(message: unknown): Awaitable<InfoResult> {
    if (message instanceof SocketMessages) return this.#onMessages(message)
    if (message instanceof SocketClosed) return this.#onClosed(message)
    if (message instanceof Deadline) return this.#onDeadline(message)
    if (this.#departure?.isEndOfClaimer(message) === true) return this.#onClaimerGone(this.#departure)
    // Anybody can send what looks like one, but for the pid.
    if (hasType(message, 'EXIT') && message.from instanceof Pid) return this.#onExit(message.reason)
    const isOfRoom = isRoomMessage(message)
    // Before it moves: who it is not for is known here only.
    if (isOfRoom && (message.except?.equals(this.pid) === true || this.#rooms?.hasLeft(message.group) === true))
      return undefined
    if (this.#departure !== undefined) return this.#departure.take(message) ? undefined : this.#callOff()
    if (message instanceof SocketRefreshed) return this.#onRefreshed(message)
    if (message instanceof PresenceChange)
      return settled(this.#outbox.sharing(message.outgoing, () => this.#session.handlePresence(message.message)))
    if (isOfRoom) return this.#onRoomMessage(message)
    if (isRevokeMessage(message)) return this.stop(closeReason(message.cause))
    return settled(this.#session.handleInfo(message))
  }

  override async terminate(reason: ExitReason): Promise<void> {
    if (this.#departure?.to === undefined) await this.#session.terminate(reason)
  }

  /** Nothing of a client's is shown. */
  override getState(): unknown {
    return { isConnected: this.isConnected, phase: this.#state?.phase, pending: this.#state?.ring.size ?? 0 }
  }

  // Sockets come and go.

  #begin(connection: Connection, state: SessionState | undefined): void {
    const { counters } = this.#hub.components
    this.#state = state
    this.#outbox = new SessionOutbox({ codec: connection.codec, ring: state?.ring, counters, self: this.self })
  }

  /** What a new process does first. It is a session of its gateway from then on; and ends as one, if that fails. */
  #orEnd(first: () => Awaitable<unknown>): Awaitable<InitResult> {
    const begun = (): undefined => {
      // It may have been killed meanwhile, since it took too long.
      if (this.self.isAlive) this.#hub.sessions.set(this.pid.id, this)
    }
    const failed = async (thrown: unknown): Promise<never> => {
      await this.#session.terminate(reasonOfThrown(thrown))
      throw thrown
    }
    try {
      const done = first()
      return done instanceof Promise ? done.then(begun, failed) : begun()
    } catch (thrown) {
      return failed(thrown)
    }
  }

  #attach(connection: Connection, shown?: Uint8Array): void {
    this.#wait?.end()
    this.#attachedMs = this.self.monotonicMs()
    this.#outbox.connection = connection
    connection.session = this
    this.#state?.attach(Buffer.from(this.#hub.components.random.bytes(NONCE_BYTES)), shown)
  }

  /** What `welcome` and `resumed` tell besides. */
  #terms(): { readonly [key: string]: unknown } {
    const { resume, keys } = this.#hub.components
    const [state, [key]] = [this.#state, keys]
    if (resume === undefined || state === undefined || key === undefined) return { ackEvery: ACK_EVERY }
    const { graceMs, maxMessages } = resume
    const token = sealToken(key, this.pid, state.nonce, this.#identity.id)
    return { resume: { token, graceMs }, ackEvery: Math.max(1, Math.floor(maxMessages / 4)) }
  }

  /** Its client is back: what it has missed goes out before anything else. */
  #tellResumed(
    connection: Connection,
    { nonce, seq }: { readonly nonce: Uint8Array; readonly seq: number },
    missed: readonly Buffer[],
  ): void {
    this.#attach(connection, nonce)
    connection.acked = seq
    const received = this.#state?.received ?? 0
    connection.writeControl({ type: 'resumed', seq, received, ...this.#terms() })
    for (const frame of missed) connection.writeFrame(frame)
    this.#outbox.flushCoalesced()
    this.#hub.components.counters.countResume('resumed')
  }

  #onAttach(state: SessionState, request: AttachCall, from: From): Awaitable<CallResult> {
    const { connection, identity, nonce, seq } = request
    if (this.#departure?.to !== undefined) return this.reply(request, { type: 'moved', to: this.#departure.to })
    // It was given up while this session was busy: nobody would say again that it is closed.
    if (!isWanted(connection) || this.#isPast(state, nonce)) return this.reply(request, { type: 'busy' })
    const verdict = connection.codec === this.#outbox.codec ? state.claim(nonce, seq) : REFUSED
    // The client begins anew, and this one is of no use any more.
    if (verdict.type === 'failed' && verdict.why === 'gap')
      return this.stopAfterReply(request, verdict, closeReason(CLOSE.replaced))
    if (verdict.type !== 'granted') return this.reply(request, verdict)
    this.#leaveSocket()
    this.#identity = identity
    this.replyTo(this.defer(request, from), { type: 'attached' })
    this.#tellResumed(connection, { nonce, seq }, verdict.missed)
    const resumed = this.#session.handleResume()
    return resumed instanceof Promise ? resumed.then(() => this.noreply()) : this.noreply()
  }

  /** The client is on another socket, here or elsewhere. */
  #leaveSocket(): void {
    const { connection } = this.#outbox
    this.#outbox.connection = undefined
    this.#wait?.end()
    connection?.close(CLOSE.resumedElsewhere)
  }

  #onClosed({ connection, code, reason }: SocketClosed): Awaitable<InfoResult> {
    if (connection !== this.connection) return undefined
    this.#outbox.connection = undefined
    const handled = this.#session.handleDisconnect(code, reason)
    return handled instanceof Promise ? handled.then(() => this.#afterClosed(code)) : this.#afterClosed(code)
  }

  #afterClosed(code: number): InfoResult {
    // Killed, since `handleDisconnect` took too long: it waits for nobody.
    if (!this.self.isAlive) return undefined
    const { resume } = this.#hub.components
    if (this.#state === undefined || resume === undefined || FINAL_CODES.has(code))
      return this.stop({ shutdown: 'socket_closed' })
    this.#state.detach()
    return this.#awaitClient()
  }

  #awaitClient(): InfoResult {
    const { resume } = this.#hub.components
    if (resume !== undefined && this.#ownWait().begin(this.#identity.id, resume.graceMs)) return undefined
    return this.stop({ shutdown: 'too_many_detached' })
  }

  #ownWait(): SessionWait {
    this.#wait ??= new SessionWait(this.#hub, this)
    return this.#wait
  }

  #sendAfter(delayMs: number, deadline: Deadline): void {
    this.self.sendAfter(delayMs, this.pid, deadline)
  }

  #onDeadline({ of, number }: Deadline): Awaitable<InfoResult> {
    switch (of) {
      case 'grace':
        return this.#wait?.isOver(number) === true ? this.stop({ shutdown: 'client_did_not_return' }) : undefined
      case 'move':
        return this.#state?.claims === number ? this.#callOff() : undefined
      case 'forward':
        return this.stop({ shutdown: 'moved' })
    }
  }

  #onRefreshed({ connection, identity }: SocketRefreshed): Awaitable<InfoResult> {
    if (connection !== this.connection) return undefined
    const former = this.#identity.principal
    this.#identity = identity
    return settled(this.#session.handleRefresh(former))
  }

  #onExit(reason: ExitReason): InfoResult {
    if (reason === 'normal') return undefined
    const conflict = conflictOf(reason)
    const to = this.#departure?.to
    if (conflict === undefined) {
      // Who wants the client's socket closed has found the session at its former place.
      if (to !== undefined && isCloseReason(reason)) this.self.exit(to, reason)
      return this.stop(reason)
    }
    // Its own name, at its new place.
    if (to !== undefined) return undefined
    const isReplaced = this.#names?.policyOf(conflict.name) === 'replace' || this.connection === undefined
    return this.stop({ ...closeReason(isReplaced ? CLOSE.replaced : CLOSE.nameConflict), name_conflict: conflict })
  }

  // Messages.

  #onMessages({ connection, messages }: SocketMessages): Awaitable<InfoResult> {
    // Those of a socket that the client has left it sends again over the one that it has now.
    return connection === this.connection ? this.#handleFrom(connection, messages, 0) : undefined
  }

  #handleFrom(connection: Connection, messages: readonly unknown[], start: number): Awaitable<void> {
    for (let index = start; index < messages.length; index++) {
      this.#countReceived(connection)
      const handled = this.#session.handleMessage(messages[index])
      if (handled instanceof Promise)
        return handled.then(() => {
          connection.onHandled()
          return this.#handleFrom(connection, messages, index + 1)
        })
      connection.onHandled()
    }
    return undefined
  }

  #countReceived(connection: Connection): void {
    const state = this.#state
    if (state === undefined) return
    state.received++
    if (state.received % RECEIVED_EVERY === 0) connection.writeControl({ type: 'received', received: state.received })
  }

  #onRoomMessage(message: RoomMessage): Awaitable<InfoResult> {
    if (this.#seen?.isAgain(`${message.from}#${message.id}`, this.self.monotonicMs()) === true) return undefined
    const outgoing = this.#hub.outgoingOf(message)
    return settled(this.#outbox.sharing(outgoing, () => this.#session.handleInfo(message.message)))
  }

  #ownNames(): SessionNames {
    const { names, groups } = this.#hub.components
    this.#names ??= new SessionNames(this.self, names, groups)
    return this.#names
  }

  // To another node, and from one.

  async #onClaim(state: SessionState, request: ClaimCall, claimer: Pid): Promise<CallResult> {
    if (this.#departure?.to !== undefined) return this.reply(request, { type: 'moved', to: this.#departure.to })
    const isWellFormed = request.nonce instanceof Uint8Array && request.codec === this.#outbox.codec.name
    if (isWellFormed && this.#isPast(state, request.nonce)) return this.reply(request, { type: 'busy' })
    const claim = () => (isWellFormed ? state.claim(request.nonce, request.seq) : REFUSED)
    const handedOver = claim().type === 'granted' ? await this.#session.handOver() : undefined
    // Once more: what was pushed meanwhile is missed, too.
    const verdict = claim()
    if (verdict.type === 'failed' && verdict.why === 'gap')
      return this.stopAfterReply(request, verdict, closeReason(CLOSE.replaced))
    if (verdict.type !== 'granted') return this.reply(request, verdict)
    const snapshot: SessionSnapshot = {
      missed: verdict.missed,
      received: state.received,
      nonces: state.nonces,
      names: this.#names?.all ?? [],
      ...(this.#rooms?.snapshot ?? { rooms: [], watched: [], mark: undefined }),
      seen: this.#seen?.all(this.self.monotonicMs()) ?? [],
      state: handedOver,
    }
    try {
      encodedBytes(snapshot)
    } catch (thrown) {
      this.log.error(
        { problem: String(thrown) },
        'a session can not go to another node: what its handOver gives is not sendable',
      )
      // Its client begins anew, and must not be refused for this one.
      return this.stopAfterReply(
        request,
        { type: 'failed', why: 'gone', seq: state.ring.last },
        closeReason(CLOSE.replaced),
      )
    }
    this.#leaveSocket()
    const number = state.freeze()
    this.#departure = new Departure(this.self, { claimer, seq: state.ring.last })
    this.#sendAfter(MOVE_MS, new Deadline('move', number))
    return this.reply(request, { type: 'claimed', claim: number, snapshot })
  }

  /**
   * Whether who comes is the client's past: it has come here or to another node, given that up, and has the session meanwhile, over the socket that it has now. That must not be closed, nor may its
   * past begin a session of its own: the client would take that to be somebody else's. It may be late by what it takes to authenticate, and a call to a session that is busy. A client that has not yet
   * said that it has the newest token may not have it, and has to wait no longer than it takes to say so.
   */
  #isPast(state: SessionState, nonce: Uint8Array): boolean {
    if (!this.isConnected || state.isNewest(nonce)) return false
    return this.self.monotonicMs() - this.#attachedMs < (state.knows(nonce) ? CONFIRM_MS : LATE_MS)
  }

  async #onCommit(state: SessionState, request: CommitCall): Promise<CallResult> {
    const pushed = state.ring.after(this.#departure?.seq ?? 0)
    // More was pushed meanwhile than it keeps: who comes later is told of the gap.
    if (pushed === undefined || !state.commit(request.claim)) return this.reply(request, { type: 'fenced' })
    const late = [...pushed, ...this.#outbox.heldFrames]
    this.#outbox.isClosed = true
    if (request.release) await this.#names?.release()
    this.#departure?.forwardTo(request.to)
    this.#hub.components.counters.countResume('moved')
    this.#sendAfter(FORWARD_MS, new Deadline('forward', 0))
    return this.reply(request, { type: 'committed', late })
  }

  /** Before the commit the session goes on here. After it there is nobody to forward to, and nobody must take this process for the session. */
  #onClaimerGone({ to }: Departure): Awaitable<InfoResult> {
    return to === undefined ? this.#callOff() : this.stop({ shutdown: 'moved' })
  }

  /** The node that wanted the session has not taken it, or too much has come meanwhile: it is handled as ever, in order, before anything else. */
  async #callOff(): Promise<InfoResult> {
    if (this.#state?.thaw(this.#state.claims) !== true) return undefined
    const refused = this.#awaitClient()
    if (refused !== undefined) return refused
    const held = this.#departure?.callOff() ?? []
    this.#departure = undefined
    for (const message of held) {
      const result = await this.handleInfo(message)
      if (result !== undefined) return result
    }
    return undefined
  }

  /** The session was in another process, and is here from the commit on. */
  async #moveHere(former: Former, connection: Connection): Promise<InitResult> {
    const { resume, names } = this.#hub.components
    const { seq } = former
    this.#begin(connection, undefined)
    if (resume === undefined) return this.stop(resumeFailed('refused', seq))
    const moved = await moveFrom(this.self, former, {
      codec: connection.codec.name,
      release: !canTakeOver(names),
      isWanted: () => isWanted(connection),
    })
    if (moved.type === 'busy') return this.stop(resumeFailed('busy', seq))
    if (moved.type === 'failed') return this.stop(resumeFailed(moved.why, moved.seq))
    const { from, snapshot, missed } = moved
    this.#begin(
      connection,
      new SessionState(resume, {
        seq,
        missed,
        received: snapshot.received,
        nonces: snapshot.nonces.map((nonce) => Buffer.from(nonce)),
      }),
    )
    this.#former = snapshot.nonces
    this.#hub.whereabouts.add(snapshot.nonces, this.pid)
    this.#seen = new SeenOnce(this.self.monotonicMs() + 2 * FORWARD_MS, snapshot.seen)
    // Before any callback: what that pushes comes after what was missed.
    this.#tellResumed(connection, former, missed)
    return this.#orEnd(() => this.#goOnHere(from, snapshot))
  }

  #forgetFormer(): void {
    if (this.#former.length === 0) return
    this.#hub.whereabouts.forget(this.#former)
    this.#former = NONE
  }

  async #goOnHere(former: Pid, snapshot: SessionSnapshot): Promise<void> {
    // These first: its former process forwards for a while only, however long `handleTakeover` takes.
    const lost = snapshot.names.length > 0 ? await this.#ownNames().adopt(snapshot.names, former) : undefined
    if (lost !== undefined) {
      const cause = lost.policy === 'replace' ? CLOSE.replaced : CLOSE.nameConflict
      throw new ExitError(closeReason(cause), 'ERR_EXIT', `the name ${lost.name} was taken on the way`)
    }
    if (snapshot.mark !== undefined) await this.rooms.adopt(snapshot, former)
    await this.#session.handleTakeover(snapshot.state)
    await this.#session.handleResume()
  }
}

/** Whether a client waits for its session; or has closed the socket for good, and waits for nothing but that the session ends. */
function isWanted({ closeCode }: Connection): boolean {
  return closeCode === undefined || FINAL_CODES.has(closeCode)
}

/** Where nothing is kept nobody needs to acknowledge. */
const ACK_EVERY = 16

/** What a session's callback has come to: what it returns is not looked at. */
function settled(handled: unknown): Awaitable<InfoResult> {
  return handled instanceof Promise ? handled.then(() => undefined) : undefined
}
