/**
 * Gives a socket its session: a new one, or the one that its client goes on with, on whatever node that is.
 *
 *   no resume ────────────────────────────────────────────▶ start
 *   resume ─▶ token genuine, of this principal? ─ no ─▶ resume_failed, start
 *               │ its process is of this gateway ─▶ attach ─▶ begin
 *               │ of another, here or elsewhere ─▶ start, which claims it there (session-move.ts)
 *               └ failed: gap, gone, refused   ─▶ resume_failed, start;   busy ─▶ closed: come back in a moment
 */
import { call, CallError, multiCall, startLink, StartError } from '@pidmesh/gen-server'
import type { Context, Node, Pid } from '@pidmesh/runtime'
import { causeOfExit } from './close-cause.ts'
import { CLOSE } from './close-codes.ts'
import type { Hello } from './client-control.ts'
import type { Connection } from './connection.ts'
import type { WhereIs } from './gateway-server.ts'
import { gatewayName, type Gateways } from './gateways.ts'
import type { Identity } from './principal.ts'
import { openToken, sessionOf, type ResumeTicket } from './resume-token.ts'
import type { SessionHub } from './session-hub.ts'
import type { AttachCall, ClaimFailure, SessionCall } from './session-protocol.ts'
import { isResumeFailed, type Former } from './session-move.ts'
import { SessionServer, type SessionStart } from './session-server.ts'
import type { ResumeFailure } from './session-state.ts'

/** For a session of this node to take its client back. */
const ATTACH_MS = 5_000
/** For gateways to say whether a session is with them. */
const LOOK_MS = 1_000

export interface StarterComponents {
  readonly owner: Node
  readonly hub: SessionHub
  readonly gateways: Gateways
  /** The gateway's process: all sessions are linked with it. */
  readonly self: Context
  readonly connectTimeoutMs: number
  /** A start has succeeded, or failed. */
  readonly onStartEnded: () => void
}

export class SessionStarter {
  private readonly components: StarterComponents
  /** Of all sessions: whose code they run. */
  private readonly label: string

  constructor(components: StarterComponents) {
    this.components = components
    this.label = `session ${components.hub.components.session.name}`.trim()
  }

  /** Never rejects: whatever comes of it is told to the client. */
  async begin(connection: Connection, identity: Identity<unknown>, resume: Hello['resume']): Promise<void> {
    if (resume === undefined) return this.start(connection, identity, undefined)
    const { hub } = this.components
    const { seq } = resume
    const ticket = openToken(hub.components.keys, resume.token, identity.id)
    if (ticket === undefined || hub.components.resume === undefined)
      return this.startAnew(connection, identity, { why: 'refused', seq })
    const { nonce } = ticket
    const pid = this.processOf(ticket)
    if (pid === undefined) return this.lookElsewhere(connection, identity, { nonce, seq })
    return this.goOn(connection, identity, { pid, nonce, seq })
  }

  private async goOn(connection: Connection, identity: Identity<unknown>, former: Former): Promise<void> {
    const { owner, hub, gateways } = this.components
    const isElsewhere = former.pid.node !== owner.name || gateways.ofOther(hub, former.pid) !== undefined
    if (isElsewhere) return this.start(connection, identity, former)
    const answer = await this.attach(connection, identity, former)
    switch (answer.type) {
      case 'attached':
        return this.hand(connection, former.pid)
      case 'moved':
        return this.start(connection, identity, { ...former, pid: answer.to })
      case 'busy':
        return this.comeLater(connection)
      case 'failed':
        return this.onFailed(connection, identity, { former, ...answer })
    }
  }

  private onFailed(
    connection: Connection,
    identity: Identity<unknown>,
    { former, why, seq }: { readonly former: Former | undefined; readonly why: ResumeFailure; readonly seq: number },
  ): Promise<void> {
    if (why !== 'gone' || former === undefined || former.isFound === true)
      return this.startAnew(connection, identity, { why, seq })
    return this.lookElsewhere(connection, identity, { nonce: former.nonce, seq })
  }

