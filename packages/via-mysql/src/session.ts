/**
 * One connection to the server, for one statement at a time, each with a deadline.
 *
 *   open ─▶ handshake, setup ─▶ query, query, … ─▶ end
 *                │                 │
 *                └─────────────────┴── late, or lost ─▶ destroyed, for good
 *
 * - A statement that is late has a connection that can't be used again: its answer may come yet. It is destroyed with its socket, and nothing waits for
 *   the other side: a server that stands still says no goodbye.
 * - Whatever becomes of it, what is under way settles, and no event 'error' is without a listener.
 */
import { StoreError, StoreTime } from '@pidmesh/via-kit'
import { createConnection, type Connection } from 'mysql2'
import { connect, type Socket } from 'node:net'
import type { MysqlTls, Server } from './options.ts'
import type { Statement } from './statements.ts'

const GOODBYE_MS = 500

export class Session {
  private readonly socket: Socket
  private readonly connection: Connection
  private underWay: ((error: StoreError) => void) | undefined
  private isGone = false
  private isReached = false
  /** Somebody has taken the connection, and was given up: a server counts such handshakes. */
  isBrokenOff = false
  /** The server's. Whoever is told it says so here. */
  readonly time: StoreTime = new StoreTime()

  constructor(server: Server) {
    const { host, port, user, password, database, tls } = server
    this.socket = connect({ host, port, noDelay: true, keepAlive: true })
    this.connection = createConnection({
      stream: this.socket,
      host,
      port,
      user,
      ...(password !== undefined && { password }),
      database,
      ...(tls !== undefined && { ssl: sslOf(tls) }),
      // Each query has a deadline, the first of which is that of the handshake as well.
      connectTimeout: 0,
      multipleStatements: true,
      rowsAsArray: true,
      // What the server could ask us for. It is told nothing of our files.
      flags: ['-LOCAL_FILES'],
      // Its traces would be of our statements.
      trace: false,
    })
    this.connection.on('error', () => this.destroy())
    this.socket.once('connect', () => {
      this.isReached = true
    })
    this.socket.on('close', () => this.destroy())
  }

  get isUsable(): boolean {
    return !this.isGone
  }

  /**
   * The first one waits for the handshake, too.
   * @returns the driver's: rows as arrays, of several statements in an array
   */
  query({ sql, values }: Statement, untilMs: number): Promise<unknown> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.isGone) return reject(lost())
      const settle = (): void => {
        clearTimeout(timer)
        this.underWay = undefined
      }
      const fail = (error: unknown): void => {
        settle()
        reject(error instanceof Error ? error : lost())
      }
      const timer = setTimeout(
        () => {
          this.isBrokenOff = this.isReached
          this.destroy(new StoreError('ERR_STORE_UNAVAILABLE', 'the database server has not answered in time'))
        },
        Math.max(0, untilMs - performance.now()),
      )
      this.underWay = fail
      this.connection.query({ sql, values: [...values] }, (error: unknown, result: unknown) => {
        if (error) return fail(error)
        settle()
        resolve(result)
      })
    })
  }

  /** Says goodbye, so that the server doesn't report a connection that was cut off. Resolves when it is gone, soon. */
  async end(): Promise<void> {
    if (this.isGone) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GOODBYE_MS)
      this.socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      this.connection.end(() => undefined)
    })
    this.destroy()
  }

  /** Fails what is under way. */
  destroy(reason: StoreError = lost()): void {
    if (this.isGone) return
    this.isGone = true
    this.connection.destroy()
    this.socket.destroy()
    this.underWay?.(reason)
  }
}

function sslOf({ ca, cert, key, allowAnyServer = false }: MysqlTls): Record<string, string | boolean> {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    rejectUnauthorized: !allowAnyServer,
    verifyIdentity: !allowAnyServer,
  }
}

function lost(): StoreError {
  return new StoreError('ERR_STORE_UNAVAILABLE', 'the connection to the database server is lost')
}
