/**
 * Nodes as a name server lists them. It is asked directly (c-ares), not by way of the machine's resolver and its caches, and with a resolver of its own for
 * each question, so that a change of /etc/resolv.conf is noticed.
 */
import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { asked, checkRefreshMs, type Answer } from '../discovery/asked.ts'
import type { Discovery } from '../discovery/discovery.ts'
import { PidmeshError, shown } from '../errors.ts'
import { isAddress } from '../ids.ts'
import { checkOptions, readOptions } from '../process/checks.ts'

const REFRESH_MS = 5_000
const TIMEOUT_MS = 2_000
/** A try that gets no answer is followed by one more. */
const TRIES = 2

interface CommonDnsOptions {
  /**
   * Fully qualified: search domains are not applied. In Kubernetes `<headless service>.<namespace>.svc.<cluster domain>`, for SRV with `_<port's name>._tcp.`
   * before it.
   */
  readonly name: string
  /** Pause between two lookups, more or less a quarter. @default 5000 */
  readonly refreshMs?: number | undefined
  /** How long the name server has for its answer to the first question, 250 to 5000; it is asked twice. @default 2000 */
  readonly timeoutMs?: number | undefined
  /** IP addresses of name servers, with a port if it isn't 53. @default those of the machine */
  readonly servers?: readonly string[] | undefined
}

/** The addresses of the name (AAAA if it has no A). */
export interface DnsAddressOptions extends CommonDnsOptions {
  /** @default 'A' */
  readonly type?: 'A' | undefined
  /** Where the nodes listen. */
  readonly port: number
}

/** Hosts and ports as the records of the name say; the hosts are resolved when they are dialed, by the machine. */
export interface DnsServiceOptions extends CommonDnsOptions {
  readonly type: 'SRV'
  readonly port?: undefined
}

export type DnsOptions = DnsAddressOptions | DnsServiceOptions

type CheckedDnsOptions = {
  readonly name: string
  readonly refreshMs: number
  readonly timeoutMs: number
  readonly servers: readonly string[] | undefined
} & ({ readonly type: 'A'; readonly port: number } | { readonly type: 'SRV' })

/**
 * Finds nodes by DNS. A lookup that fails, or finds nobody, changes nothing: what was found last stays.
 * @example startNode({ …, discovery: dns({ name: 'mesh.chat.svc.cluster.local', port: 7001 }) })
 * @throws PidmeshError `ERR_BAD_OPTION`
 */
export function dns(options: DnsOptions): Discovery {
  const checked = readOptions('dns', () => checkDnsOptions(options))
  const { name, type, refreshMs } = checked
  return asked(() => {
    let resolver: Resolver | undefined
    return {
      what: { name, type },
      everyMs: refreshMs,
      ask: async (): Promise<Answer> => {
        resolver = new Resolver({ timeout: checked.timeoutMs, tries: TRIES })
        if (checked.servers !== undefined) resolver.setServers(checked.servers)
        const addresses = await lookUp(resolver, checked)
        // Answers come in a new order each time: of too many the same ones are to be taken.
        return { type: 'addresses', addresses: addresses.sort() }
      },
      cancel: () => resolver?.cancel(),
    }
  })
}

async function lookUp(resolver: Resolver, options: CheckedDnsOptions): Promise<string[]> {
  const { name } = options
  if (options.type === 'A') return (await hostsOf(resolver, name)).map((host) => `${host}:${options.port}`)
  return (await resolver.resolveSrv(name)).map((record) => `${record.name}:${record.port}`)
}

async function hostsOf(resolver: Resolver, name: string): Promise<string[]> {
  try {
    return await resolver.resolve4(name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENODATA')) throw error
    return (await resolver.resolve6(name)).map((address) => `[${address}]`)
  }
}

function checkDnsOptions(given: DnsOptions): CheckedDnsOptions {
  const options = checkOptions<
    CommonDnsOptions & { readonly type?: string | undefined; readonly port?: number | undefined }
  >('dns', given, ['name', 'type', 'port', 'refreshMs', 'timeoutMs', 'servers'])
  const { name, type = 'A', port, refreshMs = REFRESH_MS, timeoutMs = TIMEOUT_MS } = options
  if (typeof name !== 'string' || !/^[A-Za-z0-9_.-]{1,254}$/.test(name))
    throw bad(`name must be a domain name, not ${shown(name)}`)
  if (!Number.isInteger(timeoutMs) || timeoutMs < 250 || timeoutMs > 5_000)
    throw bad(`timeoutMs must be a whole number of milliseconds from 250 to 5000, not ${shown(timeoutMs)}`)
  const servers = checkServers(options.servers)
  const common = { name, refreshMs: checkRefreshMs(refreshMs), timeoutMs, servers }
  switch (type) {
    case 'A':
      if (port === undefined || !Number.isInteger(port) || port < 1 || port > 65_535)
        throw bad(`port must be an integer from 1 to 65535, not ${shown(port)}`)
      return { ...common, type, port }
    case 'SRV':
      if (port !== undefined) throw bad('port is for A: the SRV records say the ports')
      return { ...common, type }
    default:
      throw bad(`type must be A or SRV, not ${shown(type)}`)
  }
}

function checkServers(given: CommonDnsOptions['servers']): readonly string[] | undefined {
  if (given === undefined) return undefined
  // Read once.
  const servers: readonly string[] = Array.isArray(given) ? [...(given as readonly string[])] : []
  if (servers.length > 0 && servers.every(isServer)) return servers
  throw bad(`servers must be a list of IP addresses, with or without a port, not ${shown(given)}`)
}

function isServer(server: unknown): boolean {
  if (typeof server !== 'string') return false
  if (isIP(server) !== 0) return true
  const host = /^\[(.+)\]:\d+$/.exec(server)?.[1] ?? /^([0-9.]+):\d+$/.exec(server)?.[1]
  return host !== undefined && isIP(host) !== 0 && isAddress(server)
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', `dns: ${problem}`)
}
