/**
 * One connection to one server, for one life: when it is lost, or silent, it is over, and whoever needs one opens another. Nothing is sent again by itself.
 *
 *   open ─▶ [isOpen] ─▶ call, subscribe ─▶ lost: all that is under way fails ─▶ onLost
 *              │
 *              └─ heartbeat: a server that stands still is noticed also if nobody calls
 *
 * - What is not answered in time rejects. If nothing at all was heard since it was sent, the connection is given up: what stands in line behind it would wait as long.
 * - The client library doesn't reconnect: it would wait with a timer that can't be stopped, and would hold on to a server of which Sentinel says that it is the wrong one.
 */
import { StoreTime, type StoreError } from '@pidmesh/via-kit'
import { ErrorReply, RedisClient, RESP_TYPES, type TypeMapping } from 'redis'
import { Bound } from './bound.ts'
import { isReadOnly, unavailable, unfit } from './errors.ts'
import type { RedisTls, Server } from './options.ts'

/** `createClient` makes a class of some hundred methods each time, which takes 100 ms. This makes one, once. */
const newClient = RedisClient.factory()

type Client = ReturnType<typeof newClient>

export type Argument = string | Buffer
/** Or what they are on the connection over which they go. */
export type Said = readonly Argument[] | ((time: StoreTime) => readonly Argument[])
export type Reply = number | Buffer | null | readonly Reply[]
/** The bytes are the receiver's own. */
export type OnPush = (channel: string, bytes: Uint8Array) => void

export interface ConnectionOptions {
  readonly timeoutMs: number
  /** Whom a server over TLS must be signed by, and who we are. */
  readonly tls: RedisTls | undefined
  /** Ends it. */
  readonly signal: AbortSignal
  /** A replica is not what is wanted: it takes no writes, and what is published there does not come to others. */
  readonly mustLead: boolean
  readonly onPush?: OnPush
  /** The server has moved a sharded channel away: nothing comes from there any more. */
  readonly onMoved?: (channel: string, connection: Connection) => void
  readonly onLost?: (connection: Connection) => void
  /** It can be used. */
  readonly onOpen?: () => void
}

/** What every reply is: nothing becomes a text that was none. */
const TYPES: TypeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer }
/** The time-out of the client library ends as soon as a command is sent, so that it is none. */
const COMMAND: { readonly typeMapping: TypeMapping; readonly timeout: number } = { typeMapping: TYPES, timeout: 0 }

export class Connection {
  private readonly client: Client
  private readonly options: ConnectionOptions
  private readonly ending = new AbortController()
  private readonly bound = new Bound()
  private heartbeat: NodeJS.Timeout | undefined
  private heardAtMs = 0
  private isReady = false
  readonly server: Server
  /** Host and port, for messages. */
  readonly place: string
  /** The server's. Whoever is told it says so here. */
  readonly time: StoreTime = new StoreTime()

  private constructor(server: Server, options: ConnectionOptions) {
    this.server = server
    this.place = placeOf(server)
    this.options = options
    this.client = newClient({
      ...(server.username === undefined ? {} : { username: server.username }),
      ...(server.password === undefined ? {} : { password: server.password }),
      database: server.database,
      commandOptions: COMMAND,
      disableOfflineQueue: true,
      disableClientInfo: true,
      maintNotifications: 'disabled',
      socket: {
        host: server.host,
        port: server.port,
        ...(server.tls ? { tls: true as const, ...options.tls } : {}),
        connectTimeout: options.timeoutMs,
        reconnectStrategy: false,
        // Also while it connects, when `destroy` does not reach the socket.
        signal: this.ending.signal,
      },
    })
  }

  /**
   * Resolves when it can be used.
   * @throws by rejection: StoreError; what Redis or the client library say
   */
  static async open(server: Server, options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(server, options)
    await connection.open()
    return connection
  }

  get isOpen(): boolean {
    return this.isReady
  }

  /** How long it was silent, in ms. */
  private get silentMs(): number {
    return performance.now() - this.heardAtMs
  }

  /** @throws by rejection: StoreError; what Redis says */
  async call(said: Said): Promise<Reply> {
    const args = typeof said === 'function' ? said(this.time) : said
    const release = this.bound.take(this.place, bytesOf(args))
    const sent = this.client.sendCommand<Reply>(args, COMMAND)
    // When the library has let go of it: later than the caller, perhaps.
    sent.finally(release).catch(() => undefined)
    try {
      return await this.inTime(sent, false)
    } catch (error) {
      if (isReadOnly(error)) this.end()
      throw error
    }
  }

