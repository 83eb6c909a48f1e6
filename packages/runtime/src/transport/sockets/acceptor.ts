/**
 * The TCP listener of a transport, which bounds and ends the connections that are made to it (gRPC's server by itself does neither):
 *
 *   - one that opens no stream is closed after `streamWithinMs`, and of these at most `maxWaiting` are kept, the newest;
 *   - one that is left when the listener stops is destroyed after a grace: its other side, which may be stopped or unplugged, need not close it.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { PidmeshError } from '../../errors.ts'
import { hostOf, portOf, withPort } from '../../address.ts'
import { CLOSE_GRACE_MS } from './grace.ts'

export interface AcceptorLimits {
  /** From a connection to its stream. */
  readonly streamWithinMs: number
  /** Connections on which no stream has been opened. */
  readonly maxWaiting: number
}

/** As those of the handshake of the nodes, which is on the stream. */
const LIMITS: AcceptorLimits = { streamWithinMs: 5_000, maxWaiting: 256 }

interface Accepted {
  readonly socket: Socket
  /** Ends its time to open a stream. */
  readonly timer: NodeJS.Timeout
  hasStream: boolean
}

export class Acceptor {
  private readonly limits: AcceptorLimits
  private readonly onStranger: (from: string, detail: string | undefined) => void
  private readonly server: Server
  private readonly connections = new Map<string, Accepted>()
  /** Those without a stream, the oldest first. */
  private readonly waiting = new Set<Accepted>()
  private readonly details = new WeakMap<Socket, string>()

  /** Connections are known by `connectionOf`. `onStranger` is told of a connection that was closed without a stream, though something had come on it. (A knock says nothing.) */
  constructor(
    onSocket: (socket: Socket) => void,
    onStranger: (from: string, detail: string | undefined) => void = () => undefined,
    limits: AcceptorLimits = LIMITS,
  ) {
    this.onStranger = onStranger
    this.limits = limits
    this.server = createServer((socket) => {
      // It was over before it was taken.
      if (socket.remoteAddress === undefined) {
        socket.destroy()
        return
      }
      this.add(connectionOf(socket), socket)
      onSocket(socket)
    })
  }

  /**
   * Resolves with the address that is listened on.
   * @throws PidmeshError `ERR_PORT_IN_USE`, `ERR_LISTEN`
   */
  listen(address: string): Promise<string> {
    const { server } = this
    return new Promise((resolve, reject) => {
      // After it listens too, when it can't accept: then there is nobody to tell.
      server.on('error', (error: NodeJS.ErrnoException) => {
        reject(
          error.code === 'EADDRINUSE'
            ? new PidmeshError('ERR_PORT_IN_USE', `the address ${address} is in use by another program`, {
                cause: error,
              })
            : new PidmeshError('ERR_LISTEN', `cannot listen on ${address}: ${error.message}`, { cause: error }),
        )
      })
      server.listen(portOf(address), hostOf(address), () => {
        const bound = server.address()
        const port = bound === null || typeof bound === 'string' ? portOf(address) : bound.port
        resolve(withPort(address, port))
      })
    })
  }

  /** A stream has been opened on the connection. */
  onStream(connection: string): void {
    const accepted = this.connections.get(connection)
    if (accepted === undefined) return
    accepted.hasStream = true
    clearTimeout(accepted.timer)
    this.waiting.delete(accepted)
  }

  /** Why the connection will have been closed, for who is told of a stranger. */
  explain(socket: Socket, detail: string): void {
    this.details.set(socket, detail)
  }

  /** What destroys the socket of the connection, and not that of a later one between the same ends. */
  destroyerOf(connection: string): () => void {
    const accepted = this.connections.get(connection)
    return () => accepted?.socket.destroy()
  }

  /** Resolves when no connection is left. */
  async stop(): Promise<void> {
    this.server.close()
    const left = [...this.connections.values()].map(({ socket }) => socket)
    const grace = setTimeout(() => {
      for (const socket of left) socket.destroy()
    }, CLOSE_GRACE_MS)
    for (const { socket } of this.waiting) socket.destroy()
    await Promise.all(left.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
    clearTimeout(grace)
  }

  private add(connection: string, socket: Socket): void {
    const from = sourceOf(socket)
    const timer = setTimeout(() => socket.destroy(), this.limits.streamWithinMs)
    timer.unref()
    const accepted: Accepted = { socket, timer, hasStream: false }
    // One from the same port was reset, of which we have not been told yet. Nothing that it has said may count for this one.
    this.connections.get(connection)?.socket.destroy()
    this.connections.set(connection, accepted)
    this.waiting.add(accepted)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      this.waiting.delete(accepted)
      if (this.connections.get(connection) === accepted) this.connections.delete(connection)
      // Why TLS has failed comes just after the connection's end.
      if (!accepted.hasStream && socket.bytesRead > 0)
        setImmediate(() => this.onStranger(from, this.details.get(socket)))
    })
    const [oldest] = this.waiting
    if (oldest === undefined || this.waiting.size <= this.limits.maxWaiting) return
    this.waiting.delete(oldest)
    oldest.socket.destroy()
  }
}

/** Where a connection comes from. There may be several from one port of another host, to several addresses of this one. */
export function sourceOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`
}

/** Which connection it is: both its ends. */
export function connectionOf(socket: Socket): string {
  return `${sourceOf(socket)} ${socket.localAddress}:${socket.localPort}`
}
