/**
 * The effects of core.ts: sockets, timers, tokens, listeners. It decides nothing.
 *
 *   socket, timer, token, send() ─▶ dispatch ─▶ step ─▶ effects, one after the other ─▶ socket, listeners
 *
 * Invariants: effects run in the order in which they were decided, also those of what a listener does meanwhile; nothing of a socket but the current one is written to
 * or heard; nothing that the application's functions throw gets further.
 */
import type { Encoded } from './codec.ts'
import { serverControl } from './controls.ts'
import { step } from './core.ts'
import { Listeners, type ClientEvents } from './listeners.ts'
import type { CheckedOptions, SocketLike } from './options.ts'
import { hasRoom, waiting } from './outbox.ts'
import {
  clientState,
  dueMs,
  initialState,
  type ClientState,
  type Effect,
  type Event,
  type ResumeState,
  type State,
} from './state.ts'

/** `sent`: handed to a socket. `queued`: it will be. `full`: too many wait, and it won't. `closed`: nothing is sent any more. */
export type SendStatus = 'sent' | 'queued' | 'full' | 'closed'

/** A connection that comes back. */
export interface Client<ClientMessage, ServerMessage> {
  readonly state: ClientState
  /** The number of the last message of this session. */
  readonly seq: number
  /** Gives a function that ends it. What a listener throws goes to `onError`, and harms nothing else. */
  on<Name extends keyof ClientEvents<ServerMessage>>(
    name: Name,
    listener: ClientEvents<ServerMessage>[Name],
  ): () => void
  /**
   * The session gets what was `sent` or `queued` once, and in order, unless it is lost: then `gap` says of how many messages that isn't known.
   * @throws ClientError `ERR_NOT_SENDABLE`
   */
  send(message: ClientMessage): SendStatus
  /** Tries again at once, or looks whether the gateway is there: for a page that is seen again, or a network that is back. */
  wake(): void
  /** Ends the session, for good. What is `queued` is not sent. */
  close(): void
}

interface Current {
  readonly id: number
  readonly socket: SocketLike
}

export class GatewayClient<ClientMessage, ServerMessage> implements Client<ClientMessage, ServerMessage> {
  private readonly options: CheckedOptions
  private readonly listeners: Listeners<ServerMessage>
  private core: State
  private current: Current | undefined = undefined
  private readonly effects: Effect[] = []
  private isRunning = false
  private timer: { readonly dueMs: number; readonly cancel: () => void } | undefined = undefined

  constructor(options: CheckedOptions) {
    this.options = options
    this.listeners = new Listeners(options.onError)
    const saved = this.listeners.guard(() => options.memory?.load())
    this.core = initialState(options.settings, isResumeState(saved) ? saved : undefined, options.random())
    this.dispatch({ type: 'start' })
  }

  get state(): ClientState {
    return clientState(this.core)
  }

  get seq(): number {
    return this.core.session?.seq ?? 0
  }

  on<Name extends keyof ClientEvents<ServerMessage>>(
    name: Name,
    listener: ClientEvents<ServerMessage>[Name],
  ): () => void {
    return this.listeners.add(name, listener)
  }

  send(message: ClientMessage): SendStatus {
    if (this.core.phase.is === 'closed') return 'closed'
    const encoded = this.options.codec.encode(message)
    if (!hasRoom(this.core.outbox, this.options.settings, encoded.length)) return 'full'
    return this.dispatch({ type: 'send', message: encoded })
  }

  wake(): void {
    this.dispatch({ type: 'wake' })
  }

  close(): void {
    this.dispatch({ type: 'close' })
  }

  /** Says whether all messages have gone out. */
  private dispatch(event: Event): 'sent' | 'queued' {
    const { clock, random } = this.options
    const { state, effects } = step(this.core, event, { nowMs: clock.nowMs(), fraction: random() })
    this.core = state
    this.effects.push(...effects)
    const isSent = state.phase.is === 'open' && waiting(state.outbox) === 0
    if (!this.isRunning) this.run()
    return isSent ? 'sent' : 'queued'
  }

  private run(): void {
    this.isRunning = true
    for (let effect = this.effects.shift(); effect !== undefined; effect = this.effects.shift()) this.do(effect)
    this.isRunning = false
    this.schedule()
  }

