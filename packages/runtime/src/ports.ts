/**
 * All that the core asks of the world. Production adapters stand in system/ and transport/; the simulation has its own in testing/.
 */

export interface TimerHandle {
  /** The timer will not fire any more. No effect if it has fired. */
  cancel(): void
}

export interface Clock {
  /** Milliseconds, never going back, from an arbitrary start; used for all durations. */
  monotonicMs(): number
  /** Milliseconds since 1970. May jump. Used for incarnations and log lines only. */
  wallMs(): number
  /** Calls `fire` once, `delayMs` from now, never within this call; with 0, when sockets have had theirs. Delays beyond 2^31 ms are honoured. */
  setTimer(delayMs: number, fire: () => void): TimerHandle
}

export interface Random {
  /** Unpredictable bytes, good for nonces. */
  bytes(length: number): Uint8Array
  /** A number in [0, 1). */
  fraction(): number
}

export type LogFields = { readonly [key: string]: unknown }

export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  child(fields: LogFields): Logger
}

/** What of a context travels with a message: names and values such as those of HTTP headers. All together 1 KiB at most, and 32 names. */
export type Carrier = { readonly [name: string]: string }

/**
 * Carries the context of the code that sends a message to the code that handles it, on whatever node: OpenTelemetry's, say, of which the runtime knows nothing.
 * Whatever it throws is logged, and the message goes without its context.
 */
export interface Propagation {
  /**
   * What is active now; `undefined` for nothing. Called in each `send`, `request` and `spawn`, synchronously: keep it short. What is larger than a carrier may
   * be is dropped, and logged.
   */
  capture(): Carrier | undefined
  /**
   * Calls `run` once, before it returns, in the context that the carrier stands for, and what `run` starts is to stay in it; `undefined`: in none, whatever is
   * active.
   */
  run(carrier: Carrier | undefined, run: () => void): void
}

/** Drives the run queue: nact in production, the simulation's driver in tests. */
export interface Pump {
  /** The queue has work: call the turn soon, never within this call. Calls before that turn has begun are one call. */
  wake(): void
  stop(): void
}

export interface PumpOptions {
  readonly systemName: string
  readonly clock: Clock
  /** Milliseconds of turns after which sockets and timers must get theirs. */
  readonly budgetMs: number
  /**
   * Runs the queue until it is empty or the clock has passed `endsAtMs`, and says whether it is to be called again: behind the microtasks that wait now, or
   * later. `nowMs` is the clock's time, just read. Never throws.
   */
  readonly turn: (nowMs: number, endsAtMs: number) => boolean
}

export type PumpFactory = (options: PumpOptions) => Pump

/** Waits for what is about to arrive without going to sleep. */
export interface BusyWait {
  /** Until then, by the clock's monotonic time; the last one that was said counts. Returns at once; may find that it is better to sleep. */
  until(monotonicMs: number): void
  /** It is here. */
  end(): void
}

/** Why a link ended, in the transport's view. */
export type LinkEnd =
  | { readonly type: 'closed' }
  /** A dial that found nobody, or a node that is there no more. */
  | { readonly type: 'unreachable'; readonly detail: string }
  | { readonly type: 'failed'; readonly detail: string }

export interface LinkEvents {
  /** Bytes that a frame may have now; a transport that knows a frame's length before all of it is there ends the link at a longer one. @default a mebibyte */
  readonly frameLimit?: number
  /** Frames arrive whole, once, and in the order in which they were sent. */
  onFrame(frame: Uint8Array): void
  /** Something of what was sent has been passed on; `bufferedBytes` may have told so before. */
  onPassedOn?(): void
  /** At most once, and nothing after it. Not called for a `close` of one's own. */
  onEnd(end: LinkEnd): void
}

/** One ordered, reliable, bidirectional stream of frames between two nodes. */
export interface Link {
  readonly remoteAddress: string
  /** Bytes handed to `send` that the transport has not yet passed on. */
  readonly bufferedBytes: number
  /**
   * The nodes that the other side's certificate is for, known when its first frame is here. `undefined`: this transport has no certificates; empty: it has, and the
   * other side's is for nobody.
   */
  readonly certifiedNames?: readonly string[] | undefined
  /** Takes the frame whatever is buffered: bounds are the caller's. A frame sent on an ended link is dropped. */
  send(frame: Uint8Array): void
  /** Frames sent before it are delivered if the other side still reads; no event comes after it. Idempotent. */
  close(): void
}

/** Both sides of a connection show a certificate: mutual TLS. All are texts in PEM form. */
export interface TlsOptions {
  /** Whose signature on another node's certificate counts. */
  readonly ca: string
  /** This node's, which names it as `URI:pidmesh://name@host` among its alternative names. */
  readonly certificate: string
  readonly privateKey: string
}

/** One node's access to the network. */
export interface Transport {
  /**
   * Listens at `host:port` and gives each link that comes in to `accept`. `onStranger` is told of a connection that has said something and made no
   * link, and why, if that is known. Resolves with the address, with the real port if 0 was asked for.
   * @throws PidmeshError `ERR_PORT_IN_USE` if the address is taken, `ERR_LISTEN` if it can't be listened on for another reason.
   */
  listen(
    address: string,
    accept: (link: Link) => LinkEvents,
    onStranger?: (from: string, detail?: string) => void,
  ): Promise<string>
  /**
   * Returns at once; frames may be sent before the other side has answered. A dial that fails ends with `unreachable`. No event comes within
   * this call.
   */
  dial(address: string, events: LinkEvents): Link
  /** Closes all links and stops listening; resolves when nothing of it keeps the OS process alive. What was sent before is delivered if possible. */
  stop(): Promise<void>
}
