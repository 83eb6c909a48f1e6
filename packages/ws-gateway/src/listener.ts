/**
 * The HTTP server whose upgrades a gateway takes: one of its own, which it lets listen and closes, or one of the user's, which is left as it is.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { PidmeshError } from '@pidmesh/runtime'

export interface ListenAddress {
  readonly port: number
  readonly host: string
}

export interface RequestLimits {
  /** From a connection, or the first byte of a further request on it, to the end of a request's head. */
  readonly headWithinMs: number
  /** And to the end of its body, which nobody reads. */
  readonly requestWithinMs: number
  /** So often it is looked whose time is over. */
  readonly lookEveryMs: number
}

/** Node would give 60 s for a head, 300 s for a request, and look every 30 s: a program that says nothing, or a byte now and then, would hold its connections as long. */
const LIMITS: RequestLimits = { headWithinMs: 10_000, requestWithinMs: 10_000, lookEveryMs: 1_000 }

/** Where a gateway of its own server listens, or the user's server. */
export type ListenOn = ListenAddress | { readonly server: Server }

/** On what takes upgrades: for which path. Another gateway that is to take them of the same server sees it, whichever node it is of. */
const TAKES = Symbol.for('pidmesh.gateway.path')

type UpgradeListener = ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) & { readonly [TAKES]: string }

export interface ListenerComponents {
  readonly path: string
  /** Whether a request of its own server was answered. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => boolean
  /** `isShared`: somebody else takes upgrades of this server, too. */
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer, isShared: boolean) => void
}

export class Listener {
  private readonly server: Server
  /** Of its own server. */
  private readonly address: ListenAddress | undefined
  private readonly onUpgrade: UpgradeListener

  /** @param limits of a server of its own */
  constructor(on: ListenOn, { path, answer, onUpgrade }: ListenerComponents, limits: RequestLimits = LIMITS) {
    this.address = 'port' in on ? on : undefined
    const { headWithinMs: headersTimeout, requestWithinMs: requestTimeout, lookEveryMs } = limits
    const server =
      'server' in on
        ? on.server
        : createServer(
            { headersTimeout, requestTimeout, connectionsCheckingInterval: lookEveryMs },
            (request, response) => {
              if (!answer(request, response))
                response.writeHead(426, { 'Content-Type': 'text/plain' }).end('a WebSocket is wanted here\n')
            },
          )
    this.server = server
    const take = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
      onUpgrade(request, socket, head, server.listenerCount('upgrade') > 1)
    this.onUpgrade = Object.assign(take, { [TAKES]: path } as const)
  }

  /** The port that is listened on; with a server of the user's, when that listens. */
  get port(): number {
    return (this.server.address() as AddressInfo | null)?.port ?? 0
  }

  get ownsServer(): boolean {
    return this.address !== undefined
  }

  /**
   * Takes upgrades from now on. Resolves when its own server listens.
   * @throws PidmeshError `ERR_PORT_IN_USE`, `ERR_LISTEN` by rejection; `ERR_BAD_OPTION`, if another gateway takes those of the server for the same path
   */
  async start(): Promise<void> {
    const path = this.onUpgrade[TAKES]
    if (this.server.listeners('upgrade').some((other) => TAKES in other && other[TAKES] === path))
      throw new PidmeshError(
        'ERR_BAD_OPTION',
        `another gateway takes the upgrades of this server for the path ${path}: give this one another`,
      )
    this.server.on('upgrade', this.onUpgrade)
    if (this.address !== undefined) await listen(this.server, this.address)
  }

  /**
   * Takes no more upgrades of a server of the user's. Those of its own are refused as long as there are connections: without a listener they would be requests like
   * any other.
   */
  takeNoMore(): void {
    if (!this.ownsServer) this.server.off('upgrade', this.onUpgrade)
  }

  /** Its own server takes no more connections, and those that there are have ended when the sockets have, or are cut off then. */
  async close(socketsGone: Promise<unknown>): Promise<void> {
    const closed = this.ownsServer
      ? new Promise<void>((resolve) => this.server.close(() => resolve()))
      : Promise.resolve()
    await socketsGone
    if (this.ownsServer) this.server.closeAllConnections()
    await closed
  }
}

function listen(server: Server, { port, host }: ListenAddress): Promise<void> {
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
