/**
 * The effects of core.ts: sockets, timers, tokens, listeners. It decides nothing.
 *
 *   socket, timer, token, send() ─▶ dispatch ─▶ step ─▶ effects, one after the other ─▶ socket, listeners
 *
 * Invariants: effects run in the order in which they were decided, also those of what a listener does meanwhile; nothing of a socket but the current one is written to
 * or heard; nothing that the application's functions throw gets further.
 */
import type { Encoded } from './codec.ts'
import { fieldsOf, isCount, serverControl } from './controls.ts'
import { step } from './core.ts'
import { createListeners, type ClientEvents } from './listeners.ts'
import type { CheckedOptions, SocketLike } from './options.ts'
import { hasRoom, waiting } from './outbox.ts'
import { quietly } from './quietly.ts'
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
export interface Client<in ClientMessage, out ServerMessage> {
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
  /** Ends the session, for good. What is `queued` is not sent. The gateway is told if the client is `open`; otherwise the session may stay there for its `graceMs`. */
  close(): void
}

export function startClient<ClientMessage, ServerMessage>(
  options: CheckedOptions,
): Client<ClientMessage, ServerMessage> {
  const { codec, clock, memory, random, settings } = options
  const { add, tell, guard, report } = createListeners(options.onError)
  const saved = guard(() => memory?.load())
  let core: State = initialState(settings, resumeStateOf(saved), random())
  /** Without a socket it is heard, and written to no more. */
  let current: { readonly id: number; readonly socket?: SocketLike } | undefined
  let timer: { readonly dueMs: number; readonly cancel: () => void } | undefined
  const effects: Effect[] = []

  function dispatch(event: Event): void {
    const next = step(core, event, { nowMs: clock.nowMs(), fraction: random() })
    core = next.state
    const isRunning = effects.length > 0
    effects.push(...next.effects)
    if (isRunning) return
    // Also those that come meanwhile.
    for (const effect of effects) run(effect)
    effects.length = 0
    schedule()
  }

  function run(effect: Effect): void {
    switch (effect.type) {
      case 'askToken':
        return askToken(effect.id)
      case 'open':
        return open(effect.id, effect.url)
      case 'control':
        return write(
          effect.id,
          guard(() => codec.control(effect.control)),
        )
      case 'frame':
        return write(
          effect.id,
          guard(() => codec.frame(effect.messages)),
        )
      case 'closeSocket':
        return closeSocket(effect.id, effect.code)
      case 'save':
        return guard(() => memory?.save(effect.resume))
      case 'tellMessages':
        return tellMessages(effect.messages, effect.seq)
      case 'tell':
        return tell(effect.name, effect.event)
    }
  }

  function tellMessages(messages: readonly unknown[], firstSeq: number): void {
    let seq = firstSeq
    for (const message of messages) {
      // A listener may have closed the client.
      if (core.phase.is !== 'closed') tell('message', message, seq++)
    }
  }

  function askToken(id: number): void {
    const { token: given } = options
    if (typeof given !== 'function') return dispatch({ type: 'token', id, token: given })
    // A function that throws at once is one that rejects.
    new Promise<unknown>((resolve) => resolve(given())).then(
      (token) => dispatch({ type: 'token', id, token: typeof token === 'string' ? token : undefined }),
      (error: unknown) => {
        report(error)
        dispatch({ type: 'tokenFailed', id })
      },
    )
  }

  function open(id: number, url: string): void {
    let socket: SocketLike
    try {
      socket = new options.WebSocket(url, [codec.subprotocol])
    } catch (error) {
      // A page that came by https may not open a plain socket. Not at once: of the first one `connect` has nobody to tell yet.
      clock.after(0, () => dispatch({ type: 'closed', id, code: 1006, reason: String(error) }))
      return
    }
    let failure = ''
    socket.binaryType = 'arraybuffer'
    current = { id, socket }
    socket.onopen = () => dispatch({ type: 'opened', id })
    socket.onmessage = ({ data }: { readonly data: unknown }) => onFrame(id, data)
    socket.onclose = ({ code, reason: told }: { readonly code: number; readonly reason: string }) => {
      if (current?.id !== id) return
      current = undefined
      const reason = told || failure
      dispatch({ type: 'closed', id, code, reason, isRetried: guard(() => options.shouldRetry?.(code, reason)) })
    }
    // `close` follows. Browsers and Node.js don't say what it was; and without a listener that of `ws` would end the program.
    socket.onerror = ({ message = '' }: { readonly message?: string }) => (failure = message)
  }

  function onFrame(id: number, data: unknown): void {
    // What is no frame is told as that.
    const frame = quietly(() => codec.decode(data))
    if (Array.isArray(frame)) dispatch({ type: 'messages', id, messages: frame as readonly unknown[] })
    else dispatch({ type: 'control', id, control: serverControl(frame) })
  }

  function write(id: number, frame: Encoded | undefined): void {
    if (current?.id !== id) return
    const { socket } = current
    if (frame && quietly(() => (socket?.send(frame), id))) return
    // What its codec doesn't encode, or the socket doesn't take, is missing there, and the session would take the next for it. The next socket may do better; the session will say what it has got.
    current = { id }
    quietly(() => socket?.close())
  }

  /** A dead gateway never answers the closing handshake: the socket is forgotten at once. */
  function closeSocket(id: number, code: 1000 | undefined): void {
    if (current?.id !== id) return
    const { socket } = current
    current = undefined
    // If that throws, it has failed already.
    quietly(() => socket?.close(code))
  }

  function schedule(): void {
    const due = dueMs(core)
    // A timer that comes too early does no harm.
    if ((timer?.dueMs ?? Infinity) <= due && due !== Infinity) return
    timer?.cancel()
    timer =
      due === Infinity
        ? undefined
        : { dueMs: due, cancel: clock.after(Math.max(0, Math.ceil(due - clock.nowMs())), onTimer) }
  }

  function onTimer(): void {
    timer = undefined
    dispatch({ type: 'tick' })
  }

  // It is due.
  onTimer()
  return {
    get state() {
      return clientState(core)
    },
    get seq() {
      return core.session?.seq ?? 0
    },
    on: add,
    send: (message) => {
      if (core.phase.is === 'closed') return 'closed'
      const encoded = codec.encode(message)
      if (!hasRoom(core.outbox, settings, encoded.length)) return 'full'
      dispatch({ type: 'send', message: encoded })
      return core.phase.is === 'open' && waiting(core.outbox) === 0 ? 'sent' : 'queued'
    },
    wake: () => dispatch({ type: 'wake' }),
    close: () => dispatch({ type: 'close' }),
  }
}

/** Storage holds anything. */
function resumeStateOf(saved: unknown): ResumeState | undefined {
  const { token, seq } = fieldsOf(saved)
  return typeof token === 'string' && isCount(seq) ? { token, seq } : undefined
}