  /** The process that the token names is no more. The session may have moved on, and what told that to its client may have been lost. */
  private async lookElsewhere(
    connection: Connection,
    identity: Identity<unknown>,
    { nonce, seq }: { readonly nonce: Uint8Array; readonly seq: number },
  ): Promise<void> {
    const { owner, hub, gateways, self } = this.components
    const request: WhereIs = { type: 'where_is', nonce }
    const here = gateways.find(hub, nonce)
    const others = here === undefined ? owner.nodes('all') : []
    const name = gatewayName(hub.components.session)
    const { replies } = await multiCall<WhereIs, WhereIs>(self, { name, nodes: others }, request, LOOK_MS).catch(
      () => ({
        // The gateway ends.
        replies: [],
      }),
    )
    const pid = here ?? replies.map(({ reply }) => reply).find((found) => found !== undefined)
    if (pid === undefined) return this.startAnew(connection, identity, { why: 'gone', seq })
    return this.goOn(connection, identity, { pid, nonce, seq, isFound: true })
  }

  private async attach(
    connection: Connection,
    identity: Identity<unknown>,
    { pid, nonce, seq }: Former,
  ): Promise<{ readonly type: 'attached' } | ClaimFailure> {
    const request: AttachCall = { type: 'attach', connection, identity, nonce, seq }
    try {
      return await call<SessionCall, AttachCall>(this.components.self, pid, request, ATTACH_MS)
    } catch (error) {
      // It is at something that takes long: it may take the client back later, and must find it gone then.
      if (error instanceof CallError && error.code === 'ERR_CALL_TIMEOUT') return { type: 'busy' }
      return { type: 'failed', why: 'gone', seq }
    }
  }

  private async startAnew(
    connection: Connection,
    identity: Identity<unknown>,
    { why, seq }: { readonly why: ResumeFailure; readonly seq: number },
  ): Promise<void> {
    this.components.hub.components.counters.countResume(why)
    connection.writeControl({ type: 'resume_failed', why, seq })
    return this.start(connection, identity, undefined)
  }

  private async start(connection: Connection, identity: Identity<unknown>, former: Former | undefined): Promise<void> {
    const { self, hub, connectTimeoutMs, onStartEnded } = this.components
    // A client that has gone meanwhile needs no session, and its former one waits on.
    if (!connection.isOpen) return
    const untilMs = self.monotonicMs() + connectTimeoutMs
    const start: SessionStart = { hub, identity, connection, former, untilMs }
    const options = { trapExit: true, label: this.label, timeoutMs: connectTimeoutMs }
    hub.starting++
    try {
      const pid = await startLink(self, SessionServer, [start], options)
      // A session has no `ignore`.
      if (pid !== undefined) this.hand(connection, pid)
    } catch (error) {
      connection.session?.startHasFailed()
      const reason = error instanceof StartError ? error.reason : 'internal'
      if (!isResumeFailed(reason)) return connection.close(causeOfExit(reason))
      const { why, seq } = reason.resume_failed
      if (why === 'busy') return this.comeLater(connection)
      return await this.onFailed(connection, identity, { former, why, seq })
    } finally {
      hub.starting--
      onStartEnded()
    }
  }

  /** The session is not to be had just now. */
  private comeLater(connection: Connection): void {
    this.components.hub.components.counters.countResume('busy')
    connection.close(CLOSE.tryLater)
  }

  private hand(connection: Connection, pid: Pid): void {
    const session = this.components.hub.sessions.get(pid.id)
    // It has ended already, and the gateway will hear of it.
    if (session === undefined) connection.close(CLOSE.internal)
    else connection.begin(session.client)
  }

  private processOf(ticket: ResumeTicket): Pid | undefined {
    const { owner } = this.components
    return sessionOf(ticket, owner.self.pid.origin, owner.nodes('all'))
  }
}
