/**
 * Gateway: WebSocket clients as processes.
 *
 *   upgrade ─▶ path, origin, limits, authenticate ─▶ socket ─▶ Connection ⇄ session process, registered under its name
 *
 * Here its parts are put together, started, drained and stopped, and what its users call stands here. It knows nothing of how names are kept: any `Via` will do, and any `Groups`.
 *
 * Not here: the process that it is, with its sessions linked (gateway-process.ts), the server that it listens with (listener.ts), who may have a socket (door.ts), what a socket does
 * (connection.ts), how a session begins (session-starter.ts) and what it is (session-server.ts).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  PidmeshError,
  RateLimitedLog,
  type Awaitable,
  type Logger,
  type Node,
  type Pid,
  type SendStatus,
} from '@pidmesh/runtime'
import { authenticate, seldomLog } from './authentication.ts'
import { CLOSE, closeReason, isCloseCause, type CloseCause } from './close-codes.ts'
import type { Hello } from './client-control.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import { Counters, type GatewayStats, type SocketDistributions } from './counters.ts'
import { Door, type Admitted } from './door.ts'
import { GatewayError, wanted } from './errors.ts'
import { GatewayProcess } from './gateway-process.ts'
import { Gateways, tellGateways } from './gateways.ts'
import { answerHttp } from './http.ts'
import { Listener } from './listener.ts'
import type { NameFor } from './name-for.ts'
import {
  checkDrain,
  checkGatewayOptions,
  type CheckedGatewayOptions,
  type GatewayOptions,
  type MetricsSource,
  type UpgradeRequest,
} from './options.ts'
import type { Identity } from './principal.ts'
import { Reception } from './reception.ts'
import { keyPurpose } from './resume-token.ts'
import { revokeMessage } from './revoke-message.ts'
import { groupOfRoom } from './room-message.ts'
import { SessionHub } from './session-hub.ts'
import { SocketRefreshed } from './session-protocol.ts'
import type { AnySession } from './session.ts'
import type { BroadcastOptions } from './session-rooms.ts'
import { SessionStarter } from './session-starter.ts'
import { Sockets } from './sockets.ts'
import { TurnEnd } from './turn-end.ts'

/** How long `stop` waits for clients to answer the close, before their sockets are cut off. */
const STOP_GRACE_MS = 2_500

export interface DrainOptions {
  /** Over so long the sockets are closed, evenly. @default 30000 */
  readonly overMs?: number | undefined
  /** So long it is then waited for clients that are to go on elsewhere. @default 10000 */
  readonly handOverMs?: number | undefined
}

/** What is asked of the options later. Of the class of sessions its name. */
type KeptOptions<ClientMessage, Principal> = Omit<CheckedGatewayOptions<ClientMessage, never, Principal>, 'session'> & {
  readonly session: { readonly name: string }
}

/** `Info`: what is sent to its sessions, see `SocketSession`. */
export class Gateway<ClientMessage, ServerMessage, Principal, Info = ServerMessage> {
  /** For the compiler only: a gateway may stand for one whose sessions are sent less, and not for one whose sessions are sent more. Of methods alone TypeScript would take both. */
  declare readonly $takes?: (info: Info) => void
  private readonly owner: Node
  private readonly options: KeptOptions<ClientMessage, Principal>
  private readonly counters = new Counters()
  private readonly hub: SessionHub
  private readonly sockets: Sockets
  private readonly door: Door
  private readonly host: ConnectionHost
  private metrics: MetricsSource | undefined = undefined
  private readonly faults: Pick<Logger, 'error'>
  /** By themselves: who asks for metrics that fail must not hide what else is wrong. */
  private readonly scrapeFaults: Pick<Logger, 'error'>
  private readonly process: GatewayProcess
  private readonly listener: Listener
  private starter: SessionStarter | undefined = undefined
  private draining: Promise<void> | undefined = undefined
  private stopping: Promise<void> | undefined = undefined

