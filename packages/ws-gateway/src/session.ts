/**
 * SocketSession: the process of one client, as its author writes it.
 *
 *   a client connects ───▶ handleConnect()            names are registered here; until it is done no message is handled
 *   message from client ─▶ handleMessage(message)
 *   message to process ──▶ handleInfo(message)        by default it goes to the client: a push is a message send
 *   a watched room ──────▶ handlePresence(message)    by default it goes to the client
 *   the socket closes ───▶ handleDisconnect(code, reason)
 *                            the session waits for the client, if it can resume: what is pushed meanwhile is kept for it
 *   the client is back ──▶ handleResume()             on this node; or on another one:
 *                            handOver() on the old node ──▶ handleTakeover(state), handleResume() on the new one
 *   a fresh token ───────▶ handleRefresh(former)
 *   the end, however ────▶ terminate(reason)          and the socket is closed, with a code by the reason
 *
 * What callbacks return is not looked at, but for `handOver`. They may be async; a session handles one thing at a time, to its end. A throw ends the session and closes the socket with 1011; no other
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
  Pid,
  PidmeshError,
  Ref,
  shown,
  type Awaitable,
  type Context,
  type ExitReason,
  type Logger,
  type NameMeta,
  type NodeName,
  type Via,
} from '@pidmesh/runtime'
import { CLOSE, closeReason, isCloseCause, type CloseCause } from './close-codes.ts'
import type { PresenceMessage } from './presence.ts'
import type { NameFor } from './name-for.ts'
import type { NamePolicy } from './session-names.ts'
import type { SessionRooms } from './session-rooms.ts'

/** A class of sessions. */
export type SessionClass<ClientMessage, ServerMessage, Principal, Info = ServerMessage> = new () => SocketSession<
  ClientMessage,
  ServerMessage,
  Principal,
  Info
> & {
  // Not as methods, of which TypeScript takes any parameter that has something in common: they must take all that the class says it takes.
  readonly handleMessage: (message: NoInfer<ClientMessage>) => unknown
  readonly handleInfo: (message: NoInfer<Info>) => unknown
}

/** What `handleInfo` takes that nobody has written: a class that is sent more than its client gets (a fourth type) can't have it, or all of that would be the client's. */
type PushedByItself<ServerMessage, Info> = [Info] extends [ServerMessage] ? unknown : ServerMessage

/** A session of whatever types: what is given to it is what its gateway's types say. */
export type AnySession = SocketSession<unknown, unknown, unknown>

/** What may become of a message if the client is slow. */
export type PushOptions =
  /** It may be left out: while more than `softBufferedBytes` wait for the client, or it has no socket, it is. */
  | { readonly droppable: true }
  /** Of those with the same key the latest is enough: while more than `softBufferedBytes` wait, or there is no socket, only that is kept. */
  | { readonly coalesce: string }

/**
 * `sent`: given to the socket. `kept`: there is no socket, and it will go out when the client is back, if the ring suffices. `held`: it waits, with its key, for the client to
 * catch up. `dropped`: it was left out; or it has no form in the client's subprotocol, which is a log line; or there is nobody to get it.
 */
export type PushStatus = 'sent' | 'kept' | 'held' | 'dropped'

/** What callbacks may return; it is not looked at. */
export type Handled = Awaitable<void | PushStatus>

export interface RegisterOptions {
  /**
   * `unique`: the first keeps the name, unless its client has no socket any more; the second is closed with 4009. `replace`: the last one gets the name, the client of the one
   * before is closed with 4013. `multi`: all have it, and what is sent to it goes to each. @default 'unique'
   */
  readonly policy?: NamePolicy | undefined
  /** What every node knows with the name. */
  readonly meta?: NameMeta | undefined
}

/** What a session has of its process. Made by the gateway. */
export interface SessionSeat<Principal> {
  readonly self: Context
  readonly names: Via
  readonly rooms: SessionRooms
  readonly principal: Principal
  readonly isConnected: boolean
  push(message: unknown, options: PushOptions | undefined): PushStatus
  sendTo(name: string, message: unknown): void
  register(name: string, policy: NamePolicy, meta: NameMeta): Promise<'yes' | 'no'>
  setMeta(name: string, meta: NameMeta): Promise<'ok' | 'error'>
}

/** One for all names without any. */
const NO_META: NameMeta = Object.freeze({})

/** Messages of the runtime that are for the process, and no business of its client. Not those of timers: they have a reference, and `timeout` is a word that applications use, too. */
const NOT_FOR_CLIENTS: ReadonlySet<unknown> = new Set(['EXIT', 'DOWN', 'nodeup', 'nodedown'])

/**
 * `Info`: what others of this program send to such sessions, by name, in rooms, by pid: it comes to `handleInfo`. By default that is what their clients get. One that is sent more, and makes
 * something else of it, says so: `SocketSession<ClientMessage, ServerMessage, Principal, ServerMessage | Kick>`.
 */
export abstract class SocketSession<ClientMessage, ServerMessage, Principal, Info = ServerMessage> {
  // Private in the language, so that a subclass may use the words.
  #place: SessionSeat<Principal> | undefined = undefined

  /** For the compiler only: what a session takes is what its class says, also if a callback looks only at a part of it. */
  declare readonly $takes?: { readonly messages: ClientMessage; readonly infos: Info }

  /** Called by the gateway, once, before anything else. By a name that no class of yours has: a player has an `enter` of its own. */
  $enter(seat: SessionSeat<Principal>): void {
    this.#place = seat
  }

  /** This process. */
  protected get self(): Context {
    return this.#seat.self
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
    return this.#seat.principal
  }

  protected get names(): Via {
    return this.#seat.names
  }

