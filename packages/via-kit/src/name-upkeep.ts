/**
 * Keeps in the store what this node has: for each part of it by itself, so that names in one don't wait for another that is away, or slow.
 *
 *   release ─▶ the upkeep of the part that the name is in
 *   a look, every third of the ttl ─▶ parts that have got names of this node: begun, at once ─▶ parts that have none any more: ended
 *
 * A store that is one has one upkeep, and no looks.
 *
 * Invariant: as rows that are to be given back though this node has never had the name for sure no more are kept than `maxPending`.
 */
import type { TimerHandle } from '@pidmesh/runtime'
import { WHOLE } from './batches.ts'
import type { LocationRow } from './location-store.ts'
import { PartUpkeep, type PartUpkeepOptions } from './part-upkeep.ts'

/** What `held` gives is in whatever part. */
export interface UpkeepOptions<Entry> extends PartUpkeepOptions<Entry> {
  /** Rows that are kept to be given back though this node has never had the name for sure. One more stands until its time is over. */
  readonly maxPending: number
}

export class NameUpkeep<Entry extends { readonly name: string }> {
  private readonly options: UpkeepOptions<Entry>
  private readonly parts = new Map<string, PartUpkeep<Entry>>()
  private look: TimerHandle | undefined = undefined
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

  start(): void {
    if (this.options.store.isInParts) this.lookAgain(this.options.random.fraction())
    else this.of(WHOLE)
  }

  /** @returns the rows that are still to be given back */
  stop(): readonly LocationRow[] {
    this.isStopped = true
    this.look?.cancel()
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

  private of(part: string, when?: 'now'): PartUpkeep<Entry> {
    const known = this.parts.get(part)
    if (known !== undefined) return known
    const { store, clock, random, log, refresh } = this.options
    const upkeep = new PartUpkeep<Entry>({ store, clock, random, log, refresh, held: () => this.heldIn(part) })
    this.parts.set(part, upkeep)
    if (this.isStopped) upkeep.stop()
    else upkeep.start(when)
    return upkeep
  }

  private heldIn(part: string): Iterable<Entry> {
    const { store, held } = this.options
    if (!store.isInParts) return held()
    return [...held()].filter(({ name }) => store.partOf(name) === part)
  }

  /** @param part Of a third of the ttl. So that the nodes of a cluster don't all look at once */
  private lookAgain(part: number): void {
    const { store, clock, random } = this.options
    this.look = clock.setTimer((store.ttlMs / 3) * part, () => {
      this.lookAtParts()
      this.lookAgain(0.9 + 0.2 * random.fraction())
    })
  }

  /** A name that has come from another part was refreshed there up to a third of the ttl ago: it must not wait for as long again. */
  private lookAtParts(): void {
    const { store, held } = this.options
    const used = new Set<string>()
    for (const { name } of held()) used.add(store.partOf(name))
    for (const part of used) this.of(part, 'now')
    for (const [part, upkeep] of this.parts) {
      if (used.has(part) || upkeep.isBusy) continue
      upkeep.stop()
      this.parts.delete(part)
    }
  }
}