  private constructor(owner: Node, options: CheckedGatewayOptions<ClientMessage, ServerMessage, Principal, Info>) {
    this.owner = owner
    this.options = options
    const { clock, log, random } = owner
    const { counters } = this
    const { session, names, groups, resume } = options
    this.hub = new SessionHub({
      // What is given to it is what the gateway's types say.
      session: session as new () => AnySession,
      names,
      groups,
      resume,
      keys: owner.deriveKeys(keyPurpose(session)),
      random,
      counters,
      clock,
      log,
      sessionEndTimeoutMs: options.sessionEndTimeoutMs,
      kill: (session) => this.process.kill(session),
    })
    this.sockets = new Sockets({ clock, log, random, ...options })
    // What is a fault of the author's comes with each client, and clients come again.
    const faults = new RateLimitedLog(log, clock)
    this.faults = faults
    this.scrapeFaults = new RateLimitedLog(log, clock)
    const authentication = {
      ...options,
      timeoutMs: options.authenticateTimeoutMs,
      clock,
      log: faults,
      seldom: seldomLog(log, clock),
    }
    const whoIs = (request: UpgradeRequest) => authenticate(request, authentication)
    this.door = new Door({
      options,
      counters,
      whyClosed: () => (this.isReady ? undefined : 'the server is going down'),
      isOverloaded: () => this.sockets.load !== 'ok',
      authenticate: whoIs,
      enter: (admitted) => this.onAdmitted(admitted),
      log,
      faults,
      seldom: seldomLog(log, clock),
    })
    const reception = new Reception({
      authenticate: whoIs,
      onIdentified: (connection) => this.door.identified(connection),
      begin: (connection, identity, resume) => this.begin(connection, identity, resume),
      onRefreshed: (connection, identity) => connection.session?.tell(new SocketRefreshed(connection, identity)),
    })
    const turnEnd = new TurnEnd()
    this.host = {
      clock,
      log,
      faults,
      counters,
      ...options,
      schema: options.messages,
      helloTimeoutMs: options.authenticateTimeoutMs,
      flushLater: (writer) => turnEnd.add(writer),
      sharedBytes: (frame) => turnEnd.bytesOf(frame),
      onHello: (connection, hello) => void reception.onHello(connection, hello),
      onAuth: (connection, token) => reception.onAuth(connection, token),
      onClosed: (connection) => this.onClosed(connection),
    }
    this.process = new GatewayProcess({
      owner,
      hub: this.hub,
      isReady: () => this.isReady,
      onGone: () => this.onProcessGone(),
    })
    this.listener = new Listener(options.listen, {
      path: options.path,
      answer: (request, response) => this.handleRequest(request, response),
      onUpgrade: (request, socket, head, isShared) => this.door.onUpgrade(request, socket, head, isShared),
    })
  }

  /**
   * Starts a gateway on a node. Resolves when it accepts sockets.
   * @throws PidmeshError `ERR_BAD_OPTION`; `ERR_PORT_IN_USE`, `ERR_LISTEN` if it can't listen
   */
  static async start<ClientMessage, ServerMessage, Principal, Info = ServerMessage>(
    node: Node,
    options: GatewayOptions<ClientMessage, ServerMessage, Principal, Info>,
  ): Promise<Gateway<ClientMessage, ServerMessage, Principal, Info>> {
    const gateway = new Gateway(node, checkGatewayOptions(options))
    await gateway.run()
    return gateway
  }

  /** The port that is listened on; with a server of yours, when that listens. */
  get port(): number {
    return this.listener.port
  }

  /** Whether it takes sockets: not before it has started, and not while it drains or stops. What a load balancer asks for (`/readyz`). */
  get isReady(): boolean {
    return this.process.isAlive && this.draining === undefined && this.stopping === undefined
  }

