/**
 * What `connect` can be told, and the check of it.
 */
import { json, type Codec } from './codec.ts'
import { ClientError } from './errors.ts'
import { UNTOLD } from './outbox.ts'
import type { ResumeState, Settings } from './state.ts'

/** What the client needs of a WebSocket: browsers' has it, and that of `ws`. */
export interface SocketLike {
  binaryType: string
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(data: string | Uint8Array): void
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
  readonly token?: string | (() => string | undefined | Promise<string | undefined>)
  /** @default JSON */
  readonly codec?: Codec
  /** @default globalThis.WebSocket */
  readonly WebSocket?: SocketConstructor
  /** Its answer counts, not the client's own; `undefined`: the client's own does. */
  readonly shouldRetry?: (code: number, reason: string) => boolean | undefined
  readonly memory?: ResumeMemory
  /** What a listener, or another function of the application, has thrown. @default reportError, or the console */
  readonly onError?: (error: unknown) => void

  /** Messages that may wait, or be on their way, at once: at least 16. @default 1000 */
  readonly maxQueued?: number
  /** And so much of them together, encoded. @default 1048576 */
  readonly maxQueuedBytes?: number
  /** What waits goes out so fast, and twice so much at once: half of what a gateway allows by default. @default 50 */
  readonly maxMessagesPerSecond?: number
  /** For a token, and then for a connection to be ready. @default 10000 */
  readonly connectTimeoutMs?: number
  /** After so long a silence the gateway is asked whether it is there. @default 20000 */
  readonly pingAfterMs?: number
  /** And given up if it says nothing for so long. @default 10000 */
  readonly pingTimeoutMs?: number
  /** The first retry comes within so long. @default 250 */
  readonly minRetryMs?: number
  /** None waits longer, unless the gateway says so. @default 30000 */
  readonly maxRetryMs?: number

  /** @default performance.now and setTimeout */
  readonly clock?: ClientClock
  /** Numbers in [0, 1). @default Math.random */
  readonly random?: () => number
}

export interface CheckedOptions {
  readonly settings: Settings
  readonly askToken: () => string | undefined | Promise<string | undefined>
  readonly codec: Codec
  readonly WebSocket: SocketConstructor
  readonly shouldRetry: (code: number, reason: string) => boolean | undefined
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
} as const

type NumberName = keyof typeof NUMBERS

const OTHERS = ['urls', 'token', 'codec', 'WebSocket', 'shouldRetry', 'memory', 'onError', 'clock', 'random']
/** What a timer takes. */
const MAX_NUMBER = 2 ** 31 - 1

/** @throws ClientError `ERR_BAD_OPTION`, `ERR_NO_WEBSOCKET` */
export function checkOptions(options: ClientOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw bad('connect takes an object of options')
  for (const key of Object.keys(options))
    if (!(key in NUMBERS) && !OTHERS.includes(key)) throw bad(`there is no option ${JSON.stringify(key)}`)
  const { token, codec = json, memory, clock = SYSTEM_CLOCK } = options
  if (token !== undefined && typeof token !== 'string' && typeof token !== 'function')
    throw bad('token must be text or a function')
  for (const name of ['encode', 'frame', 'control', 'decode'] as const) requireFunction(`codec.${name}`, codec[name])
  if (memory !== undefined)
    for (const name of ['load', 'save'] as const) requireFunction(`memory.${name}`, memory[name])
  for (const name of ['nowMs', 'after'] as const) requireFunction(`clock.${name}`, clock[name])
  const { shouldRetry = () => undefined, onError = report, random = Math.random } = options
  for (const [name, value] of Object.entries({ shouldRetry, onError, random })) requireFunction(name, value)
  return {
    settings: checkSettings(options),
    askToken: typeof token === 'function' ? token : () => token,
    ...{ codec, memory, clock, shouldRetry, onError, random },
    WebSocket: webSocketOf(options.WebSocket),
  }
}

function checkSettings(options: ClientOptions): Settings {
  const { urls, token } = options
  const number = (name: NumberName, least = 1): number => {
    const value = options[name] ?? NUMBERS[name]
    if (!Number.isInteger(value) || value < least || value > MAX_NUMBER)
      throw bad(`${name} must be a whole number from ${least} to ${MAX_NUMBER}`)
    return value
  }
  const minRetryMs = number('minRetryMs')
  return {
    urls: checkUrls(urls),
    token: typeof token === 'string' ? token : undefined,
    asksForTokens: typeof token === 'function',
    // The gateway says what it has got after 16 messages: who may send fewer would wait for ever.
    maxQueued: number('maxQueued', UNTOLD),
    maxQueuedBytes: number('maxQueuedBytes'),
    maxMessagesPerSecond: number('maxMessagesPerSecond'),
    connectTimeoutMs: number('connectTimeoutMs'),
    pingAfterMs: number('pingAfterMs'),
    pingTimeoutMs: number('pingTimeoutMs'),
    minRetryMs,
    maxRetryMs: number('maxRetryMs', minRetryMs),
  }
}

function checkUrls(urls: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(urls) ? urls : [urls]
  if (list.length === 0) throw bad('urls has no gateway in it')
  return list.map((url) => {
    const parsed = parseUrl(url)
    if (parsed === undefined || !/^(ws|http)s?:$/.test(parsed.protocol))
      throw bad(`urls has ${JSON.stringify(url)} in it, which is no address of a WebSocket`)
    parsed.protocol = parsed.protocol.replace('http', 'ws')
    // A WebSocket refuses it.
    parsed.hash = ''
    return parsed.href
  })
}

function parseUrl(url: unknown): URL | undefined {
  try {
    return typeof url === 'string' ? new URL(url) : undefined
  } catch {
    return undefined
  }
}

function webSocketOf(given: unknown): SocketConstructor {
  const found = given ?? globalThis.WebSocket
  if (given !== undefined) requireFunction('WebSocket', given)
  else if (typeof found !== 'function')
    throw new ClientError(
      'ERR_NO_WEBSOCKET',
      "there is no WebSocket here, as in Node.js before 22: pass that of the package ws, `import { WebSocket } from 'ws'`, as the option WebSocket",
    )
  return found as SocketConstructor
}

function requireFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw bad(`${name} must be a function`)
}

function bad(message: string): ClientError {
  return new ClientError('ERR_BAD_OPTION', message)
}

const SYSTEM_CLOCK: ClientClock = {
  nowMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

/** As if nobody had caught it, but that Node.js does not end of it. */
function report(error: unknown): void {
  const { reportError, console } = globalThis
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}
