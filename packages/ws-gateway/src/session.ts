/**
 * SocketSession: the process of one WebSocket connection, as its author writes it.
 *
 *   socket opens ────────▶ handleConnect()          names are registered here; until it is done no message is handled
 *   frame from client ───▶ handleMessage(message)
 *   message to process ──▶ handleInfo(message)      by default it goes to the socket: a push is a message send
 *   socket closes ───────▶ handleDisconnect(code, reason)
 *   the end, however ────▶ terminate(reason)        and the socket is closed, with a code by the reason
 *
 * Callbacks may be async; a session handles one thing at a time, to its end. A throw ends the session and closes the socket with 1011; no other
 * session is harmed.
 *
 * @example
 *   class Chat extends SocketSession<ClientMessage, ServerMessage, { user: string }> {
 *     override handleConnect() { return this.registerAs(`user:${this.principal.user}`) }
 *     override handleMessage(message: ClientMessage) { … }
 *   }
 */
import {
  ExitError,
  hasType,
  PidmeshError,
  type Awaitable,
  type Context,
  type ExitReason,
  type Logger,
  type NameMeta,
  type NodeName,
  type Pid,
  type Via,
} from '@pidmesh/runtime'
import { CLOSE, isCloseCause, type CloseCause, type CloseReason } from './close-codes.ts'

/** A class of sessions. */
export type SessionClass<ClientMessage, ServerMessage, Principal> = new () => SocketSession<
  ClientMessage,
  ServerMessage,
  Principal
>

/** What the gateway gives to a session before it runs. */
export interface SessionSeat<Principal> {
  readonly self: Context
  readonly names: Via
  readonly principal: Principal
  readonly write: (message: unknown) => void
}

/** Messages of the runtime that are for the process, and no business of its client. */
const NOT_FOR_CLIENTS = ['EXIT', 'DOWN', 'nodeup', 'nodedown', 'timeout'] as const

export abstract class SocketSession<ClientMessage, ServerMessage, Principal> {
  #seat: SessionSeat<Principal> | undefined = undefined

  /** Called by the gateway, once, before `handleConnect`. */
  enter(seat: SessionSeat<Principal>): void {
    this.#seat = seat
  }

  /** This process. */
  protected get self(): Context {
    return this.seat.self
  }

  protected get pid(): Pid {
    return this.self.pid
  }

  /** The node that the client is connected to. */
  protected get node(): NodeName {
    return this.self.node
  }

  protected get log(): Logger {
    return this.self.log
  }

  /** Who the client is: what `authenticate` said. */
  protected get principal(): Principal {
    return this.seat.principal
  }

  protected get names(): Via {
    return this.seat.names
  }

  /** The socket is open. */
  handleConnect(): Awaitable<void> {}

  /** The client has sent a message. */
  handleMessage(_message: ClientMessage): Awaitable<void> {}

  /** The process has got a message. By default it is pushed to the client, unless it is one of the runtime's own. */
  handleInfo(message: unknown): Awaitable<void> {
    if (NOT_FOR_CLIENTS.some((type) => hasType(message, type))) return
    this.push(message as ServerMessage)
  }

  /** The socket is closed; the session ends after this. */
  handleDisconnect(_code: number, _reason: string): Awaitable<void> {}

  /** The last thing that runs, however the session ends; unless it is killed. */
  terminate(_reason: ExitReason): Awaitable<void> {}

  /** Sends a message to the client. What has no form in JSON is dropped with a log line. */
  protected push(message: ServerMessage): void {
    this.seat.write(message)
  }

  /**
   * Sends a message to whoever has the name, on whatever node; nobody is told if nobody has it. Use `this.names.send` to know. A way of keeping
   * names that fails is a log line, not the end of this session.
   */
  protected sendTo(name: string, message: unknown): void {
    const status = this.names.send(name, message)
    if (status instanceof Promise) {
      status.catch((error: unknown) =>
        this.log.warn({ name, problem: String(error) }, 'a message to a name was not sent'),
      )
    }
  }

  /**
   * Registers this session under a name that every node knows. If the name is taken the session ends here and its socket is closed with 4009.
   * Derive names from the principal, never from what the client says.
   */
  protected async registerAs(name: string, meta: NameMeta = {}): Promise<void> {
    const answer = await this.names.registerName(name, this.pid, meta)
    // The client may have gone meanwhile: then there is nothing to close, and nobody to tell.
    if (answer !== 'yes' && this.self.isAlive) this.close(CLOSE.nameTaken)
  }

  /**
   * Ends the session and closes its socket with this cause: 4000 to 4999 are free for applications.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if a WebSocket can't be closed so; ends this session, if it escapes, as any error does
   */
  protected close(cause: CloseCause): never {
    if (!isCloseCause(cause)) {
      throw new PidmeshError(
        'ERR_BAD_ARGUMENT',
        `not a cause to close a socket with: a code of 3000 to 4999 and a reason of up to 123 bytes are`,
      )
    }
    const reason: CloseReason = { close: cause, shutdown: 'closed_by_session' }
    throw new ExitError(reason, 'ERR_EXIT', `session closes: ${cause.reason}`)
  }

  private get seat(): SessionSeat<Principal> {
    if (this.#seat === undefined)
      throw new TypeError('a session has nothing before handleConnect: do it there, not in the constructor')
    return this.#seat
  }
}
