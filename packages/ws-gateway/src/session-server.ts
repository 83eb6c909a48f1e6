/**
 * The process of a session: a GenServer that calls the session's callbacks, and does what its state (session-state.ts) decides.
 *
 *   start ─▶ welcome ─▶ handleConnect                                  a new session
 *   start ─▶ claim, commit at its former process ─▶ resumed, missed    one that comes from another node
 *   attach ─▶ resumed, missed ─▶ handleResume                          its client is back on this node
 *
 *   push ─▶ ring ─▶ socket           what is numbered is in the ring first
 *
 * It traps exits so that `terminate` runs however the session ends, and does with exit signals what a process that doesn't trap would do.
 *
 * While it is being moved, what comes to it is kept; from the commit on it is forwarded, for as long as other nodes may take this process for the session.
 */
import { call, GenServer, type CallResult, type From, type InfoResult, type InitResult } from '@pidmesh/gen-server'
import {
  encodedBytes,
  hasType,
  PidmeshError,
  reasonOfThrown,
  type Awaitable,
  type Context,
  type ExitReason,
  type NameMeta,
  type Pid,
  type Via,
} from '@pidmesh/runtime'
import { CLOSE, closeReason } from './close-codes.ts'
import type { Connection } from './connection.ts'
import { Outgoing } from './outgoing.ts'
import { PresenceChange } from './presence-server.ts'
import type { Identity } from './principal.ts'
import { NONCE_BYTES, sealToken } from './resume-token.ts'
import { groupOfName, isRoomMessage, type RoomMessage } from './room-message.ts'
import { SeenOnce } from './seen-once.ts'
import type { SessionHub } from './session-hub.ts'
import { SessionNames, type NamePolicy } from './session-names.ts'
import {
  Deadline,
  SocketClosed,
  SocketMessages,
  SocketRefreshed,
  type AttachCall,
  type ClaimFailure,
  type ClaimCall,
  type Claimed,
  type CommitCall,
  type SessionCall,
  type SessionSnapshot,
} from './session-protocol.ts'
import { SessionRooms } from './session-rooms.ts'
import { SessionState, type ResumeFailure } from './session-state.ts'
import type { PushOptions, PushStatus, SessionSeat, AnySession } from './session.ts'

/** A session that a client goes on with, which is on another node. */
export interface Former {
  readonly pid: Pid
  readonly nonce: Uint8Array
  readonly seq: number
}

export interface SessionStart {
  readonly hub: SessionHub
  readonly identity: Identity<unknown>
  readonly connection: Connection
  readonly former: Former | undefined
}

/** Why a start has failed that was to go on with a session. */
export interface ResumeFailed {
  readonly resume_failed: { readonly why: ResumeFailure | 'busy'; readonly seq: number }
  readonly shutdown: 'resume_failed'
  readonly [key: string]: unknown
}

/** Between a claim and its commit. */
const MOVE_MS = 5_000
/** For so long a session's former process forwards: other nodes know of the new one within it. Less than a table waits before it kills who has lost a name. */
const FORWARD_MS = 4_000
/** What comes meanwhile. More than that, and the move is called off. */
const MAX_HELD = 1_000
/** The client is told after so many of its messages that they have come. */
const RECEIVED_EVERY = 16
/** Of those that wait for a slow client, by key. */
const MAX_COALESCED = 256
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

export class SessionServer extends GenServer<SessionCall> implements SessionSeat<unknown> {
  #hub!: SessionHub
  #session!: AnySession
  #identity!: Identity<unknown>
  #connection: Connection | undefined = undefined
  #codec!: Connection['codec']
  /** `undefined`: the client can't resume. */
  #state: SessionState | undefined = undefined
  #names: SessionNames | undefined = undefined
  #rooms: SessionRooms | undefined = undefined
  /** Latest messages by key, for a client that is slow or away. */
  #coalesced: Map<string, unknown> | undefined = undefined
  /** The broadcast that is being handled. */
  #shared: Outgoing | undefined = undefined
  /** What has come while the session is being moved. */
  #held: unknown[] = []
  #movedTo: Pid | undefined = undefined
  /** Broadcasts may come twice to a session that has just moved. */
  #seen: SeenOnce | undefined = undefined
  #detachments = 0

