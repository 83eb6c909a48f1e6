/**
 * Gateway: WebSocket connections as processes.
 *
 *   upgrade ─▶ path, origin, limits, authenticate ─▶ socket ─▶ Connection ⇄ session process, registered under its name
 *
 * The gateway is a process itself, linked with its sessions: when a session ends its socket is closed, with a code by its exit reason; when the
 * gateway ends so do all its sessions. It knows nothing of how names are kept: any `Via` will do.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { Socket, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { start, startLink, StartError, type ServerPid } from '@pidmesh/gen-server'
import {
  formatReason,
  PidmeshError,
  type Context,
  type ExitReason,
  type Node,
  type Pid,
  type TimerHandle,
} from '@pidmesh/runtime'
import { WebSocketServer, type WebSocket } from 'ws'
import { causeOfExit } from './close-cause.ts'
import { CLOSE } from './close-codes.ts'
import { Connection } from './connection.ts'
import { Counters, type GatewayStats } from './counters.ts'
import { GatewayServer } from './gateway-server.ts'
import { checkGatewayOptions, type CheckedGatewayOptions, type GatewayOptions } from './options.ts'
import { SessionServer, type SessionServerOptions } from './session-server.ts'
import { isOriginAllowed, parseUpgrade, refuse, type Refusal } from './upgrade.ts'

const BEAT_MS = 1_000
const FULL: Refusal = { status: 503, text: 'too many connections' }
/** An upgrade that no listener of a shared server takes is cut off after so long. */
const UNCLAIMED_MS = 5_000
/** How long `stop` waits for clients to answer the close, before their sockets are cut off. */
const STOP_GRACE_MS = 2_500

export class Gateway<ClientMessage, ServerMessage, Principal> {
  private readonly owner: Node
  private readonly options: CheckedGatewayOptions<ClientMessage, ServerMessage, Principal>
  private readonly webSockets: WebSocketServer
  private readonly connections = new Set<Connection>()
  private readonly bySession = new Map<string, Connection>()
  private readonly counters = new Counters()
  private readonly server: Server
  private readonly ownsServer: boolean
  private process: ServerPid<never, never> | undefined = undefined
  private context: Context | undefined = undefined
  private authenticating = 0
  private timer: TimerHandle | undefined = undefined
  private stopping: Promise<void> | undefined = undefined
  private onLastClosed: () => void = () => undefined

