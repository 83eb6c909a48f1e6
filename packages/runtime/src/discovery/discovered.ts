/**
 * What all discoveries of a node have found, as one set of addresses.
 *
 *   Discovery ─ found(list) ─▶ checked, bounded ─▶ union of the last list of each ─ has changed ─▶ tell
 *
 * A discovery may be anybody's code: what it throws and tells is checked here, and logged; one that fails harms no other, and not its node.
 */
import { shown } from '../errors.ts'
import { isAddress } from '../ids.ts'
import type { Discovery, DiscoveryContext } from './discovery.ts'

/** Addresses that are taken, from one discovery and from all together. */
export const MAX_DISCOVERED = 1_024
/** Addresses that one log line shows. */
const MAX_SHOWN = 10

export interface DiscoveredOptions extends DiscoveryContext {
  readonly discoveries: readonly Discovery[]
  /** All addresses that are listed now, each time that they are others than before. */
  readonly tell: (addresses: ReadonlySet<string>) => void
}

/** What one discovery has found last. */
interface Listing {
  readonly discovery: Discovery
  addresses: readonly string[]
  /** What was logged of its last list: said once, not at each refresh. */
  complaint: string
  end: (() => unknown) | undefined
}

export class Discovered {
  private readonly options: DiscoveredOptions
  private readonly listings: readonly Listing[]
  private union: ReadonlySet<string> = new Set()
  private isOverfull = false
  private stopped = false

  constructor(options: DiscoveredOptions) {
    this.options = options
    this.listings = options.discoveries.map((discovery) => ({
      discovery,
      addresses: [],
      complaint: '',
      end: undefined,
    }))
  }

  start(): void {
    const { clock, random, log } = this.options
    for (const listing of this.listings) {
      this.guard('discovery could not be started', () => {
        const end: unknown = listing.discovery.start((given) => this.onFound(listing, given), { clock, random, log })
        if (typeof end === 'function') listing.end = end as () => unknown
        else log.warn({ returned: shown(end) }, 'the start of a discovery must return what ends it')
        return end
      })
    }
  }

  stop(): void {
    if (this.stopped) return
    this.stopped = true
    for (const { end } of this.listings) this.guard('discovery could not be ended', () => end?.())
  }

  private onFound(listing: Listing, given: unknown): void {
    if (this.stopped) return
    this.guard('what a discovery has found can not be read', () => {
      listing.addresses = this.check(listing, given)
      this.merge()
    })
  }

  /** The addresses among what was given, in its order. Throws what reading it throws. */
  private check(listing: Listing, given: unknown): readonly string[] {
    if (!Array.isArray(given)) throw new TypeError(`a list of host:port, not ${shown(given)}`)
    const bad: string[] = []
    const good = new Set<string>()
    const total = given.length
    for (let i = 0; i < total && i < MAX_DISCOVERED; i++) {
      const one: unknown = given[i]
      if (isAddress(one)) good.add(one)
      else bad.push(shown(one))
    }
    const shownBad = bad.sort().slice(0, MAX_SHOWN)
    const complaint = JSON.stringify([shownBad, total > MAX_DISCOVERED])
    if (complaint !== listing.complaint) {
      if (bad.length > 0) this.options.log.warn({ addresses: shownBad, count: bad.length }, 'not of the form host:port')
      if (total > MAX_DISCOVERED) this.warnOfTooMany()
    }
    listing.complaint = complaint
    return [...good]
  }

  private merge(): void {
    const union = new Set<string>()
    let isOverfull = false
    for (const { addresses } of this.listings) {
      for (const address of addresses) {
        if (union.size < MAX_DISCOVERED) union.add(address)
        else if (!union.has(address)) isOverfull = true
      }
    }
    if (isOverfull && !this.isOverfull) this.warnOfTooMany()
    this.isOverfull = isOverfull

    const before = this.union
    const added = [...union].filter((address) => !before.has(address))
    const gone = [...before].filter((address) => !union.has(address))
    if (added.length === 0 && gone.length === 0) return
    this.union = union
    const fields = { count: union.size, added: added.slice(0, MAX_SHOWN), gone: gone.slice(0, MAX_SHOWN) }
    this.options.log.info(fields, 'other addresses are listed')
    this.options.tell(union)
  }

  private warnOfTooMany(): void {
    this.options.log.warn({ limit: MAX_DISCOVERED }, 'discovery lists more addresses than are taken')
  }

  private guard(what: string, run: () => unknown): void {
    const onError = (error: unknown): void =>
      this.options.log.error({ problem: error instanceof Error ? shown(error.message) : shown(error) }, what)
    try {
      const outcome = run()
      // An async function where none belongs.
      if (outcome instanceof Promise) outcome.catch(onError)
    } catch (error) {
      onError(error)
    }
  }
}
