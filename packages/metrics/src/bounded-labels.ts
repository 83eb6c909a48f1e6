/**
 * Keeps the series of a metric few. A client may close its socket with any of 2,000 codes: those that are known, and the first ones beside them, have series of
 * their own, for good, so that no counter goes back; all others have one together.
 */
import type { Labels, Sample } from './definition.ts'

const OTHER = 'other'
/** Beside those that are known. */
const MAX_OWN = 64

export class BoundedLabels {
  private readonly seen = new Set<string>()
  private readonly max: number

  /** @param known Values that always have a series of their own */
  constructor(known: readonly string[] = []) {
    for (const value of known) this.seen.add(JSON.stringify([value]))
    this.max = this.seen.size + MAX_OWN
  }

  /** The samples, with those of further values added up. */
  fold(samples: readonly Sample[]): readonly Sample[] {
    const folded = new Map<string, Sample>()
    for (const { labels, value } of samples) {
      const own = this.isOwn(labels) ? labels : othered(labels)
      const key = keyOf(own)
      folded.set(key, { labels: own, value: value + (folded.get(key)?.value ?? 0) })
    }
    return [...folded.values()]
  }

  private isOwn(labels: Labels): boolean {
    const key = keyOf(labels)
    if (this.seen.has(key)) return true
    if (this.seen.size >= this.max) return false
    this.seen.add(key)
    return true
  }
}

function othered(labels: Labels): Labels {
  return Object.fromEntries(Object.keys(labels).map((name) => [name, OTHER]))
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.values(labels))
}
