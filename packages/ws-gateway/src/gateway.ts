/**
 * Gateway: WebSocket clients as processes.
 *
 *   upgrade ─▶ path, origin, limits, authenticate ─▶ socket ─▶ Connection ⇄ session process, registered under its name
 *
 * The gateway is a process itself, linked with its sessions: when a session ends its socket is closed, with a code by its exit reason; when the
 * gateway ends so do all its sessions. It knows nothing of how names are kept: any `Via` will do, and any `Groups`.
 *
 * Not here: who may have a socket (door.ts), what a socket does (connection.ts), how a session begins (session-starter.ts) and what it is (session-server.ts).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { start, startLink, stop, type ServerPid } from '@pidmesh/gen-server'
import {
  formatReason,
  PidmeshError,
  type Awaitable,
  type Context,
  type ExitReason,
  type Node,
  type Pid,
  type SendStatus,
} from '@pidmesh/runtime'
import { authenticate } from './authentication.ts'
import { causeOfExit } from './close-cause.ts'
import { CLOSE, closeReason, isCloseCause, type CloseCause } from './close-codes.ts'
import type { Hello } from './client-control.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import { Counters, type GatewayStats } from './counters.ts'
import { Door, type Admitted } from './door.ts'
import { GatewayError, wanted } from './errors.ts'
import { GatewayServer, gatewayName, type WhereIs } from './gateway-server.ts'
import { answerHttp } from './http.ts'
import {
  checkDrain,
  checkGatewayOptions,
  type CheckedGatewayOptions,
  type GatewayOptions,
  type MetricsSource,
  type UpgradeRequest,
} from './options.ts'
import { PresenceServer } from './presence-server.ts'
import type { Identity } from './principal.ts'
import { Reception } from './reception.ts'
import { keyPurpose } from './resume-token.ts'
import { revokeMessage } from './revoke-message.ts'
import { groupOfName, groupOfRoom } from './room-message.ts'
import { SessionHub } from './session-hub.ts'
import { SocketRefreshed } from './session-protocol.ts'
import type { BroadcastOptions } from './session-rooms.ts'
import { SessionStarter } from './session-starter.ts'
import { Sockets } from './sockets.ts'
import { TurnEnd } from './turn-end.ts'

/** How long `stop` waits for clients to answer the close, before their sockets are cut off. */
const STOP_GRACE_MS = 2_500

export interface DrainOptions {
  /** Over so long the sockets are closed, evenly. @default 30000 */
  readonly overMs?: number
  /** So long it is then waited for clients that are to go on elsewhere. @default 10000 */
  readonly handOverMs?: number
}

export class Gateway<ClientMessage, ServerMessage, Principal> {
  private readonly owner: Node
  private readonly options: CheckedGatewayOptions<ClientMessage, ServerMessage, Principal>
  private readonly counters = new Counters()
  private readonly hub: SessionHub
  private readonly sockets: Sockets
  private readonly door: Door
  private readonly host: ConnectionHost
  private readonly metrics: MetricsSource | undefined
  private readonly server: Server
  private readonly ownsServer: boolean
  private starter: SessionStarter | undefined = undefined
  private process: ServerPid<WhereIs, never> | undefined = undefined
  private context: Context | undefined = undefined
  private draining: Promise<void> | undefined = undefined
  private stopping: Promise<void> | undefined = undefined
  private onSessionGone: () => void = () => undefined

