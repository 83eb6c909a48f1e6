/**
 * The options of a node: checked once, at the door, with every default in one place.
 */
import { portOf } from './address.ts'
import type { Discovery } from './discovery/discovery.ts'
import { Cookies } from './distribution/cookies.ts'
import { PidmeshError, shown } from './errors.ts'
import { isAddress, nodeName, type NodeName } from './ids.ts'
import type { Logger, Propagation, TlsOptions } from './ports.ts'
import { checkMailboxOptions, checkOptions, readOptions } from './process/checks.ts'
import type { GivenMailboxOptions, MailboxOptions } from './process/process.ts'
import type { LogLevel } from './system/pino-logger.ts'

/** What the nodes of a cluster speak with each other. */
export type TransportKind = 'grpc' | 'tcp'

export interface NodeOptions {
  /** `name@host`. The host is where the other nodes reach this one. */
  readonly name: string
  /**
   * The secret that all nodes of the cluster share: at least 8 characters, with no white space at either end. Never sent, never logged. To go from one to the next without a break, give a
   * list: the node proves to know the first, and lets in who knows any of them. See docs/operations.md.
   */
  readonly cookie: string | readonly [string, ...string[]]
  /** The port for other nodes; 0 lets the system choose. @default 0 */
  readonly port?: number | undefined
  /** The address to listen on. @default the host of the name */
  readonly bindHost?: string | undefined
  /** `host:port` of nodes to connect to, now and whenever they are not connected. This node's own address among them is passed over. */
  readonly seeds?: readonly string[] | undefined
  /**
   * Finds other nodes, and goes on finding them: `watchedFile`, `dns`, one of your own, or several. What is listed is dialed as seeds are, while it is listed.
   * `startNode` doesn't wait for it. @default none
   */
  readonly discovery?: Discovery | readonly Discovery[] | undefined
  /** `host:port` at which others reach this node. @default the host of the name and the port */
  readonly advertise?: string | undefined
  /**
   * Mutual TLS between the nodes, with certificates that name them: see docs/operations.md. Texts in PEM form. @default none: connections are not encrypted
   */
  readonly tls?: TlsOptions | undefined
  /**
   * What the nodes speak with each other, the same on all of them: gRPC; or frames over TCP alone, or over TLS, which is faster. See docs/operations.md.
   * @default 'grpc'
   */
  readonly transport?: TransportKind | undefined
  /**
   * Connects to each node that others tell it of, so that all are connected with all: what `GlobalEts` wants. As `-connect_all` of `erl`. If `false`, their addresses
   * are remembered, and each is dialed when something is first sent to it. @default true
   */
  readonly connectAll?: boolean | undefined
  /**
   * As `-hidden` of `erl`: connects to its seeds only, is not told to other nodes, and is not among their `nodes()`. For tools. @default false
   */
  readonly hidden?: boolean | undefined
  /**
   * Allows listening on an address other than loopback without `tls`. @default false
   */
  readonly allowInsecureBind?: boolean | undefined
  /**
   * After how much silence a node counts as dead: four ticks, looked at eight times a tick. A node's own event loop may stall for up to five
   * eighths of it without a false alarm. @default 4000
   */
  readonly netTickTimeMs?: number | undefined
  /**
   * Waits awake for what another node is about to send, as `+sbwt` of `erl`: for 0.4 ms at most after it has sent something itself, if the two have taken turns quickly until now, as in calls one
   * after the other. That uses the core meanwhile, unless somebody else wants it. See docs/operations.md. @default true
   */
  readonly busyWait?: boolean | undefined
  /** Milliseconds of processes' turns after which sockets and timers get theirs. @default 5 */
  readonly turnBudgetMs?: number | undefined
  /**
   * Milliseconds from which on a handler that runs without a pause is logged (`long_schedule`), as the BEAM's system_monitor does; `Infinity` for never.
   * @default 50
   */
  readonly longScheduleMs?: number | undefined
  /** How many messages may wait for a process, and what happens to one more: for all processes that have no option of their own. */
  readonly mailbox?: GivenMailboxOptions | undefined
  /**
   * Lets a context travel with messages, to whoever handles them: OpenTelemetry's, with the package `@pidmesh/opentelemetry`. See docs/telemetry.md.
   * @default none
   */
  readonly propagation?: Propagation | undefined
  /** Lines go here instead of to standard error. */
  readonly logger?: Logger | undefined
  /** @default 'info' */
  readonly logLevel?: LogLevel | undefined
}

