/**
 * Keeps in the store what this node has: for each part of it by itself, so that names in one don't wait for another that is away, or slow.
 *
 *   release ─▶ the upkeep of the part that the name is in
 *   a look, every third of the ttl ─▶ each name goes to the part that it is in now ─▶ a round of each of them
 *                                  └─▶ parts that have none any more, and nothing to give back: forgotten
 *
 * A store that is one has one upkeep.
 *
 * Invariants:
 * - A look asks once for each name where it is, however many parts there are; and each name is in one round of it, whatever the answer.
 * - As rows that are to be given back though this node has never had the name for sure no more are kept than `maxPending`.
 */
import type { TimerHandle } from '@pidmesh/runtime'
import { WHOLE } from './batches.ts'
import type { LocationRow } from './location-store.ts'
import { jitter, PartUpkeep, type PartUpkeepOptions } from './part-upkeep.ts'

export interface UpkeepOptions<Entry extends { readonly name: string }> extends PartUpkeepOptions<Entry> {
  /** In whatever part. */
  readonly held: () => Iterable<Entry>
  /** Rows that are kept to be given back though this node has never had the name for sure. One more stands until its time is over. */
  readonly maxPending: number
}

export class NameUpkeep<Entry extends { readonly name: string }> {
  private readonly options: UpkeepOptions<Entry>
  private readonly parts = new Map<string, PartUpkeep<Entry>>()
  private timer: TimerHandle | undefined = undefined
  private isStopped = false

  constructor(options: UpkeepOptions<Entry>) {
    this.options = options
  }

  /** Rows that are to be given back. */
  get size(): number {
    let size = 0
    for (const part of this.parts.values()) size += part.size
    return size
  }

  /** The first look comes within a third of the ttl. */
  start(): void {
    this.lookAfter(this.options.random.fraction())
  }

  /** @returns the rows that are still to be given back */
  stop(): readonly LocationRow[] {
    this.isStopped = true
    this.timer?.cancel()
    return [...this.parts.values()].flatMap((part) => part.stop())
  }

  /** Gives back a row of a name that this node has had: now, or when the store answers again. Resolves when it was tried. Never rejects. */
  release(row: LocationRow): Promise<void> {
    return this.ofName(row.name).release(row)
  }

  /** A row that may have been written, though the store has not said so. */
  releaseLater(row: LocationRow): void {
    if (this.size < this.options.maxPending) this.ofName(row.name).releaseLater(row)
  }

  private ofName(name: string): PartUpkeep<Entry> {
    return this.of(this.options.store.partOf(name))
  }

  private of(part: string): PartUpkeep<Entry> {
    const known = this.parts.get(part)
    if (known !== undefined) return known
    const upkeep = new PartUpkeep<Entry>(this.options)
    this.parts.set(part, upkeep)
    if (this.isStopped) upkeep.stop()
    return upkeep
  }

  private lookAfter(thirds: number): void {
    const { store, clock, random } = this.options
    this.timer = clock.setTimer((store.ttlMs / 3) * thirds, () => {
      this.look()
      this.lookAfter(jitter(random))
    })
  }

  private look(): void {
    const held = this.heldByPart()
    for (const [part, entries] of held) this.of(part).round(entries)
    for (const [part, upkeep] of this.parts) {
      if (held.has(part)) continue
      // What it did not manage to refresh is elsewhere now.
      if (upkeep.isBusy) upkeep.round([])
      else this.parts.delete(part)
    }
  }

  private heldByPart(): ReadonlyMap<string, readonly Entry[]> {
    const { store, held } = this.options
    if (!store.isInParts) return new Map([[WHOLE, [...held()]]])
    const byPart = new Map<string, Entry[]>()
    for (const entry of held()) {
      const part = store.partOf(entry.name)
      const entries = byPart.get(part)
      if (entries === undefined) byPart.set(part, [entry])
      else entries.push(entry)
    }
    return byPart
  }
}
