/**
 * What `connect` can be told, and the check of it.
 */
import { json, type Codec, type Encoded } from './codec.ts'
import { fieldsOf, isCount } from './controls.ts'
import { ClientError } from './errors.ts'
import { UNTOLD } from './outbox.ts'
import { quietly } from './quietly.ts'
import type { ResumeState, Settings } from './state.ts'

/** What the client needs of a WebSocket: browsers' has it, and that of `ws`. */
export interface SocketLike {
  binaryType: string
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(data: Encoded): void
  close(code?: number): void
}

export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike

export interface ClientClock {
  /** Goes only forward. */
  nowMs(): number
  /** Gives what cancels it. */
  after(delayMs: number, run: () => void): () => void
}

/** Where a page keeps its session while it is loaded again: the storage of its tab. */
export interface ResumeMemory {
  /** What was saved last; anything else is passed over. */
  load(): ResumeState | undefined
  /** After each frame with messages. `undefined`: there is nothing to go on with any more. */
  save(state: ResumeState | undefined): void
}

export interface ClientOptions {
  /** One gateway or several: `ws:`, `wss:`, `http:` or `https:`. It begins with any of them, and after a failure goes on to the next. */
  readonly urls: string | readonly string[]
  /** Who the client is. A function is called for each connection, and when the gateway says that the token will expire. */
  readonly token?: string | (() => string | undefined | Promise<string | undefined>) | undefined
  /** @default JSON */
  readonly codec?: Codec | undefined
  /** @default globalThis.WebSocket */
  readonly WebSocket?: SocketConstructor | undefined
  /** Its answer counts, not the client's own; `undefined`: the client's own does. */
  readonly shouldRetry?: ((code: number, reason: string) => boolean | undefined) | undefined
  readonly memory?: ResumeMemory | undefined
  /** What a listener, or another function of the application, has thrown. @default reportError, or the console */
  readonly onError?: ((error: unknown) => void) | undefined

  /** Messages that may wait, or be on their way, at once: at least 16. @default 1000 */
  readonly maxQueued?: number | undefined
  /** And so much of them together, encoded. @default 1048576 */
  readonly maxQueuedBytes?: number | undefined
  /** What waits goes out so fast, and twice so much at once: half of what a gateway allows by default. @default 50 */
  readonly maxMessagesPerSecond?: number | undefined
  /** For a token, and then for a connection to be ready. @default 10000 */
  readonly connectTimeoutMs?: number | undefined
  /** After so long a silence the gateway is asked whether it is there. @default 20000 */
  readonly pingAfterMs?: number | undefined
  /** And given up if it says nothing for so long. @default 10000 */
  readonly pingTimeoutMs?: number | undefined
  /** The first retry comes within so long. @default 250 */
  readonly minRetryMs?: number | undefined
  /** None waits longer, unless the gateway says so. @default 30000 */
  readonly maxRetryMs?: number | undefined

  /** @default performance.now and setTimeout */
  readonly clock?: ClientClock | undefined
  /** Numbers in [0, 1). @default Math.random */
  readonly random?: (() => number) | undefined
}

export interface CheckedOptions {
  readonly settings: Settings
  readonly token: ClientOptions['token'] | undefined
  readonly codec: Codec
  readonly WebSocket: SocketConstructor
  readonly shouldRetry: ((code: number, reason: string) => boolean | undefined) | undefined
  readonly memory: ResumeMemory | undefined
  readonly onError: (error: unknown) => void
  readonly clock: ClientClock
  readonly random: () => number
}

const NUMBERS = {
  maxQueued: 1_000,
  maxQueuedBytes: 1024 * 1024,
  maxMessagesPerSecond: 50,
  connectTimeoutMs: 10_000,
  pingAfterMs: 20_000,
  pingTimeoutMs: 10_000,
  minRetryMs: 250,
  maxRetryMs: 30_000,
}
/** Options that are functions, or have these. */
const FUNCTIONS = {
  codec: ['encode', 'frame', 'control', 'decode'],
  memory: ['load', 'save'],
  clock: ['nowMs', 'after'],
  WebSocket: [],
  shouldRetry: [],
  onError: [],
  random: [],
}
/** What a timer takes. */
const MAX_NUMBER = 2 ** 31 - 1

const SYSTEM_CLOCK: ClientClock = {
  nowMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

/** @throws ClientError `ERR_BAD_OPTION`, `ERR_NO_WEBSOCKET` */
export function checkOptions(options: ClientOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw bad('options')
  for (const [name, value] of Object.entries(options) as readonly [string, unknown][]) {
    const parts = (FUNCTIONS as { readonly [name: string]: readonly string[] })[name]
    if (parts !== undefined ? !isOf(value, parts) : !(name in NUMBERS || name === 'urls' || name === 'token'))
      throw bad(name)
  }
  const { urls, token, codec = json, WebSocket = globalThis.WebSocket, memory, shouldRetry } = options
  const { onError = report, random = Math.random, clock = SYSTEM_CLOCK } = options
  if (WebSocket === undefined) throw new ClientError('ERR_NO_WEBSOCKET', 'no WebSocket: pass that of the package ws')
  if (token !== undefined && typeof token !== 'string' && typeof token !== 'function') throw bad('token')
  return {
    settings: { ...checkNumbers(options), urls: checkUrls(urls), asksForTokens: typeof token === 'function' },
    ...{ token, codec, WebSocket, memory, shouldRetry, onError, random, clock },
  }
}

function isOf(value: unknown, parts: readonly string[]): boolean {
  const all = parts.length > 0 ? parts.map((part) => fieldsOf(value)[part]) : [value]
  return value === undefined || all.every((one) => typeof one === 'function')
}

function checkNumbers(options: ClientOptions): typeof NUMBERS {
  const checked = { ...NUMBERS }
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const value = options[name] ?? checked[name]
    if (!isCount(value) || value < 1 || value > MAX_NUMBER) throw bad(name)
    checked[name] = value
  }
  // The gateway says what it has got after 16 messages: who may send fewer would wait for ever.
  if (checked.maxQueued < UNTOLD) throw bad(`maxQueued: under ${UNTOLD}`)
  if (checked.maxRetryMs < checked.minRetryMs) throw bad('maxRetryMs: under minRetryMs')
  return checked
}

function checkUrls(urls: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(urls) ? urls : [urls]
  if (list.length === 0) throw bad('urls')
  return list.map((text) => {
    const href = quietly(() => new URL(text as string).href) ?? ''
    if (!/^(ws|http)s?:/.test(href)) throw bad(`urls: ${String(text)}`)
    // What follows `#` a WebSocket refuses.
    return href.replace(/^http/, 'ws').replace(/#.*/, '')
  })
}

function bad(what: string): ClientError {
  return new ClientError('ERR_BAD_OPTION', `bad option: ${what}`)
}

/** As if nobody had caught it, but that Node.js does not end of it. */
function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else globalThis.console.error(error)
}
