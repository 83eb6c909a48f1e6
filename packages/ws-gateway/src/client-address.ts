/**
 * Where a client really is, behind proxies that are trusted to say so, and how many connections an address has.
 *
 *   X-Forwarded-For: spoofed, client, proxy1      read from the right, beginning with the socket's own address, for as long as
 *   socket: proxy2                                the address at hand is a trusted proxy; the first that isn't is the client
 *
 * Only what a trusted proxy has written counts: it appends the address that it saw, and what stands to the left of that may be anybody's invention. An entry that
 * is no address ends the walk at the proxy that wrote it. `Forwarded` (RFC 7239) is not read: a proxy that appends to the one passes on the other as it came.
 *
 * Addresses are in one form: IPv4-mapped IPv6 as IPv4, IPv6 in lower case and as eight groups without leading zeros, no zone.
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import { PidmeshError, shown } from '@pidmesh/runtime'

/** More entries than any chain of proxies writes. */
const MAX_HOPS = 32
const MAX_PROXIES = 1_024

/**
 * Addresses and networks in CIDR form: `10.0.0.0/8`, `2001:db8::/32`, `127.0.0.1`.
 * @throws PidmeshError `ERR_BAD_OPTION`
 */
export function trustedProxies(proxies: readonly string[]): BlockList {
  if (!Array.isArray(proxies) || proxies.length > MAX_PROXIES)
    throw bad(`trustedProxies must be a list of up to ${MAX_PROXIES} addresses or networks, not ${shown(proxies)}`)
  const list = new BlockList()
  for (const one of proxies as unknown[]) {
    const network = typeof one === 'string' ? networkOf(one) : undefined
    if (network === undefined)
      throw bad(`a trusted proxy is an address or a network such as 10.0.0.0/8, not ${shown(one)}`)
    list.addSubnet(network.address, network.bits, isIPv4(network.address) ? 'ipv4' : 'ipv6')
  }
  return list
}

/**
 * The client's address; `''` if the socket has none (a Unix socket).
 * @param forwardedFor The header `X-Forwarded-For`, as Node gives it: several are joined by commas
 */
export function clientAddress(
  remoteAddress: string | undefined,
  forwardedFor: string | undefined,
  trusted: BlockList,
): string {
  let client = normalAddress(remoteAddress ?? '')
  if (client === undefined) return ''
  if (forwardedFor === undefined) return client
  let end = forwardedFor.length
  for (let hop = 0; hop < MAX_HOPS && end >= 0 && isTrusted(client, trusted); hop++) {
    const comma = end === 0 ? -1 : forwardedFor.lastIndexOf(',', end - 1)
    const next = normalAddress(withoutPort(forwardedFor.slice(comma + 1, end).trim()))
    if (next === undefined) return client
    client = next
    end = comma
  }
  return client
}

/** What connections are counted by: an IPv4 address, or the /64 of an IPv6 one, of which a client has all (RFC 6177). */
export function limitKey(address: string): string {
  return isIPv6(address) ? `${groupsOf(address).slice(0, 4).map(hex).join(':')}::/64` : address
}

/** An address in the one form; `undefined` if it is none. */
export function normalAddress(text: string): string | undefined {
  if (text.length > 64) return undefined
  const address = text.replace(/%.*$/, '')
  if (isIPv4(address)) return address
  if (!isIPv6(address)) return undefined
  const groups = groupsOf(address)
  return isMapped(groups) ? ipv4Of(groups) : groups.map(hex).join(':')
}

/** How many connections each address has: at most `maxPerAddress`, of `maxAddresses` addresses. An address without connections takes no room. */
export class AddressCounts {
  private readonly counts = new Map<string, number>()
  private readonly maxPerAddress: number
  private readonly maxAddresses: number

  constructor(limits: { readonly maxPerAddress: number; readonly maxAddresses: number }) {
    this.maxPerAddress = limits.maxPerAddress
    this.maxAddresses = limits.maxAddresses
  }

  /** Addresses that have connections. */
  get size(): number {
    return this.counts.size
  }

  of(key: string): number {
    return this.counts.get(key) ?? 0
  }

  /** Whether it has all that it may have. */
  isFull(key: string): boolean {
    return this.of(key) >= this.maxPerAddress
  }

  /** Whether it may have one more; then it is counted. */
  enter(key: string): boolean {
    const count = this.of(key)
    if (this.isFull(key) || (count === 0 && this.counts.size >= this.maxAddresses)) return false
    this.counts.set(key, count + 1)
    return true
  }

  /** One that has entered is gone. */
  leave(key: string): void {
    const count = this.of(key)
    if (count > 1) this.counts.set(key, count - 1)
    else this.counts.delete(key)
  }
}

function isTrusted(address: string, trusted: BlockList): boolean {
  return trusted.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** Some proxies write the port, too: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  return /^\[([^\]]*)\](:\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text
}

function networkOf(text: string): { readonly address: string; readonly bits: number } | undefined {
  const [given = '', length, ...more] = text.split('/')
  const address = normalAddress(given)
  if (address === undefined || given.includes('%') || more.length > 0) return undefined
  const givenBits = isIP(given) === 4 ? 32 : 128
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined
  const bits = length === undefined ? givenBits : Number(length)
  // Of an IPv4-mapped network the part that is IPv4.
  const least = isIPv4(address) && givenBits === 128 ? 96 : 0
  return bits <= givenBits && bits >= least ? { address, bits: bits - least } : undefined
}

/** The eight groups of an IPv6 address that is one. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = address.split('::')
  const left = partsOf(head)
  if (tail === undefined) return left
  const right = partsOf(tail)
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
}

function partsOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return Number.parseInt(part, 16)
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}

function isMapped(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
}

function ipv4Of(groups: readonly number[]): string {
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join('.')
}

function hex(group: number): string {
  return group.toString(16)
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