  override init(start: SessionStart): Awaitable<InitResult> {
    const { hub, connection, identity } = start
    this.#hub = hub
    this.#identity = identity
    this.#codec = connection.codec
    const session = new hub.components.session()
    session.enter(this)
    this.#session = session
    if (start.former !== undefined) return this.#moveHere(start.former, connection)
    const { resume } = hub.components
    if (resume !== undefined && connection.codec.name !== 'bare') this.#state = new SessionState(resume)
    this.#attach(connection)
    connection.writeControl({ type: 'welcome', seq: 0, received: 0, ...this.#terms() })
    return this.#connect(session)
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

  get isConnected(): boolean {
    return this.#connection?.isOpen === true
  }

  get connection(): Connection | undefined {
    return this.#connection
  }

  /** It waits for its client. */
  get isDetached(): boolean {
    return this.#state?.phase === 'detached'
  }

  get rooms(): SessionRooms {
    const { groups } = this.#hub.components
    this.#rooms ??= new SessionRooms({
      self: this.self,
      groups,
      presence: () => this.#hub.presence,
      broadcast: this.#hub.broadcast,
      idOf: () => this.#identity.id,
    })
    return this.#rooms
  }

  push(message: unknown, options: PushOptions | undefined): PushStatus {
    const shared = this.#shared
    const isShared = shared !== undefined && shared.message === message
    return this.#push(isShared ? shared : new Outgoing(message), options)
  }

  sendTo(name: string, message: unknown): void {
    const { names, groups } = this.#hub.components
    const sentToAll = (): void => {
      if (groups !== undefined) this.#hub.broadcast(groupOfName(name), message, undefined)
    }
    const failed = (thrown: unknown): void =>
      this.log.warn({ name, problem: String(thrown) }, 'a message to a name was not sent')
    try {
      const status = names.send(name, message)
      if (status instanceof Promise) {
        status.then((answer) => (answer === 'noproc' ? sentToAll() : undefined)).catch(failed)
      } else if (status === 'noproc') sentToAll()
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

  // What comes to the process.

  /** Whatever else is asked of a session it doesn't answer, and it must not end of it: the caller's timeout tells. */
  override handleCall(request: SessionCall, from: From): Awaitable<CallResult> {
    const state = this.#state
    switch (request?.type) {
      case 'attach':
        return state === undefined ? this.noreply() : this.#onAttach(state, request, from)
      case 'claim':
        return state === undefined ? this.noreply() : this.#onClaim(state, request)
      case 'commit':
        return state === undefined ? this.noreply() : this.#onCommit(state, request)
      case 'yield':
        if (this.#connection !== undefined || state?.phase === 'moving') return this.reply(request, 'attached')
        return this.stopAfterReply(request, 'yielded', closeReason(CLOSE.replaced))
      default:
        return this.noreply()
    }
  }

  override handleCast(): void {}

  override handleInfo(message: unknown): Awaitable<InfoResult> {
    if (message instanceof SocketMessages) return this.#onMessages(message)
    if (message instanceof SocketClosed) return this.#onClosed(message)
    if (message instanceof Deadline) return this.#onDeadline(message)
    if (hasType(message, 'EXIT')) return this.#onExit(message.reason)
    if (this.#movedTo !== undefined) return void this.self.send(this.#movedTo, message)
    if (this.#state?.phase === 'moving') return this.#hold(message)
    if (message instanceof SocketRefreshed) return this.#onRefreshed(message)
    if (message instanceof PresenceChange) {
      this.#shared = message.outgoing
      return this.#settle(this.#session.handlePresence(message.message))
    }
    if (isRoomMessage(message)) return this.#onRoomMessage(message)
    return this.#settle(this.#session.handleInfo(message))
  }

  override async terminate(reason: ExitReason): Promise<void> {
    if (this.#movedTo === undefined) await this.#session.terminate(reason)
  }

  /** Nothing of a client's is shown. */
  override getState(): unknown {
    return {
      isConnected: this.isConnected,
      phase: this.#state?.phase ?? 'attached',
      pending: this.#state?.ring.size ?? 0,
    }
  }

  /** Who told it who is in its rooms has been started anew. */
  watchAgain(): void {
    this.#rooms?.watchAgain()
  }

  /** The client reads again, or is back. */
  flushCoalesced(): void {
    const waiting = this.#coalesced
    if (waiting === undefined) return
    this.#coalesced = undefined
    for (const [key, message] of waiting) this.#push(new Outgoing(message), { coalesce: key })
  }

  /** The client has all messages up to a number: `false` if there is no such number. Called by the connection, between two messages. */
  ack(connection: Connection, number: number): boolean {
    return connection !== this.#connection || this.#state === undefined || this.#state.ack(number)
  }

  // Sockets come and go.

  #connect(session: AnySession): Awaitable<InitResult> {
    const begun = (): undefined => {
      this.#hub.sessions.set(this.pid.id, this)
    }
    const failed = async (thrown: unknown): Promise<never> => {
      await session.terminate(reasonOfThrown(thrown))
      throw thrown
    }
    try {
      const connected = session.handleConnect()
      return connected instanceof Promise ? connected.then(begun, failed) : begun()
    } catch (thrown) {
      return failed(thrown)
    }
  }

  #attach(connection: Connection): void {
    this.#connection = connection
    if (connection.codec.name !== this.#codec.name) this.#codec = connection.codec
    this.#state?.attach(Buffer.from(this.#hub.components.random.bytes(NONCE_BYTES)))
  }

  /** What `welcome` and `resumed` tell besides. */
  #terms(): { readonly [key: string]: unknown } {
    const { resume, keys } = this.#hub.components
    const [state, [key]] = [this.#state, keys]
    const ackEvery = Math.max(1, Math.floor((resume?.maxMessages ?? 64) / 4))
    if (resume === undefined || state === undefined || key === undefined) return { ackEvery }
    return {
      resume: { token: sealToken(key, this.pid, state.token, this.#identity.id), graceMs: resume.graceMs },
      ackEvery,
    }
  }

  /** Its client is back: what it has missed goes out before anything else. */
  #resumeOn(connection: Connection, seq: number, missed: readonly Buffer[]): Awaitable<unknown> {
    this.#attach(connection)
    const received = this.#state?.received ?? 0
    connection.writeControl({ type: 'resumed', seq, received, ...this.#terms() })
    for (const frame of missed) connection.writeFrame(frame)
    this.flushCoalesced()
    this.#hub.components.counters.countResume('resumed')
    return this.#session.handleResume()
  }

  #onAttach(state: SessionState, request: AttachCall, from: From): Awaitable<CallResult> {
    const { connection, identity, nonce, seq } = request
    if (this.#movedTo !== undefined) return this.reply(request, { type: 'moved', to: this.#movedTo })
    const verdict = connection.codec.name === this.#codec.name ? state.claim(nonce, seq) : REFUSED
    if (verdict.type === 'failed' && verdict.why === 'gap')
      return this.stopAfterReply(request, verdict, closeReason(CLOSE.replaced))
    if (verdict.type !== 'granted') return this.reply(request, verdict)
    const former = this.#connection
    if (former === undefined) this.#hub.detached--
    else former.close(CLOSE.resumedElsewhere)
    this.#identity = identity
    this.replyTo(this.defer(request, from), { type: 'attached' })
    const resumed = this.#resumeOn(connection, seq, verdict.missed)
    return resumed instanceof Promise ? resumed.then(() => this.noreply()) : this.noreply()
  }

  #onClosed({ connection, code, reason }: SocketClosed): Awaitable<InfoResult> {
    if (connection !== this.#connection) return undefined
    this.#connection = undefined
    const handled = this.#session.handleDisconnect(code, reason)
    return handled instanceof Promise ? handled.then(() => this.#afterClosed(code)) : this.#afterClosed(code)
  }

  #afterClosed(code: number): InfoResult {
    const { resume } = this.#hub.components
    if (this.#state === undefined || resume === undefined || FINAL_CODES.has(code))
      return this.stop({ shutdown: 'socket_closed' })
    // Of too many that wait none is kept: those that wait already have more to lose.
    if (this.#hub.detached >= resume.maxDetached) return this.stop({ shutdown: 'too_many_detached' })
    this.#state.detach()
    this.#hub.detached++
    this.#sendAfter(resume.graceMs, new Deadline('grace', ++this.#detachments))
    return undefined
  }

  #onDeadline({ of, number }: Deadline): Awaitable<InfoResult> {
    const state = this.#state
    if (of === 'grace' && state?.phase === 'detached' && number === this.#detachments)
      return this.stop({ shutdown: 'client_did_not_return' })
    if (of === 'move' && state?.thaw(number) === true) return this.#thawed()
    if (of === 'forward') return this.stop({ shutdown: 'moved' })
    return undefined
  }

  #sendAfter(delayMs: number, deadline: Deadline): void {
    this.self.sendAfter(delayMs, this.pid, deadline)
  }

  #onRefreshed({ connection, identity }: SocketRefreshed): Awaitable<InfoResult> {
    if (connection !== this.#connection) return undefined
    const former = this.#identity.principal
    this.#identity = identity
    return this.#settle(this.#session.handleRefresh(former))
  }

  // Messages.

  #onMessages({ connection, messages }: SocketMessages): Awaitable<InfoResult> {
    if (connection !== this.#connection) return undefined
    return this.#handleFrom(connection, messages, 0)
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
    if (message.except?.equals(this.pid) === true) return undefined
    if (this.#seen?.isAgain(`${message.from}#${message.id}`, this.self.monotonicMs()) === true) return undefined
    this.#shared = this.#hub.outgoingOf(message)
    return this.#settle(this.#session.handleInfo(message.message))
  }

  #settle(handled: unknown): Awaitable<InfoResult> {
    this.#shared = undefined
    return handled instanceof Promise ? handled.then(nothing) : undefined
  }

  #push(outgoing: Outgoing, options: PushOptions | undefined): PushStatus {
    const { counters } = this.#hub.components
    const frame = outgoing.frame(this.#codec)
    if (frame === undefined) {
      counters.countDrop('unencodable')
      this.log.warn(
        { session: this.pid.toString() },
        'a message that has no form in the subprotocol was not sent to the client',
      )
      return 'dropped'
    }
    const connection = this.#connection
    const room = connection?.roomFor(frame.length) ?? 'none'
    if (room !== 'enough' && options !== undefined) {
      if ('coalesce' in options) return this.#coalesce(options.coalesce, outgoing.message)
      counters.countDrop('droppable')
      return 'dropped'
    }
    if (this.#coalesced !== undefined && options !== undefined && 'coalesce' in options)
      this.#coalesced.delete(options.coalesce)
    this.#state?.ring.add(frame)
    if (connection === undefined || room === 'none') {
      if (this.#state !== undefined) return 'kept'
      counters.countDrop('no_socket')
      return 'dropped'
    }
    if (room === 'full') {
      connection.close(CLOSE.slowConsumer)
      return this.#state === undefined ? 'dropped' : 'kept'
    }
    connection.writeMessage(frame)
    return 'sent'
  }

  #coalesce(key: string, message: unknown): PushStatus {
    if (this.#state === undefined && this.#connection === undefined) return 'dropped'
    this.#coalesced ??= new Map()
    const waiting = this.#coalesced
    if (waiting.delete(key) || waiting.size >= MAX_COALESCED) this.#hub.components.counters.countDrop('coalesced')
    if (waiting.size >= MAX_COALESCED) {
      const [oldest] = waiting.keys()
      if (oldest !== undefined) waiting.delete(oldest)
    }
    waiting.set(key, message)
    return 'held'
  }

  #onExit(reason: ExitReason): InfoResult {
    if (reason === 'normal') return undefined
    const conflict = conflictOf(reason)
    if (conflict === undefined) return this.stop(reason)
    // Its own name, at its new place.
    if (this.#movedTo !== undefined) return undefined
    const isReplaced = this.#names?.policyOf(conflict.name) === 'replace' || this.#connection === undefined
    return this.stop({ ...closeReason(isReplaced ? CLOSE.replaced : CLOSE.nameConflict), name_conflict: conflict })
  }

  #ownNames(): SessionNames {
    const { names, groups } = this.#hub.components
    this.#names ??= new SessionNames(this.self, names, groups)
    return this.#names
  }

  // To another node.

  async #onClaim(state: SessionState, request: ClaimCall): Promise<CallResult> {
    if (this.#movedTo !== undefined) return this.reply(request, { type: 'moved', to: this.#movedTo })
    const isWellFormed = request.nonce instanceof Uint8Array && request.codec === this.#codec.name
    const verdict = isWellFormed ? state.claim(request.nonce, request.seq) : REFUSED
    if (verdict.type === 'failed' && verdict.why === 'gap')
      return this.stopAfterReply(request, verdict, closeReason(CLOSE.replaced))
    if (verdict.type !== 'granted') return this.reply(request, verdict)
    const snapshot: SessionSnapshot = {
      missed: verdict.missed,
      received: state.received,
      names: this.#names?.all ?? [],
      ...(this.#rooms?.snapshot ?? { rooms: [], watched: [] }),
      state: await this.#session.handOver(),
    }
    try {
      encodedBytes(snapshot)
    } catch (thrown) {
      this.log.error(
        { problem: String(thrown) },
        'a session can not go to another node: what its handOver gives is not sendable',
      )
      return this.reply(request, { type: 'failed', why: 'gone', seq: state.ring.last })
    }
    if (this.#connection === undefined) this.#hub.detached--
    this.#connection?.close(CLOSE.resumedElsewhere)
    this.#connection = undefined
    const claim = state.freeze()
    this.#sendAfter(MOVE_MS, new Deadline('move', claim))
    return this.reply(request, { type: 'claimed', claim, snapshot })
  }

  async #onCommit(state: SessionState, request: CommitCall): Promise<CallResult> {
    if (!state.commit(request.claim)) return this.reply(request, 'fenced')
    if (request.release) await this.#names?.release()
    this.#movedTo = request.to
    this.#hub.components.counters.countResume('moved')
    for (const message of this.#held.splice(0)) this.self.send(request.to, message)
    this.#sendAfter(FORWARD_MS, new Deadline('forward', 0))
    return this.reply(request, 'committed')
  }

  /** The node that wanted the session has not taken it: what has come meanwhile is handled as ever, in order, before anything else. */
  async #thawed(): Promise<InfoResult> {
    const { resume } = this.#hub.components
    this.#hub.detached++
    this.#sendAfter(resume?.graceMs ?? 0, new Deadline('grace', ++this.#detachments))
    for (const message of this.#held.splice(0)) {
      const result = await this.handleInfo(message)
      if (result !== undefined) return result
    }
    return undefined
  }

  #hold(message: unknown): Awaitable<InfoResult> {
    this.#held.push(message)
    if (this.#held.length > MAX_HELD && this.#state?.thaw(this.#state.claims) === true) return this.#thawed()
    return undefined
  }

  /** The session was on another node, and is here from the commit on. */
  async #moveHere(former: Former, connection: Connection): Promise<InitResult> {
    const { resume, names } = this.#hub.components
    if (resume === undefined) return this.#failed('refused', former.seq)
    const claimed = await this.#claim(former)
    if (claimed.type === 'failed') return this.#failed(claimed.why, claimed.seq)
    if (claimed.type !== 'claimed') return this.#failed('busy', former.seq)
    const { from, claim, snapshot } = claimed
    const release = names.takeover === undefined
    const commit: CommitCall = { type: 'commit', claim, to: this.pid, release }
    const answer = await this.#ask(from, commit)
    if (answer !== 'committed') return this.#failed('gone', former.seq)
    const missed = snapshot.missed.map((frame) => Buffer.from(frame))
    const { seq, nonce } = former
    this.#state = new SessionState(resume, { seq, missed, received: snapshot.received, nonce: Buffer.from(nonce) })
    this.#seen = new SeenOnce(this.self.monotonicMs() + 2 * FORWARD_MS)
    await this.#session.handleTakeover(snapshot.state)
    if (snapshot.names.length > 0) await this.#ownNames().adopt(snapshot.names)
    if (snapshot.rooms.length > 0 || snapshot.watched.length > 0) await this.rooms.adopt(snapshot)
    this.#hub.sessions.set(this.pid.id, this)
    await this.#resumeOn(connection, seq, missed)
    return undefined
  }

  async #claim(former: Former): Promise<(Claimed & { readonly from: Pid }) | ClaimFailure> {
    const { nonce, seq } = former
    const request: ClaimCall = { type: 'claim', nonce, seq, codec: this.#codec.name }
    const [first, second] = [former.pid, await this.#ask(former.pid, request)]
    if (second?.type === 'claimed') return { ...second, from: first }
    if (second?.type !== 'moved') return second ?? { type: 'failed', why: 'gone', seq }
    const third = await this.#ask(second.to, request)
    return third?.type === 'claimed' ? { ...third, from: second.to } : (third ?? { type: 'failed', why: 'gone', seq })
  }

  /** `undefined` if it is no more, or can't be reached. */
  async #ask<Request extends SessionCall>(pid: Pid, request: Request) {
    try {
      return await call<SessionCall, Request>(this.self, pid, request, MOVE_MS)
    } catch (thrown) {
      if (!this.self.isAlive) throw thrown
      this.log.debug({ session: pid.toString(), problem: String(thrown) }, 'a session is not to be had')
      return undefined
    }
  }

  #failed(why: ResumeFailure | 'busy', seq: number): InitResult {
    const reason: ResumeFailed = { resume_failed: { why, seq }, shutdown: 'resume_failed' }
    return this.stop(reason)
  }
}

/** What callbacks return is not looked at. */
function nothing(): undefined {
  return undefined
}

const REFUSED: ClaimFailure & { readonly type: 'failed' } = { type: 'failed', why: 'refused', seq: 0 }

/** What a table of names says to a process that has lost its name. */
function conflictOf(reason: ExitReason): { readonly name: string; readonly [key: string]: unknown } | undefined {
  if (typeof reason !== 'object' || reason === null || !('name_conflict' in reason)) return undefined
  const conflict = reason['name_conflict']
  if (typeof conflict !== 'object' || conflict === null || !('name' in conflict)) return undefined
  return typeof conflict.name === 'string' ? { ...conflict, name: conflict.name } : undefined
}