export interface CheckedNodeOptions {
  readonly name: NodeName
  readonly cookies: Cookies
  readonly listenAddress: string
  readonly advertise: (listenAddress: string) => string
  readonly seeds: readonly string[]
  readonly discoveries: readonly Discovery[]
  readonly tickMs: number
  readonly tls: TlsOptions | undefined
  readonly transport: TransportKind
  readonly hidden: boolean
  readonly connectAll: boolean
  readonly busyWait: boolean
  readonly turnBudgetMs: number
  readonly longScheduleMs: number
  readonly mailbox: MailboxOptions
  readonly propagation: Propagation | undefined
  readonly logger: Logger | undefined
  readonly logLevel: LogLevel
}

const DAY_MS = 86_400_000

const KNOWN: readonly (keyof NodeOptions)[] = [
  'name',
  'cookie',
  'port',
  'bindHost',
  'seeds',
  'discovery',
  'advertise',
  'tls',
  'transport',
  'hidden',
  'connectAll',
  'allowInsecureBind',
  'netTickTimeMs',
  'busyWait',
  'turnBudgetMs',
  'longScheduleMs',
  'mailbox',
  'propagation',
  'logger',
  'logLevel',
]

const TRANSPORTS: ReadonlySet<string> = new Set<TransportKind>(['grpc', 'tcp'])

const LEVELS: ReadonlySet<string> = new Set<LogLevel>(['silent', 'error', 'warn', 'info', 'debug'])

const MAILBOX: MailboxOptions = { limit: 100_000, policy: 'log' }

/** @throws PidmeshError `ERR_BAD_OPTION`, `ERR_BAD_NODE_NAME`, `ERR_INSECURE_BIND` */
export function checkNodeOptions(given: NodeOptions): CheckedNodeOptions {
  return readOptions('startNode', () => checkEach(given))
}

function checkEach(given: NodeOptions): CheckedNodeOptions {
  const options = checkOptions('startNode', given, KNOWN)
  const name = nodeName(options.name as string)
  const { cookie, port = 0, allowInsecureBind = false, netTickTimeMs = 4_000, logLevel = 'info' } = options
  const cookies = checkCookies(cookie)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw bad(`port must be an integer from 0 to 65535, not ${shown(port)}`)
  if (typeof netTickTimeMs !== 'number' || !(netTickTimeMs >= 100 && netTickTimeMs <= DAY_MS))
    throw bad(`netTickTimeMs must be a number of milliseconds from 100 to a day, not ${shown(netTickTimeMs)}`)
  const { turnBudgetMs = 5, longScheduleMs = 50 } = options
  if (!Number.isFinite(turnBudgetMs) || turnBudgetMs < 0.1)
    throw bad(`turnBudgetMs must be a number of milliseconds, 0.1 or more, not ${shown(turnBudgetMs)}`)
  if (typeof longScheduleMs !== 'number' || !(longScheduleMs > 0))
    throw bad(`longScheduleMs must be a number of milliseconds above 0, or Infinity, not ${shown(longScheduleMs)}`)
  const mailbox = checkMailboxOptions(options.mailbox === undefined ? {} : options.mailbox, MAILBOX)
  if (!LEVELS.has(logLevel)) throw bad(`logLevel must be one of ${[...LEVELS].join(', ')}`)
  const seeds = checkSeeds(options.seeds)
  const discoveries = checkDiscovery(options.discovery)
  if (options.propagation !== undefined) checkPropagation(options.propagation)
  if (options.logger !== undefined) checkLogger(options.logger)
  if (options.advertise !== undefined) checkAddress('advertise', options.advertise)
  // What others would be told, whatever the port turns out to be.
  else
    checkAddress(
      'the host of the name, which is where others are to reach this node,',
      `${bracketed(name.slice(name.indexOf('@') + 1))}:1`,
    )

  const { hidden = false, connectAll = true, busyWait = true, transport = 'grpc' } = options
  if (!TRANSPORTS.has(transport)) throw bad(`transport must be one of ${[...TRANSPORTS].join(', ')}`)
  if (typeof connectAll !== 'boolean') throw bad(`connectAll must be true or false, not ${shown(connectAll)}`)
  if (typeof busyWait !== 'boolean') throw bad(`busyWait must be true or false, not ${shown(busyWait)}`)
  if (typeof hidden !== 'boolean') throw bad(`hidden must be true or false, not ${shown(hidden)}`)
  if (typeof allowInsecureBind !== 'boolean')
    throw bad(`allowInsecureBind must be true or false, not ${shown(allowInsecureBind)}`)
  if (options.bindHost !== undefined && (typeof options.bindHost !== 'string' || options.bindHost === ''))
    throw bad(`bindHost must be an address, not ${shown(options.bindHost)}`)

  const host = name.slice(name.indexOf('@') + 1)
  const bindHost = options.bindHost ?? host
  const tls = options.tls === undefined ? undefined : checkTlsOption(options.tls)
  if (!isLoopback(bindHost) && !allowInsecureBind && tls === undefined) {
    throw new PidmeshError(
      'ERR_INSECURE_BIND',
      `listening on ${bindHost} would expose an unencrypted port; give tls, or set allowInsecureBind if the network is trusted`,
    )
  }
  return {
    name,
    cookies: new Cookies(cookies),
    listenAddress: `${bracketed(bindHost)}:${port}`,
    advertise: (listenAddress) => options.advertise ?? `${bracketed(host)}:${portOf(listenAddress)}`,
    seeds,
    discoveries,
    tickMs: netTickTimeMs / 4,
    tls,
    transport,
    hidden,
    connectAll,
    busyWait,
    turnBudgetMs,
    longScheduleMs,
    mailbox,
    propagation: options.propagation,
    logger: options.logger,
    logLevel,
  }
}