  get stats(): GatewayStats {
    const { counters, hub, sockets } = this
    const { connections, unauthenticated, messagesIn, messagesOut, bytesIn, bytesOut } = counters
    let distributions: SocketDistributions | undefined
    // To look at all sockets takes its time: not for who wants a count.
    const ofSockets = (): SocketDistributions => (distributions ??= sockets.distributions())
    return {
      connections,
      unauthenticated,
      sessions: hub.counts,
      messagesIn,
      messagesOut,
      bytesIn,
      bytesOut,
      dropped: new Map(counters.dropped),
      resumes: new Map(counters.resumes),
      refused: new Map(counters.refused),
      closed: new Map(counters.closed),
      pushLatencySeconds: counters.pushLatencySeconds.stats,
      get bufferedBytes() {
        return ofSockets().bufferedBytes
      },
      get mailboxMessages() {
        return ofSockets().mailboxMessages
      },
      isReady: this.isReady,
    }
  }

  /**
   * Sends a message to whoever has a name, on whatever node: to all if several sessions have it (`multi`), but for one if that is said.
   * @returns `noproc` if nobody is known to have it; otherwise as `send`: it is on its way
   * @throws what the way of keeping names throws, if it fails; PidmeshError `ERR_NOT_SENDABLE` for what can't go to another node
   */
  push<Message = Info>(
    name: NameFor<Message>,
    message: NoInfer<Message>,
    { except }: BroadcastOptions = {},
  ): Awaitable<SendStatus | 'noproc'> {
    return this.hub.send(name, message, except)
  }

  /**
   * Sends a message to all sessions of a room, on whatever node: one message to each node, encoded once on each.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`; GatewayError `ERR_NOT_SUPPORTED` if it was started without `groups`
   */
  broadcast<Message = Info>(
    room: NameFor<Message>,
    message: NoInfer<Message>,
    { except }: BroadcastOptions = {},
  ): SendStatus {
    wanted(this.options.groups)
    return this.hub.broadcast(groupOfRoom(room), message, except)
  }

  /**
   * Ends all sessions that have a name, on whatever node, with a socket or without; their clients are closed with 4004, or another cause of yours.
   * @returns how many there were; `undefined` in a way of keeping names in which nobody knows it
   * @throws PidmeshError `ERR_BAD_ARGUMENT` by rejection for a cause that no socket can be closed with; what the way of keeping names throws; GatewayError `ERR_NOT_REVOKED` if the
   * name could not be reached
   */
  async revoke(name: string, cause: CloseCause = CLOSE.revoked): Promise<number | undefined> {
    if (!isCloseCause(cause)) throw new PidmeshError('ERR_BAD_ARGUMENT', 'not a cause to close a socket with')
    const { names } = this.options
    const { resolve, reachesPids } = names.capabilities
    const byName = resolve === 'none' || !reachesPids
    const holder = byName ? undefined : await names.resolveName(name)
    // In any way: a name that several have may be kept by the groups.
    const pids = [...(holder === undefined ? [] : [holder]), ...this.hub.membersOf(name)]
    for (const pid of pids) this.end(pid, cause)
    if (!byName) return pids.length
    const status = await names.send(name, revokeMessage(this.owner.self.pid, cause))
    if (status === 'noconnection')
      throw new GatewayError('ERR_NOT_REVOKED', 'nobody could be told that a name is revoked')
    return status === 'noproc' ? pids.length : undefined
  }