  /** The rooms that this session is in, and how to reach others. */
  protected get rooms(): SessionRooms<Info> {
    return this.#seat.rooms
  }

  /** Whether the client has a socket now. */
  protected get isConnected(): boolean {
    return this.#seat.isConnected
  }

  /** The client has connected, and has no session that it could go on with. */
  handleConnect(): Handled {}

  /** The client has sent a message. */
  handleMessage(_message: ClientMessage): Handled {}

  /** The process has got a message: an `Info`, or of the runtime's, or whatever anybody has sent. By default it is pushed to the client, unless it is one of the runtime's own. */
  handleInfo(message: PushedByItself<ServerMessage, Info>): Handled {
    if (!isOfRuntime(message)) this.push(message as ServerMessage)
  }

  /** Who is in a room that this session watches, or what has changed there. By default it is pushed to the client. */
  handlePresence(message: PresenceMessage): Handled {
    this.push(message as ServerMessage)
  }

  /** The socket is closed. If the client can resume, the session goes on; otherwise it ends after this. */
  handleDisconnect(_code: number, _reason: string): Handled {}

  /** The client is back, and has been sent what it has missed. If it has come with a fresh token `principal` is the new one already, and `handleRefresh` doesn't run. */
  handleResume(): Handled {}

  /** The client has shown a fresh token over the socket that it has: `principal` is the new one. */
  handleRefresh(_former: Principal): Handled {}

  /**
   * The session goes to another node: what must go with it. It must be sendable. Names, rooms and what is not yet acknowledged go by themselves; timers, watches,
   * monitors and links of its process stay behind. The default gives the instance's own fields (`#fields` can't be seen).
   */
  handOver(): Awaitable<unknown> {
    return Object.fromEntries(Object.entries(this))
  }

  /**
   * The session has come from another node, with what `handOver` gave there. Its names and rooms are there, and the client has been sent what it has missed. The default
   * assigns fields. Begin here again what stays behind with the former process: timers, watches, monitors and links.
   */
  handleTakeover(state: unknown): Handled {
    if (typeof state === 'object' && state !== null) Object.assign(this, state)
  }

  /** The last thing that runs, however the session ends; unless it is killed, or goes on at another node. */
  terminate(_reason: ExitReason): Handled {}

  /** Sends a message to the client. */
  protected push(message: ServerMessage, options?: PushOptions): PushStatus {
    return this.#seat.push(message, options)
  }

  /**
   * Sends a message to whoever has the name, on whatever node, to all if several have it; nobody is told if nobody has it. Use `this.names.send` to know. It is an `Info` of this class, unless
   * the name says that it is for others: `NameFor`. A way of keeping
   * names that fails is a log line, not the end of this session.
   */
  protected sendTo<Message = Info>(name: NameFor<Message>, message: NoInfer<Message>): void {
    this.#seat.sendTo(name, message)
  }

  /**
   * Registers this session under a name that every node knows. If it can't have the name the session ends here and its socket is closed with 4009.
   * Derive names from the principal, never from what the client says.
   * @throws GatewayError `ERR_NOT_SUPPORTED` by rejection if the way of keeping names has no takeover (`replace`), or the gateway has no groups (`multi`);
   * PidmeshError `ERR_BAD_ARGUMENT` for what can be no name or metadata, and for a name that it has with others (`multi`) and wants for itself, or the other way round
   */
  protected async registerAs(name: string, { policy = 'unique', meta = NO_META }: RegisterOptions = {}): Promise<void> {
    if (policy !== 'unique' && policy !== 'replace' && policy !== 'multi')
      throw new PidmeshError('ERR_BAD_ARGUMENT', `a policy is unique, replace or multi, not ${shown(policy)}`)
    const answer = await this.#seat.register(name, policy, meta)
    // The client may have gone meanwhile: then there is nothing to close, and nobody to tell.
    if (answer !== 'yes' && this.self.isAlive) this.close(CLOSE.nameTaken)
  }

  /** Replaces what every node knows with a name of this session: `error` if it isn't one. */
  protected setMeta(name: string, meta: NameMeta): Promise<'ok' | 'error'> {
    return this.#seat.setMeta(name, meta)
  }

  /**
   * Ends the session and closes its socket with this cause: a code of yours, 3000 to 4999 but for those of the table in docs/gateway.md; or one of the table that the gateway itself
   * sends, and means the same. `@pidmesh/client` comes back after a code of yours below 4000, and not after others.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if a WebSocket can't be closed so; ends this session, if it escapes, as any error does
   */
  protected close(cause: CloseCause): never {
    if (!isCloseCause(cause)) {
      throw new PidmeshError(
        'ERR_BAD_ARGUMENT',
        'not a cause to close a socket with: a code of 3000 to 4999, or one that the gateway itself sends, and a reason of up to 123 bytes are',
      )
    }
    throw new ExitError(closeReason(cause), 'ERR_EXIT', `session closes: ${cause.reason}`)
  }

  get #seat(): SessionSeat<Principal> {
    if (this.#place === undefined)
      throw new TypeError('a session has nothing before handleConnect: do it there, not in the constructor')
    return this.#place
  }
}

/** Of monitors, links, watches: they have a type of the runtime's, or a reference or a pid that means nothing to a client. */
function isOfRuntime(message: unknown): boolean {
  if (typeof message !== 'object' || message === null) return false
  const fields = message as { readonly [field: string]: unknown }
  if (NOT_FOR_CLIENTS.has(fields['type'])) return true
  // Of each message that is pushed: no list is made of its fields.
  for (const field in fields) if (fields[field] instanceof Ref || fields[field] instanceof Pid) return true
  return false
}
