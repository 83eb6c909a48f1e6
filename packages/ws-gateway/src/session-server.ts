/**
 * The process of a session: what comes to it, which callback of the session that is, and when it ends.
 *
 *   start ─▶ welcome ─▶ handleConnect                                   a new session
 *   start ─▶ moveFrom its former process ─▶ resumed, missed ─▶ handleTakeover, handleResume   from another node
 *   attach ─▶ resumed, missed ─▶ handleResume                           its client is back on this node
 *   claim, commit ─▶ it forwards, and ends                              its client is on another node
 *
 * It traps exits so that `terminate` runs however the session ends, and does with exit signals what a process that doesn't trap would do.
 *
 * Not here: the client and its socket (session-client.ts), what a session has of its process (session-seat.ts), how it goes to another node (session-departure.ts) and comes from one (session-move.ts).
 */
import {
  GenServer,
  type CallResult,
  type CastResult,
  type From,
  type InfoResult,
  type InitResult,
  type ReplyTo,
} from '@pidmesh/gen-server'
import { ExitError, hasType, Pid, reasonOfThrown, type Awaitable, type ExitReason } from '@pidmesh/runtime'
import { causeOfExit, conflictOf } from './close-cause.ts'
import { CLOSE, closeReason, isCloseReason } from './close-codes.ts'
import type { Connection } from './connection.ts'
import { PresenceChange } from './presence-server.ts'
import type { Identity } from './principal.ts'
import { isRevokeMessage } from './revoke-message.ts'
import { isRoomMessage, type RoomMessage } from './room-message.ts'
import { isWanted, SessionClient } from './session-client.ts'
import { Departure, packed, refusedBy } from './session-departure.ts'
import { tellGateways } from './gateways.ts'
import type { SessionHub } from './session-hub.ts'
import { moveFrom, resumeFailed, type Former } from './session-move.ts'
import { canBeAsked, canTakeOver } from './session-names.ts'
import {
  Deadline,
  SocketClosed,
  SocketMessages,
  SocketRefreshed,
  type AttachCall,
  type ClaimCall,
  type ClaimFailure,
  type SessionCall,
  type SessionCast,
  type SessionSnapshot,
} from './session-protocol.ts'
import { Seat } from './session-seat.ts'
import { SessionState } from './session-state.ts'
import type { AnySession } from './session.ts'

export interface SessionStart {
  readonly hub: SessionHub
  readonly identity: Identity<unknown>
  readonly connection: Connection
  readonly former: Former | undefined
  /** When it is too late to begin. */
  readonly untilMs: number
}

export class SessionServer extends GenServer<SessionCall, SessionCast> {
  #session!: AnySession
  #seat!: Seat
  #client!: SessionClient
  /** There from a claim on, until the move is called off. */
  #departure: Departure | undefined = undefined

  override init(start: SessionStart): Awaitable<InitResult> {
    const { hub, connection, former } = start
    this.#session = new hub.components.session()
    if (former !== undefined) return this.#moveHere(start, former)
    const { resume } = hub.components
    const canResume = resume !== undefined && connection.codec.name !== 'bare'
    this.#sit(start, canResume ? new SessionState(resume) : undefined)
    this.#client.attach(connection)
    this.#client.tellWelcome(connection)
    return this.#orEnd(() => this.#session.handleConnect())
  }

