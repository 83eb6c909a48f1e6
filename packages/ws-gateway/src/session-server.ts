/**
 * The process of a session: a GenServer that calls the session's callbacks.
 *
 * It traps exits so that `terminate` runs however the session ends, and does with exit signals what a process that doesn't trap would do.
 *
 * Events of the socket come as instances of a class: nobody else can make them, and they can't come from another node.
 */
import { GenServer, type InfoResult, type NoReplyResult } from '@pidmesh/gen-server'
import { hasType, reasonOfThrown, type ExitReason, type Via } from '@pidmesh/runtime'
import type { SessionClass, SocketSession } from './session.ts'

export class SocketMessage {
  readonly message: unknown
  /** Told when the session is done with it. */
  readonly done: () => void

  constructor(message: unknown, done: () => void) {
    this.message = message
    this.done = done
  }
}

export class SocketClosed {
  readonly code: number
  readonly reason: string

  constructor(code: number, reason: string) {
    this.code = code
    this.reason = reason
  }
}

export interface SessionServerOptions<ClientMessage, ServerMessage, Principal> {
  readonly session: SessionClass<ClientMessage, ServerMessage, Principal>
  readonly names: Via
  readonly principal: Principal
  readonly write: (message: unknown) => void
}

type AnySession = SocketSession<unknown, unknown, unknown>

export class SessionServer extends GenServer {
  #session: AnySession | undefined = undefined

  override async init(options: SessionServerOptions<never, never, never>): Promise<void> {
    const { session: Session, names, principal, write } = options
    const session = new Session()
    session.enter({ self: this.self, names, principal, write })
    this.#session = session
    try {
      await session.handleConnect()
    } catch (thrown) {
      await session.terminate(reasonOfThrown(thrown))
      throw thrown
    }
  }

  /** A session takes no calls and no casts, and must not end of one that comes astray: the caller's timeout tells. */
  override handleCall(): NoReplyResult {
    return this.noreply()
  }

  override handleCast(): void {}

  override async handleInfo(message: unknown): Promise<InfoResult> {
    const session = this.#session
    if (session === undefined) return undefined
    if (message instanceof SocketMessage) {
      try {
        await session.handleMessage(message.message)
      } finally {
        message.done()
      }
      return undefined
    }
    if (message instanceof SocketClosed) {
      await session.handleDisconnect(message.code, message.reason)
      return this.stop({ shutdown: 'socket_closed' })
    }
    if (hasType(message, 'EXIT')) {
      const { reason } = message
      return reason === 'normal' ? undefined : this.stop(reason)
    }
    await session.handleInfo(message)
    return undefined
  }

  override async terminate(reason: ExitReason): Promise<void> {
    await this.#session?.terminate(reason)
  }
}