  private constructor(owner: Node, options: CheckedGatewayOptions<ClientMessage, ServerMessage, Principal>) {
    this.owner = owner
    this.options = options
    const { clock, log, random } = owner
    const { counters } = this
    const { session, names, groups, resume } = options
    this.hub = new SessionHub({
      session,
      names,
      groups,
      resume,
      keys: owner.deriveKeys(keyPurpose(session)),
      random,
      counters,
      clock,
      sessionEndTimeoutMs: options.sessionEndTimeoutMs,
      kill: (session) => this.kill(session),
    })
    this.sockets = new Sockets({ clock, log, random, ...options })
    const authentication = { ...options, timeoutMs: options.authenticateTimeoutMs, clock, log }
    const whoIs = (request: UpgradeRequest) => authenticate(request, authentication)
    this.door = new Door({
      options,
      counters,
      whyClosed: () => (this.isReady ? undefined : 'the server is going down'),
      isOverloaded: () => this.sockets.load !== 'ok',
      authenticate: whoIs,
      enter: (admitted) => this.onAdmitted(admitted),
      log,
    })
    const reception = new Reception({
      authenticate: whoIs,
      onIdentified: (connection) => this.door.identified(connection),
      begin: (connection, identity, resume) => this.begin(connection, identity, resume),
      onRefreshed: (connection, identity) => {
        if (connection.session !== undefined)
          this.host.tell(connection.session.pid, new SocketRefreshed(connection, identity))
      },
    })
    const turnEnd = new TurnEnd()
    this.host = {
      clock,
      log,
      counters,
      ...options,
      schema: options.messages,
      helloTimeoutMs: options.authenticateTimeoutMs,
      flushLater: (writer) => turnEnd.add(writer),
      tell: (pid, event) => {
        if (!owner.isStopping) owner.send(pid, event)
      },
      onHello: (connection, hello) => void reception.onHello(connection, hello),
      onAuth: (connection, token) => reception.onAuth(connection, token),
      onClosed: (connection) => this.onClosed(connection),
    }
    this.metrics = options.metrics?.(this)
    this.ownsServer = 'port' in options.listen
    this.server =
      'server' in options.listen
        ? options.listen.server
        : createServer((request, response) => {
            if (!this.handleRequest(request, response))
              response.writeHead(426, { 'Content-Type': 'text/plain' }).end('a WebSocket is wanted here\n')
          })
  }

  /**
   * Starts a gateway on a node. Resolves when it accepts sockets.
   * @throws PidmeshError `ERR_BAD_OPTION`; `ERR_PORT_IN_USE`, `ERR_LISTEN` if it can't listen
   */
  static async start<ClientMessage, ServerMessage, Principal>(
    node: Node,
    options: GatewayOptions<ClientMessage, ServerMessage, Principal>,
  ): Promise<Gateway<ClientMessage, ServerMessage, Principal>> {
    const gateway = new Gateway(node, checkGatewayOptions(options))
    await gateway.run()
    return gateway
  }

  /** The port that is listened on; with a server of yours, when that listens. */
  get port(): number {
    return (this.server.address() as AddressInfo | null)?.port ?? 0
  }

  /** Whether it takes sockets: not before it has started, and not while it drains or stops. What a load balancer asks for (`/readyz`). */
  get isReady(): boolean {
    return this.context?.isAlive === true && this.draining === undefined && this.stopping === undefined
  }

  get stats(): GatewayStats {
    const { counters, hub, sockets } = this
    const { connections, unauthenticated, messagesIn, messagesOut, bytesIn, bytesOut } = counters
    return {
      connections,
      unauthenticated,
      sessions: { attached: hub.sessions.size - hub.detached, detached: hub.detached },
      messagesIn,
      messagesOut,
      bytesIn,
      bytesOut,
      dropped: new Map(counters.dropped),
      resumes: new Map(counters.resumes),
      refused: new Map(counters.refused),
      closed: new Map(counters.closed),
      pushLatencySeconds: counters.pushLatencySeconds.stats,
      ...sockets.distributions(),
      isReady: this.isReady,
    }
  }

  /**
   * Sends a message to whoever has a name, on whatever node: to all if several sessions have it (`multi`), but for one if that is said.
   * @returns `noproc` if nobody is known to have it; otherwise as `send`: it is on its way
   * @throws what the way of keeping names throws, if it fails; PidmeshError `ERR_NOT_SENDABLE` for what can't go to another node
   */
  push(name: string, message: unknown, { except }: BroadcastOptions = {}): Awaitable<SendStatus | 'noproc'> {
    return this.hub.send(name, message, except)
  }