  private do(effect: Effect): void {
    const { listeners, options } = this
    switch (effect.type) {
      case 'askToken':
        return this.askToken(effect.id)
      case 'open':
        return this.open(effect.id, effect.url)
      case 'control':
        return this.write(effect.id, options.codec.control(effect.control))
      case 'frame':
        return this.write(effect.id, options.codec.frame(effect.messages))
      case 'closeSocket':
        return this.closeSocket(effect.id, effect.code)
      case 'save':
        return listeners.guard(() => options.memory?.save(effect.resume))
      case 'tellMessages':
        return this.tellMessages(effect.messages, effect.firstSeq)
      case 'tellOpen':
        return listeners.tell('open', { isResumed: effect.isResumed })
      case 'tellGap':
        return listeners.tell('gap', effect.gap)
      case 'tellClose':
        return listeners.tell('close', effect.close)
      case 'tellState':
        return listeners.tell('state', effect.state)
    }
  }

  private tellMessages(messages: readonly unknown[], firstSeq: number): void {
    for (const [index, message] of messages.entries()) {
      // A listener may have closed the client.
      if (this.core.phase.is === 'closed') return
      // The gateway's session is typed by what it pushes.
      this.listeners.tell('message', message as ServerMessage, firstSeq + index)
    }
  }

  private askToken(id: number): void {
    const failed = (error: unknown): void => {
      this.listeners.guard(() => this.options.onError(error))
      this.dispatch({ type: 'tokenFailed', id })
    }
    // A function that throws at once is one that rejects.
    const asked = new Promise<string | undefined>((resolve) => resolve(this.options.askToken()))
    asked.then((token) => {
      if (token === undefined || typeof token === 'string') this.dispatch({ type: 'token', id, token })
      else failed(new TypeError('a token must be text'))
    }, failed)
  }

  private open(id: number, url: string): void {
    const { WebSocket, codec } = this.options
    let socket: SocketLike
    try {
      socket = new WebSocket(url, [codec.subprotocol])
    } catch (error) {
      // A page that came by https may not open a plain socket.
      this.dispatch({ type: 'closed', id, code: 1006, reason: String(error), isRetried: undefined })
      return
    }
    socket.binaryType = 'arraybuffer'
    this.current = { id, socket }
    socket.onopen = () => this.dispatch({ type: 'opened', id })
    socket.onmessage = ({ data }: { readonly data: unknown }) => this.onFrame(id, data)
    socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) =>
      this.onClosed(id, code, reason)
    // `close` follows. Without a listener that of `ws` would end the program.
    socket.onerror = () => undefined
  }

  private onFrame(id: number, data: unknown): void {
    if (this.current?.id !== id) return
    let frame: unknown
    try {
      frame = this.options.codec.decode(data)
    } catch {
      frame = undefined
    }
    if (Array.isArray(frame)) this.dispatch({ type: 'messages', id, messages: frame as readonly unknown[] })
    else if (typeof frame === 'object' && frame !== null)
      this.dispatch({ type: 'control', id, control: serverControl(frame) })
    else this.dispatch({ type: 'control', id, control: { type: 'malformed' } })
  }

  private onClosed(id: number, code: number, reason: string): void {
    if (this.current?.id !== id) return
    this.current = undefined
    const isRetried = this.listeners.guard(() => this.options.shouldRetry(code, reason))
    this.dispatch({ type: 'closed', id, code, reason, isRetried })
  }

  private write(id: number, frame: Encoded): void {
    if (this.current?.id !== id) return
    try {
      this.current.socket.send(frame)
    } catch {
      // It is closing, and will say so. The session will say what it has got.
    }
  }

  /** A dead gateway never answers the closing handshake: the socket is forgotten at once. */
  private closeSocket(id: number, code: 1000 | undefined): void {
    if (this.current?.id !== id) return
    const { socket } = this.current
    this.current = undefined
    try {
      if (code === undefined) socket.close()
      else socket.close(code)
    } catch {
      // It is not open yet, or not any more.
    }
  }

  private schedule(): void {
    const due = dueMs(this.core)
    // A timer that comes too early does no harm.
    if (this.timer !== undefined && this.timer.dueMs <= due && due !== Infinity) return
    this.timer?.cancel()
    this.timer = undefined
    if (due === Infinity) return
    const { clock } = this.options
    const cancel = clock.after(Math.max(0, Math.ceil(due - clock.nowMs())), () => {
      this.timer = undefined
      this.dispatch({ type: 'tick' })
    })
    this.timer = { dueMs: due, cancel }
  }
}

function isResumeState(value: unknown): value is ResumeState {
  if (typeof value !== 'object' || value === null) return false
  const { token, seq } = value as { readonly token?: unknown; readonly seq?: unknown }
  return typeof token === 'string' && Number.isSafeInteger(seq) && (seq as number) >= 0
}