  private constructor(owner: Node, options: CheckedGatewayOptions<ClientMessage, ServerMessage, Principal>) {
    this.owner = owner
    this.options = options
    this.webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: options.maxPayloadBytes,
      // It costs 7 to 12 times the CPU and memory a connection.
      perMessageDeflate: false,
    })
    this.ownsServer = 'port' in options.listen
    this.server =
      'server' in options.listen
        ? options.listen.server
        : createServer((_request, response) =>
            response.writeHead(426, { 'Content-Type': 'text/plain' }).end('a WebSocket is wanted here\n'),
          )
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

  get stats(): GatewayStats {
    const { connections, messagesIn, messagesOut, unencodable, refused, closed } = this.counters
    return { connections, messagesIn, messagesOut, unencodable, refused: new Map(refused), closed: new Map(closed) }
  }

  /** Takes no more sockets, closes those that are open with 1012, and ends their sessions. A server of yours is left listening. */
  stop(): Promise<void> {
    this.stopping ??= this.stopOnce()
    return this.stopping
  }

  private async run(): Promise<void> {
    this.process = await start(
      this.owner,
      GatewayServer,
      [
        (self: Context) => {
          this.context = self
          self.signal.addEventListener('abort', () => this.onProcessGone())
        },
        (session: Pid, reason: ExitReason) => this.onSessionEnd(session, reason),
      ],
      { label: 'gateway', trapExit: true },
    )
    this.server.on('upgrade', this.onUpgrade)
    if ('port' in this.options.listen) {
      try {
        await listen(this.server, this.options.listen)
      } catch (error) {
        await this.stop()
        throw error
      }
      this.owner.log.info({ port: this.port, path: this.options.path }, 'gateway is listening')
    }
    this.scheduleBeat()
  }

  private readonly onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Before anything else: a client that is gone already must not take the node with it.
    socket.on('error', () => socket.destroy())
    // On a server of the user's another path may be another listener's; one that nobody takes must not stay for ever. (`ws` ends the timeout.)
    const isElsewhere = parseUpgrade(request)?.url.pathname !== this.options.path
    if (isElsewhere && this.server.listenerCount('upgrade') > 1) {
      if (socket instanceof Socket) socket.setTimeout(UNCLAIMED_MS, () => socket.destroy())
      return
    }
    const refused = (refusal: Refusal): void => {
      this.counters.countRefused(refusal.status)
      refuse(socket, refusal)
    }
    this.admit(request, socket).then(
      (verdict) => {
        if ('status' in verdict) refused(verdict)
        // Again, and here: others may have come in while this one was authenticated, at the same moment even.
        else if (this.isFull) refused(FULL)
        else
          this.webSockets.handleUpgrade(request, socket, head, (webSocket) =>
            this.onSocket(webSocket, verdict.principal),
          )
      },
      (error: unknown) => {
        this.owner.log.error({ problem: describe(error) }, 'authenticate failed')
        refused({ status: 401, text: 'not authenticated' })
      },
    )
  }

  private get isFull(): boolean {
    return this.counters.connections >= this.options.maxConnections
  }

  private async admit(request: IncomingMessage, socket: Duplex): Promise<Refusal | { readonly principal: Principal }> {
    const { path, origins, maxAuthenticating } = this.options
    const upgrade = parseUpgrade(request)
    if (upgrade === undefined) return { status: 400, text: 'malformed request' }
    if (upgrade.url.pathname !== path) return { status: 404, text: 'no WebSocket here' }
    if (!isOriginAllowed(request.headers.origin, request.headers.host, origins))
      return { status: 403, text: 'this origin is not allowed' }
    if (this.stopping !== undefined) return { status: 503, text: 'going down' }
    if (this.isFull) return FULL
    if (this.authenticating >= maxAuthenticating)
      return { status: 503, text: 'too many connections are being authenticated' }
    this.authenticating++
    try {
      const principal = await this.inTime(this.options.authenticate(upgrade))
      if (principal === 'timeout') return { status: 408, text: 'authentication took too long' }
      // null as well: it is what many a look-up says of one that it doesn't know.
      if (principal.value == null || socket.destroyed) return { status: 401, text: 'not authenticated' }
      return { principal: principal.value }
    } finally {
      this.authenticating--
    }
  }

  private inTime(
    answer: Principal | undefined | Promise<Principal | undefined>,
  ): Promise<{ value: Principal | undefined } | 'timeout'> {
    return new Promise((resolve, reject) => {
      const timer = this.owner.clock.setTimer(this.options.authenticateTimeoutMs, () => resolve('timeout'))
      Promise.resolve(answer)
        .then((value) => resolve({ value }), reject)
        .finally(() => timer.cancel())
    })
  }

  private onSocket(socket: WebSocket, principal: Principal): void {
    const { names, session, messages, heartbeat, maxBufferedBytes, maxPendingMessages } = this.options
    const { context } = this
    this.counters.connections++
    const connection = new Connection({
      socket,
      clock: this.owner.clock,
      log: this.owner.log,
      counters: this.counters,
      messages,
      heartbeat,
      maxBufferedBytes,
      maxPendingMessages,
      tell: (pid, event) => {
        if (!this.owner.isStopping) this.owner.send(pid, event)
      },
      onClosed: (closed) => {
        this.counters.connections--
        this.connections.delete(closed)
        this.awaitEnd(closed)
        if (this.connections.size === 0) this.onLastClosed()
      },
    })
    this.connections.add(connection)
    if (context === undefined || !context.isAlive || this.stopping !== undefined) {
      connection.close(CLOSE.restart)
      return
    }
    const options: SessionServerOptions<ClientMessage, ServerMessage, Principal> = {
      session,
      names,
      principal,
      write: (message) => connection.write(message),
    }
    startLink(context, SessionServer, [options as unknown as SessionServerOptions<never, never, never>], {
      trapExit: true,
      label: 'session',
      timeoutMs: this.options.connectTimeoutMs,
    }).then(
      (pid) => {
        this.bySession.set(pid.toString(), connection)
        connection.begin(pid)
        if (!this.connections.has(connection)) this.awaitEnd(connection)
        // It may have ended between its start and now.
        if (!this.owner.isProcessAlive(pid)) this.onSessionEnd(pid, 'killed')
      },
      (error: unknown) => connection.close(causeOfExit(error instanceof StartError ? error.reason : 'internal')),
    )
  }

  /** A session that doesn't come to its end once its socket is closed would hold its name for ever. */
  private awaitEnd({ session }: Connection): void {
    if (session === undefined || this.owner.isStopping) return
    this.owner.clock.setTimer(this.options.sessionEndTimeoutMs, () => {
      if (this.owner.isStopping || !this.owner.isProcessAlive(session)) return
      this.owner.log.warn({ session: session.toString() }, 'a session that did not end after its socket is killed')
      this.owner.exit(session, 'kill')
    })
  }

  private onSessionEnd(session: Pid, reason: ExitReason): void {
    const connection = this.bySession.get(session.toString())
    if (connection === undefined) return
    this.bySession.delete(session.toString())
    this.owner.log.debug({ session: session.toString(), reason: formatReason(reason) }, 'session ended')
    connection.close(causeOfExit(reason))
  }

  /** The gateway's process has ended, and all sessions with it. Sockets without sessions would be open and mute. */
  private onProcessGone(): void {
    for (const connection of this.connections) connection.close(CLOSE.restart)
    if (this.stopping !== undefined) return
    this.owner.log.error({}, 'the gateway has lost its process and stops')
    void this.stop()
  }

  private scheduleBeat(): void {
    this.timer = this.owner.clock.setTimer(BEAT_MS, () => {
      this.scheduleBeat()
      for (const connection of this.connections) connection.beat()
    })
  }

  private async stopOnce(): Promise<void> {
    this.timer?.cancel()
    this.server.off('upgrade', this.onUpgrade)
    for (const connection of this.connections) connection.close(CLOSE.restart)
    const sessionsEnded = this.sessionsEnded()
    if (this.context?.isAlive === true && this.process !== undefined) this.owner.exit(this.process, 'shutdown')
    const closed = this.ownsServer
      ? new Promise<void>((resolve) => this.server.close(() => resolve()))
      : Promise.resolve()
    await this.allClosed()
    await sessionsEnded
    if (this.ownsServer) this.server.closeAllConnections()
    await closed
  }

  /** Resolves when the sessions that there are have run `terminate`: a socket may be closed before. */
  private async sessionsEnded(): Promise<void> {
    const { owner } = this
    const sessions = [...this.bySession.values()].flatMap(({ session }) => session ?? [])
    try {
      await Promise.all(sessions.map((session) => owner.self.awaitDown(session, STOP_GRACE_MS)))
    } catch {
      // The node stops, and all its processes have ended.
    }
  }

  /** Resolves when the last socket is closed: connections cut off by themselves those that don't answer, and this is the last resort. */
  private allClosed(): Promise<void> {
    if (this.connections.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.owner.clock.setTimer(STOP_GRACE_MS, resolve)
      this.onLastClosed = () => {
        timer.cancel()
        resolve()
      }
    })
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

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