  /**
   * Sends a message to all sessions of a room, on whatever node: one message to each node, encoded once on each.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`; GatewayError `ERR_NOT_SUPPORTED` if it was started without `groups`
   */
  broadcast(room: string, message: unknown, { except }: BroadcastOptions = {}): SendStatus {
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
    const { names, groups } = this.options
    const { resolve, reachesPids } = names.capabilities
    if (resolve === 'none' || !reachesPids) {
      const status = await names.send(name, revokeMessage(this.owner.self.pid, cause))
      if (status === 'noconnection')
        throw new GatewayError('ERR_NOT_REVOKED', 'nobody could be told that a name is revoked')
      return status === 'noproc' ? 0 : undefined
    }
    const holder = await names.resolveName(name)
    const pids = [...(holder === undefined ? [] : [holder]), ...(groups?.members(groupOfName(name)) ?? [])]
    for (const pid of pids) this.owner.exit(pid, closeReason(cause))
    return pids.length
  }

  /**
   * Answers `/healthz`, `/readyz` and, if there are metrics, `/metrics`; for a server of yours. On its own port the gateway does so by itself.
   * @returns whether it was one of these
   */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    return answerHttp(request, response, { isReady: this.isReady, metrics: this.metrics, log: this.owner.log })
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
    this.process = await start(
      owner,
      GatewayServer,
      [
        {
          onReady: (self) => {
            this.context = self
            self.signal.addEventListener('abort', () => this.onProcessGone())
          },
          onSessionEnd: (pid, reason) => this.onExit(pid, reason),
          whereIs: (nonce) => hub.whereabouts.find(nonce),
        },
      ],
      { label: 'gateway', trapExit: true },
    )
    const { context } = this
    if (context === undefined) throw new PidmeshError('ERR_NODE_STOPPED', 'the node stops')
    const name = gatewayName(options.session)
    // Of two on a node the first is asked.
    if (owner.whereis(name) === undefined) owner.register(name, context.pid)
    hub.gateway = context.pid
    await this.startPresence(context)
    const { connectTimeoutMs } = options
    this.starter = new SessionStarter({ owner, hub, self: context, connectTimeoutMs })
    this.server.on('upgrade', this.onUpgrade)
    if ('port' in options.listen) {
      try {
        await listen(this.server, options.listen)
      } catch (error) {
        await this.stop()
        throw error
      }
      owner.log.info({ port: this.port, path: options.path }, 'gateway is listening')
    }
    this.sockets.start()
  }

  private async startPresence(context: Context): Promise<void> {
    const { groups } = this.options
    if (groups === undefined) return
    this.hub.presence = await startLink(context, PresenceServer, [groups], { label: 'presence' })
    for (const session of this.hub.sessions.values()) session.watchAgain()
  }

  private readonly onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    this.door.onUpgrade(request, socket, head, this.server.listenerCount('upgrade') > 1)
  }

  private onAdmitted({ socket, stream, codec, request, identity }: Admitted): void {
    const connection = new Connection({ socket, stream, codec, request, identity, host: this.host })
    this.sockets.add(connection)
    if (!this.isReady) connection.close(CLOSE.restart)
    else if (codec.name === 'bare' && identity !== undefined) this.begin(connection, identity, undefined)
  }

  private begin(connection: Connection, identity: Identity<unknown>, resume: Hello['resume']): void {
    this.starter?.begin(connection, identity, resume).catch((error: unknown) => {
      this.owner.log.error({ problem: String(error) }, 'a session could not begin')
      connection.close(CLOSE.internal)
    })
  }

  private onClosed(connection: Connection): void {
    this.sockets.delete(connection)
    this.door.left(connection)
    if (!this.owner.isStopping) connection.session?.socketIsClosed(connection)
  }

  private kill(pid: Pid): void {
    if (this.owner.isStopping || !this.owner.isProcessAlive(pid)) return
    this.owner.log.warn({ session: pid.toString() }, 'a session that does not end is killed')
    this.owner.exit(pid, 'kill')
  }

  private onExit(pid: Pid, reason: ExitReason): void {
    const { hub, owner } = this
    if (hub.presence?.equals(pid) === true) {
      hub.presence = undefined
      if (this.context?.isAlive === true && this.isReady)
        this.startPresence(this.context).catch((error: unknown) =>
          owner.log.error({ problem: String(error) }, 'nobody is told any more who is in a room'),
        )
      return
    }
    const session = hub.sessions.get(pid.id)
    // Of another node, perhaps, with the same number.
    if (session?.pid.equals(pid) !== true) return
    hub.sessions.delete(pid.id)
    session.client.sessionHasEnded()
    owner.log.debug({ session: pid.toString(), reason: formatReason(reason) }, 'session ended')
    session.client.connection?.close(causeOfExit(reason))
    this.onSessionGone()
  }

  /** The gateway's process has ended, and all sessions with it. Sockets without sessions would be open and mute. */
  private onProcessGone(): void {
    this.sockets.closeAll(CLOSE.restart)
    if (this.stopping !== undefined) return
    this.owner.log.error({}, 'the gateway has lost its process and stops')
    void this.stop()
  }

  private async drainOnce(overMs: number, handOverMs: number): Promise<void> {
    const { log } = this.owner
    log.info({ sockets: this.sockets.size, overMs }, 'the gateway drains')
    await this.sockets.drain(overMs)
    if (this.stopping === undefined) await this.sessionsGone(handOverMs)
    log.info({ sessionsLeft: this.hub.sessions.size }, 'the gateway is drained')
    await this.stop()
  }

  /** Resolves when no session is left, or after a time. */
  private sessionsGone(withinMs: number): Promise<void> {
    if (this.hub.sessions.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.owner.clock.setTimer(withinMs, resolve)
      this.onSessionGone = () => {
        if (this.hub.sessions.size > 0) return
        timer.cancel()
        resolve()
      }
    })
  }

  private async stopOnce(): Promise<void> {
    this.server.off('upgrade', this.onUpgrade)
    this.sockets.stop()
    this.sockets.closeAll(CLOSE.restart)
    const sessionsEnded = this.processesEnded()
    const closed = this.ownsServer
      ? new Promise<void>((resolve) => this.server.close(() => resolve()))
      : Promise.resolve()
    await this.sockets.allClosed(STOP_GRACE_MS)
    await sessionsEnded
    if (this.ownsServer) this.server.closeAllConnections()
    await closed
  }

  /** Ends the gateway's process and with it the sessions, and resolves when they have run `terminate`: a socket may be closed before. */
  private async processesEnded(): Promise<void> {
    const { owner, hub, process } = this
    const pids = [...hub.sessions.values()].map(({ pid }) => pid)
    try {
      if (process !== undefined && this.context?.isAlive === true) await stop(owner, process, 'shutdown', STOP_GRACE_MS)
      await Promise.all(pids.map((pid) => owner.self.awaitDown(pid, STOP_GRACE_MS)))
    } catch {
      // The node stops, and all its processes have ended.
    }
    hub.clear()
  }
}

function listen(server: Server, { port, host }: { readonly port: number; readonly host: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      reject(
        error.code === 'EADDRINUSE'
          ? new PidmeshError('ERR_PORT_IN_USE', `the address ${host}:${port} is in use by another program`, {
              cause: error,
            })
          : new PidmeshError('ERR_LISTEN', `cannot listen on ${host}:${port}: ${error.message}`, { cause: error }),
      )
    }
    server.once('error', onError)
    server.listen(port, host, () => {
      server.off('error', onError)
      resolve()
    })
  })
}