  /**
   * Answers `/healthz`, `/readyz` and, if there are metrics, `/metrics`; for a server of yours. On its own port the gateway does so by itself.
   * @returns whether it was one of these
   */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    return answerHttp(request, response, { isReady: this.isReady, metrics: this.metrics, log: this.scrapeFaults })
  }

  /**
   * Goes down in good order: takes no more sockets and isn't ready; closes those there are with 1012, evenly, each with a hint when to come back; waits for the sessions that are
   * taken over by other nodes; and stops.
   * @throws PidmeshError `ERR_BAD_OPTION`
   */
  drain({ overMs = 30_000, handOverMs = 10_000 }: DrainOptions = {}): Promise<void> {
    checkDrain({ overMs, handOverMs })
    this.draining ??= this.drainOnce(overMs, handOverMs)
    return this.draining
  }

  /** Takes no more sockets, closes those that are open with 1012, and ends their sessions. A server of yours is left listening. */
  stop(): Promise<void> {
    this.stopping ??= this.stopOnce()
    return this.stopping
  }

  private async run(): Promise<void> {
    const { owner, options, hub } = this
    const self = await this.process.start()
    const { connectTimeoutMs } = options
    this.starter = new SessionStarter({
      ...{ owner, hub, self, connectTimeoutMs },
      gateways: owner.self.perNode(Gateways),
      onStartEnded: () => this.process.lookWhetherEmpty(),
    })
    try {
      await this.listener.start()
      // Not before: those of a start that fails would be in the registry when it is tried again.
      if (this.stopping === undefined) this.metrics = options.metrics?.(this)
    } catch (error) {
      await this.stop()
      throw error
    }
    if (this.stopping !== undefined) {
      // Its node has stopped meanwhile, and what wasn't listening yet couldn't be closed.
      await this.listener.close(Promise.resolve())
      throw new PidmeshError('ERR_NODE_STOPPED', 'the node has stopped before the gateway listened')
    }
    if (this.listener.ownsServer) owner.log.info({ port: this.port, path: options.path }, 'gateway is listening')
    this.sockets.start()
  }

  private end(session: Pid, cause: CloseCause): void {
    const { owner } = this
    owner.exit(session, closeReason(cause))
    // One that is at something that never ends doesn't see it: its gateway has it end all the same.
    tellGateways(owner, session, cause)
  }

  private onAdmitted({ socket, stream, codec, request, identity }: Admitted): void {
    const connection = new Connection({ socket, stream, codec, request, identity, host: this.host })
    this.sockets.add(connection)
    if (!this.isReady) connection.close(CLOSE.restart)
    else if (codec.name === 'bare' && identity !== undefined) this.begin(connection, identity, undefined)
  }

  private begin(connection: Connection, identity: Identity<unknown>, resume: Hello['resume']): void {
    this.starter?.begin(connection, identity, resume).catch((error: unknown) => {
      this.faults.error({ problem: String(error) }, 'a session could not begin')
      connection.close(CLOSE.internal)
    })
  }

  private onClosed(connection: Connection): void {
    this.sockets.delete(connection)
    this.door.left(connection)
    if (!this.owner.isStopping) connection.session?.socketIsClosed(connection)
  }

  /** The gateway's process has ended, and all sessions with it. Sockets without sessions would be open and mute. */
  private onProcessGone(): void {
    this.sockets.closeAll(CLOSE.restart)
    if (this.stopping !== undefined) return
    if (this.owner.isStopping) this.owner.log.info({}, 'the gateway stops with its node')
    else this.owner.log.error({}, 'the gateway has lost its process and stops')
    void this.stop()
  }

  private async drainOnce(overMs: number, handOverMs: number): Promise<void> {
    const { log } = this.owner
    log.info({ sockets: this.sockets.size, overMs }, 'the gateway drains')
    await this.sockets.drain(overMs)
    if (this.stopping === undefined) await this.process.sessionsGone(handOverMs)
    log.info({ sessionsLeft: this.hub.sessions.size }, 'the gateway is drained')
    await this.stop()
  }

  private async stopOnce(): Promise<void> {
    this.listener.takeNoMore()
    this.sockets.stop()
    this.sockets.closeAll(CLOSE.restart)
    const sessionsEnded = this.process.end(STOP_GRACE_MS)
    await this.listener.close(Promise.all([this.sockets.allClosed(STOP_GRACE_MS), sessionsEnded]))
  }
}