  /** Whatever else is asked of a session it doesn't answer, and it must not end of it: the caller's timeout tells. */
  override handleCall(request: SessionCall, from: From): Awaitable<CallResult> {
    const { state } = this.#client
    if (request?.type === 'yield') {
      // Where a session goes its client is.
      if (this.#client.isInUse || this.#departure !== undefined) return this.reply(request, 'attached')
      return this.#endAfter(request, from, 'yielded')
    }
    if (state === undefined) return this.noreply()
    switch (request?.type) {
      case 'attach':
        return this.#onAttach(state, request, from)
      case 'claim':
        return this.#onClaim(state, request, from)
      case 'commit': {
        if (this.#departure === undefined) return this.reply(request, { type: 'fenced' })
        return this.#departure.commit(request).then((answer) => this.reply(request, answer))
      }
      default:
        return this.noreply()
    }
  }

  /** Whatever else is told to a session it passes over. */
  override handleCast(told: SessionCast): Awaitable<CastResult> {
    return told?.type === 'left' && this.#departure?.to !== undefined ? this.#seat.leaveRoom(told.room) : undefined
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
    if (isOfRoom && this.#seat.isNotFor(message)) return undefined
    if (this.#departure !== undefined) return this.#departure.take(message) ? undefined : this.#callOff(this.#departure)
    if (message instanceof SocketRefreshed) return this.#onRefreshed(message)
    if (message instanceof PresenceChange) {
      const { outbox } = this.#client
      return settled(outbox.sharing(message.outgoing, () => this.#session.handlePresence(message.message)))
    }
    if (isOfRoom) return this.#onRoomMessage(message)
    if (isRevokeMessage(message)) return this.stop(closeReason(message.cause))
    return settled(this.#session.handleInfo(message))
  }

  override async terminate(reason: ExitReason): Promise<void> {
    if (this.#departure?.to !== undefined) return
    const done = this.#session.terminate(reason)
    if (!(done instanceof Promise)) return
    this.#client.isEnding(causeOfExit(reason))
    await done
  }

  /** Nothing of a client's is shown. */
  override getState(): unknown {
    const { isConnected, state } = this.#client
    return { isConnected, phase: state?.phase, pending: state?.ring.size ?? 0 }
  }

  // It begins.

  #sit({ hub, identity, connection: { codec } }: SessionStart, state: SessionState | undefined): void {
    this.#client = new SessionClient({ hub, self: this.self, identity, codec, state })
    this.#seat = new Seat(hub, this.self, this.#client)
    hub.beginning.set(this.pid.id, this.#seat)
    this.#session.$enter(this.#seat)
  }

  /** What a new process does first. It is a session of its gateway from then on; and ends as one, if that fails. */
  #orEnd(first: () => Awaitable<unknown>): Awaitable<InitResult> {
    const { hub } = this.#seat
    const begun = (): undefined => {
      hub.beginning.delete(this.pid.id)
      // It may have been killed meanwhile, since it took too long.
      if (this.self.isAlive) hub.sessions.set(this.pid.id, this.#seat)
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

  /** The session was in another process, and is here from the commit on. */
  async #moveHere(start: SessionStart, former: Former): Promise<InitResult> {
    const { hub, connection, untilMs } = start
    const { resume, names } = hub.components
    const { seq } = former
    if (resume === undefined) return this.stop(resumeFailed('refused', seq))
    const moved = await moveFrom(this.self, former, {
      codec: connection.codec.name,
      release: !canTakeOver(names),
      canHave: (wanted) => canBeAsked(names, wanted),
      isWanted: () => isWanted(connection),
      untilMs,
    })
    if (moved.type === 'busy') return this.stop(resumeFailed('busy', seq))
    if (moved.type === 'failed') return this.stop(resumeFailed(moved.why, moved.seq))
    const { from, snapshot, missed } = moved
    const { received, isConfirmed } = snapshot
    const nonces = snapshot.nonces.map((nonce) => Buffer.from(nonce))
    this.#sit(start, new SessionState(resume, { seq, missed, received, isConfirmed, nonces }))
    this.#client.hasMovedFrom(snapshot.nonces)
    this.#seat.hasSeen(snapshot.seen)
    // Before any callback: what that pushes comes after what was missed.
    this.#client.resume(connection, former, missed)
    return this.#orEnd(() => this.#goOnHere(from, snapshot, untilMs))
  }

  async #goOnHere(former: Pid, snapshot: SessionSnapshot, untilMs: number): Promise<void> {
    const seat = this.#seat
    // These first: its former process forwards for a while only, however long `handleTakeover` takes.
    const lost = snapshot.names.length > 0 ? await seat.ownNames.adopt(snapshot.names, former, untilMs) : undefined
    if (lost !== undefined) {
      const cause = lost.policy === 'replace' ? CLOSE.replaced : CLOSE.nameConflict
      throw new ExitError(closeReason(cause), 'ERR_EXIT', `the name ${lost.name} was taken on the way`)
    }
    if (snapshot.mark !== undefined) await seat.rooms.adopt(snapshot, former)
    await this.#session.handleTakeover(snapshot.state)
    await this.#session.handleResume()
  }

  // Its client comes back, here or elsewhere.

  #onAttach(state: SessionState, request: AttachCall, from: From): Awaitable<CallResult> {
    const { connection, identity, nonce, seq } = request
    if (this.#departure?.to !== undefined) return this.reply(request, { type: 'moved', to: this.#departure.to })
    // It was given up while this session was busy: nobody would say again that it is closed.
    if (!isWanted(connection) || this.#client.isPast(nonce)) return this.reply(request, { type: 'busy' })
    const verdict = connection.codec === this.#client.outbox.codec ? state.claim(nonce, seq) : refusedBy(state)
    if (verdict.type !== 'granted') return this.#refuse(request, from, verdict)
    this.#client.leave()
    this.#client.identity = identity
    this.replyTo(this.defer(request, from), { type: 'attached' })
    this.#client.resume(connection, { nonce, seq }, verdict.missed)
    // Closed for good before this session had it; and who has asked may have given up, and says it to nobody.
    if (connection.closeCode !== undefined) {
      this.#client.tell(new SocketClosed(connection, connection.closeCode, ''))
      this.#client.socketIsClosed(connection)
    }
    const resumed = this.#session.handleResume()
    return resumed instanceof Promise ? resumed.then(() => this.noreply()) : this.noreply()
  }

  async #onClaim(state: SessionState, request: ClaimCall, from: From): Promise<CallResult> {
    if (this.#departure?.to !== undefined) return this.reply(request, { type: 'moved', to: this.#departure.to })
    const [seat, session] = [this.#seat, this.#session]
    const answer = await packed({ seat, session, state }, request)
    if (answer.type !== 'packed') return this.#refuse(request, from, answer)
    this.#client.leave()
    this.#departure = new Departure(seat, state, from.pid)
    return this.reply(request, { type: 'claimed', claim: this.#departure.number, snapshot: answer.snapshot })
  }

  /** Whose client begins anew is of no use any more, and the client must not be refused for it. */
  #refuse(request: AttachCall | ClaimCall, from: From, failure: ClaimFailure): CallResult {
    if (failure.type !== 'failed' || failure.why === 'refused') return this.reply(request, failure)
    return this.#endAfter(request, from, failure)
  }

  /** Replies at once, and not when `terminate` has run: that may take long, and a client waits. */
  #endAfter<Request extends SessionCall>(request: Request, from: From, reply: ReplyTo<Request>): CallResult {
    this.replyTo(this.defer(request, from), reply)
    return this.stop(closeReason(CLOSE.replaced))
  }

  /** Before the commit the session goes on here. After it there is nobody to forward to, and nobody must take this process for the session. */
  #onClaimerGone(departure: Departure): Awaitable<InfoResult> {
    return departure.to === undefined ? this.#callOff(departure) : this.stop({ shutdown: 'moved' })
  }

  /** The node that wanted the session has not taken it, or too much has come meanwhile: it is handled as ever, in order, before anything else. */
  async #callOff(departure: Departure): Promise<InfoResult> {
    const held = departure.callOff()
    if (held === undefined) return undefined
    const refused = this.#awaitClient()
    if (refused !== undefined) return refused
    this.#departure = undefined
    for (const message of held) {
      const result = await this.handleInfo(message)
      if (result !== undefined) return result
    }
    return undefined
  }

  // Its socket is closed, its time over, its end wanted.

  #onClosed({ connection, code, reason }: SocketClosed): Awaitable<InfoResult> {
    if (connection !== this.#client.connection) return undefined
    const { outbox } = this.#client
    outbox.connection = undefined
    // What is pushed to who doesn't come back is for nobody, and not kept.
    if (!this.#client.mayReturn(code)) outbox.isClosed = true
    const handled = this.#session.handleDisconnect(code, reason)
    return handled instanceof Promise ? handled.then(() => this.#afterClosed(code)) : this.#afterClosed(code)
  }

  #afterClosed(code: number): InfoResult {
    // Killed, since `handleDisconnect` took too long: it waits for nobody.
    if (!this.self.isAlive) return undefined
    return this.#client.mayReturn(code) ? this.#awaitClient() : this.stop({ shutdown: 'socket_closed' })
  }

  #awaitClient(): InfoResult {
    return this.#client.awaitReturn() ? undefined : this.stop({ shutdown: 'too_many_detached' })
  }

  #onDeadline({ of, number }: Deadline): Awaitable<InfoResult> {
    switch (of) {
      case 'grace':
        return this.#client.isOverdue(number) ? this.stop({ shutdown: 'client_did_not_return' }) : undefined
      case 'move':
        return this.#departure?.number === number ? this.#callOff(this.#departure) : undefined
      case 'forward':
        return this.stop({ shutdown: 'moved' })
    }
  }

  #onExit(reason: ExitReason): InfoResult {
    if (reason === 'normal') return undefined
    const conflict = conflictOf(reason)
    const to = this.#departure?.to
    if (conflict === undefined) {
      // Who wants the client's socket closed has found the session at its former place.
      if (to !== undefined && isCloseReason(reason)) {
        this.self.exit(to, reason)
        tellGateways(this.self, to, reason.close)
      }
      return this.stop(reason)
    }
    // Its own name, at its new place.
    if (to !== undefined) return undefined
    const isReplaced = this.#seat.policyOf(conflict.name) === 'replace' || this.#client.connection === undefined
    return this.stop({ ...closeReason(isReplaced ? CLOSE.replaced : CLOSE.nameConflict), name_conflict: conflict })
  }

  // What its client sends and shows, and what is broadcast.

  #onMessages({ connection, messages }: SocketMessages): Awaitable<InfoResult> {
    // Those of a socket that the client has left it sends again over the one that it has now.
    return connection === this.#client.connection ? this.#handleFrom(connection, messages, 0) : undefined
  }

  #handleFrom(connection: Connection, messages: readonly unknown[], start: number): Awaitable<void> {
    for (let index = start; index < messages.length; index++) {
      this.#client.countReceived(connection)
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

  #onRefreshed({ connection, identity }: SocketRefreshed): Awaitable<InfoResult> {
    if (connection !== this.#client.connection) return undefined
    const former = this.#seat.principal
    this.#client.identity = identity
    return settled(this.#session.handleRefresh(former))
  }

  #onRoomMessage(message: RoomMessage): Awaitable<InfoResult> {
    if (this.#seat.isAgain(message)) return undefined
    const { outbox } = this.#client
    const outgoing = this.#seat.hub.outgoingOf(message)
    return settled(outbox.sharing(outgoing, () => this.#session.handleInfo(message.message)))
  }
}

/** What a session's callback has come to: what it returns is not looked at. */
function settled(handled: unknown): Awaitable<InfoResult> {
  return handled instanceof Promise ? handled.then(() => undefined) : undefined
}