  /** To a node of a cluster that does not have the slot yet. */
  async ask(args: Said): Promise<Reply> {
    const [, reply] = await Promise.all([this.call(['ASKING']), this.call(args)])
    return reply
  }

  /** Resolves as soon as what is published comes. */
  async subscribe(channel: string, isSharded: boolean): Promise<void> {
    if (!this.isReady) throw this.lostError()
    const { client, listener } = this
    await this.inTime(
      isSharded ? client.sSubscribe(channel, listener, true) : client.subscribe(channel, listener, true),
      true,
    )
  }

  async unsubscribe(channel: string, isSharded: boolean): Promise<void> {
    if (!this.isReady) return
    const { client, listener } = this
    await this.inTime(
      isSharded ? client.sUnsubscribe(channel, listener, true) : client.unsubscribe(channel, listener, true),
      true,
    )
  }

  /** What is under way fails. */
  end(): void {
    if (this.ending.signal.aborted) return
    const { signal, onLost } = this.options
    const wasReady = this.isReady
    this.isReady = false
    clearInterval(this.heartbeat)
    signal.removeEventListener('abort', this.onAbort)
    this.ending.abort()
    this.client.destroy()
    if (wasReady) onLost?.(this)
  }

  private readonly onAbort = (): void => this.end()

  private readonly listener = (message: Buffer, channel: Buffer): void => {
    this.heardAtMs = performance.now()
    try {
      this.options.onPush?.(channel.toString(), new Uint8Array(message))
    } catch (error) {
      // Not into the client library, which would lose its place in what comes.
      queueMicrotask(() => {
        throw error
      })
    }
  }

  private async open(): Promise<void> {
    const { client } = this
    const { signal, timeoutMs, mustLead, onMoved, onOpen } = this.options
    if (signal.aborted) throw unavailable(this.place, 'is not asked any more')
    signal.addEventListener('abort', this.onAbort)
    // After bytes that are no reply the client library goes on with the next ones, and gives each reply to the command before: nothing that comes may be believed any more.
    client.on('error', () => this.end())
    client.on('terminated', this.onAbort)
    // Given up while it was connecting.
    client.on('connect', () => {
      if (this.ending.signal.aborted) client.destroy()
    })
    client.on('sharded-channel-moved', (channel: string) => onMoved?.(channel, this))
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.end()
    }, timeoutMs)
    try {
      await client.connect()
      if (mustLead) await this.checkLeads()
    } catch (error) {
      this.end()
      throw isLate ? this.lateError() : error
    } finally {
      clearTimeout(timer)
    }
    if (this.ending.signal.aborted) throw this.lostError()
    this.isReady = true
    this.heardAtMs = performance.now()
    this.heartbeat = setInterval(() => void this.beat(), timeoutMs)
    onOpen?.()
  }

  private async beat(): Promise<void> {
    try {
      if (this.options.mustLead) await this.checkLeads()
      else if (this.silentMs >= this.options.timeoutMs) await this.call(['PING'])
    } catch {
      // It is over, or the user has no right to ask: which is an answer.
    }
  }

  /** @throws StoreError by rejection */
  private async checkLeads(): Promise<void> {
    const reply = await this.call(['ROLE']).catch((error: unknown) => {
      // Who may not ask finds out with the first write.
      if (this.ending.signal.aborted || !(error instanceof ErrorReply)) throw error
      return null
    })
    const [role] = listOf(reply)
    if (!(role instanceof Buffer) || role.toString() !== 'slave') return
    this.end()
    throw unfit(this.place, 'is a replica, which takes no writes')
  }

  /** @param mustAnswer Whether the connection is given up also if something else was heard */
  private inTime<T>(answer: Promise<T>, mustAnswer: boolean): Promise<T> {
    const { timeoutMs } = this.options
    const sentAtMs = performance.now()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(this.lateError())
        if (mustAnswer || this.heardAtMs < sentAtMs) this.end()
      }, timeoutMs)
      answer
        .finally(() => clearTimeout(timer))
        .then(
          (reply) => {
            this.heardAtMs = performance.now()
            resolve(reply)
          },
          (error: Error) => {
            if (error instanceof ErrorReply) this.heardAtMs = performance.now()
            reject(error)
          },
        )
    })
  }

  private lostError(): StoreError {
    return unavailable(this.place, `can't be reached: the connection is lost`)
  }

  private lateError(): StoreError {
    return unavailable(this.place, `has not answered in ${this.options.timeoutMs} ms`)
  }
}

export function placeOf({ host, port }: Pick<Server, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** What is no list has nothing in it. */
export function listOf(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : []
}

export function bytesOf(args: readonly Argument[]): number {
  return args.reduce((sum, arg) => sum + arg.length, 0)
}