/** A cookie that is refused is not shown. */
function checkCookies(cookie: unknown): readonly [string, ...string[]] {
  const cookies: unknown[] = Array.isArray(cookie) ? cookie : [cookie]
  const texts = cookies.filter((one): one is string => typeof one === 'string' && one.length >= 8)
  if (texts.some((text) => text.trim() !== text))
    throw bad('cookie begins or ends with white space, as the text of a file may: give it without, by trim()')
  const [first, ...others] = texts
  if (first === undefined || texts.length < cookies.length)
    throw bad('cookie must be a text of at least 8 characters, or a list of such')
  return [first, ...others]
}

function checkTlsOption(given: TlsOptions): TlsOptions {
  const { ca, certificate, privateKey } = checkOptions('tls', given, ['ca', 'certificate', 'privateKey'])
  if (typeof ca !== 'string' || typeof certificate !== 'string' || typeof privateKey !== 'string')
    throw bad('tls has ca, certificate and privateKey, each a text in PEM form')
  return { ca, certificate, privateKey }
}

function checkSeeds(given: NodeOptions['seeds']): readonly string[] {
  if (given === undefined) return []
  if (!Array.isArray(given)) throw bad(`seeds must be a list of host:port, not ${shown(given)}`)
  // Read once.
  const seeds: readonly string[] = [...(given as readonly string[])]
  for (const seed of seeds) checkAddress('a seed', seed)
  return seeds
}

function checkDiscovery(given: NodeOptions['discovery']): readonly Discovery[] {
  if (given === undefined) return []
  const discoveries: readonly unknown[] = Array.isArray(given) ? [...(given as unknown[])] : [given]
  return discoveries.map((one) => {
    if (isDiscovery(one)) return one
    throw bad(`discovery has a method start, as watchedFile(…) and dns(…) have, not ${shown(one)}`)
  })
}

function isDiscovery(value: unknown): value is Discovery {
  return typeof value === 'object' && value !== null && 'start' in value && typeof value.start === 'function'
}

function checkPropagation(propagation: Propagation): void {
  if (typeof propagation !== 'object' || propagation === null)
    throw bad(`propagation must be an object with capture and run, not ${shown(propagation)}`)
  for (const method of ['capture', 'run'] as const)
    if (typeof propagation[method] !== 'function') throw bad(`propagation has no method ${method}`)
}

function checkLogger(logger: Logger): void {
  if (typeof logger !== 'object' || logger === null) throw bad(`logger must be a logger, not ${shown(logger)}`)
  for (const method of ['debug', 'info', 'warn', 'error', 'child'] as const) {
    if (typeof logger[method] !== 'function')
      throw bad(`logger has no method ${method}; wrapPino makes one of a pino logger`)
  }
}

function checkAddress(what: string, text: unknown): void {
  if (!isAddress(text)) {
    throw bad(`${what} must have the form host:port, not ${shown(text)}`)
  }
}

/** An IPv6 address as it stands before a port. */
function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(host)
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
