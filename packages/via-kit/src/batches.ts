/**
 * Calls to a store: a queue for each part of it, so that what is asked of one part waits for none of the others.
 *
 *   add ─▶ the part of its key ─▶ the queue of that part, as long as something is in it ─▶ settled
 *                                     └─ the key is in another part now ─▶ the queue of that one
 *
 * Invariants:
 * - All calls of a key that are not settled are in one queue: so what was asked first is carried out first, also if the key goes to another part meanwhile. Then what waits follows it as soon as none is under way.
 * - No more wait than may. A store that is one takes all of that room. Of a store in parts each takes half of what is left at most: however many calls wait for one that stands still, there is room for the others.
 */
import type { Clock } from '@pidmesh/runtime'
import { BatchQueue } from './batch-queue.ts'
import { StoreError } from './errors.ts'

export interface BatchesOptions<Kind, Item, Answer> {
  readonly clock: Clock
  readonly batchSize: number
  /** What is to stay in order: items of one key. */
  readonly keyOf: (item: Item) => string
  /** Of a store in parts: which one has the key. */
  readonly partOf: ((key: string) => string) | undefined
  /** Of those that bound themselves none is counted. */
  readonly maxWaiting: number
  /** Who has waited for so long does not go with the next call. */
  readonly maxWaitMs: number
  /** As many answers as items, in their order. An item has failed if a StoreError is in place of its answer. */
  readonly run: (kind: Kind, items: readonly Item[], part: string) => Promise<readonly (Answer | StoreError)[]>
}

/** Where a key is as long as calls of it are not settled. */
interface Stay {
  part: string
  calls: number
}

/** Of a store that is one. */
export const WHOLE = ''

export class Batches<Kind, Item, Answer> {
  private readonly options: BatchesOptions<Kind, Item, Answer>
  private readonly queues = new Map<string, BatchQueue<Kind, Item, Answer>>()
  private readonly stays = new Map<string, Stay>()

  constructor(options: BatchesOptions<Kind, Item, Answer>) {
    this.options = options
  }

  /** How many wait. */
  get size(): number {
    let size = 0
    for (const queue of this.queues.values()) size += queue.size
    return size
  }

  /**
   * `always`: also if more waits than may, and however late, as its caller bounds it.
   * @throws StoreError by rejection: `ERR_STORE_OVERLOADED`, `ERR_STORE_UNAVAILABLE` if its turn did not come in time; what `run` throws
   */
  add(kind: Kind, item: Item, when?: 'always'): Promise<Answer> {
    const { clock, maxWaiting, maxWaitMs, keyOf, partOf } = this.options
    const key = keyOf(item)
    const part = partOf === undefined ? WHOLE : (this.stays.get(key)?.part ?? partOf(key))
    if (when !== 'always' && !this.hasRoom(part)) {
      const problem = partOf === undefined ? `more than ${maxWaiting} calls` : 'too many calls'
      return Promise.reject(new StoreError('ERR_STORE_OVERLOADED', `${problem} wait for the store`))
    }
    const untilMs = when === 'always' ? Infinity : clock.monotonicMs() + maxWaitMs
    return new Promise((resolve, reject) => {
      const queue = this.queueOf(part)
      if (partOf === undefined) return queue.push({ kind, item, untilMs, resolve, reject })
      const leave = this.enter(key, part)
      const leaving =
        <T>(settle: (outcome: T) => void) =>
        (outcome: T): void => {
          leave()
          settle(outcome)
        }
      queue.push({ kind, item, untilMs, resolve: leaving(resolve), reject: leaving(reject) })
    })
  }

  /** What waits, and is of such a kind, fails. */
  reject(error: Error, isMeant: (kind: Kind) => boolean = () => true): void {
    for (const queue of this.queues.values()) queue.reject(error, isMeant)
  }

  /** Resolves when nothing waits, and nothing is under way. */
  async idle(): Promise<void> {
    while (this.queues.size > 0) await Promise.all(Array.from(this.queues.values(), (queue) => queue.idle()))
  }

  private hasRoom(part: string): boolean {
    const { maxWaiting, partOf } = this.options
    let free = maxWaiting
    for (const { patient } of this.queues.values()) free -= patient
    return free > (partOf === undefined ? 0 : (this.queues.get(part)?.patient ?? 0))
  }

  private queueOf(part: string): BatchQueue<Kind, Item, Answer> {
    const known = this.queues.get(part)
    if (known !== undefined) return known
    const { clock, batchSize, keyOf, run } = this.options
    const queue = new BatchQueue<Kind, Item, Answer>({
      clock,
      batchSize,
      keyOf,
      run: (kind, items) => run(kind, items, part),
      isGone: (key) => this.follow(key),
      onGone: (one) => this.queueOf(this.stays.get(keyOf(one.item))?.part ?? part).push(one),
      onIdle: () => this.queues.delete(part),
    })
    this.queues.set(part, queue)
    return queue
  }

  /** Whether the key is in another part now: then that is where it is from now on. */
  private follow(key: string): boolean {
    const { partOf } = this.options
    const stay = this.stays.get(key)
    if (partOf === undefined || stay === undefined) return false
    const former = stay.part
    stay.part = partOf(key)
    return stay.part !== former
  }

  /** @returns what is to be called when the call is settled */
  private enter(key: string, part: string): () => void {
    const stay = this.stays.get(key) ?? { part, calls: 0 }
    stay.calls++
    this.stays.set(key, stay)
    return () => {
      if (--stay.calls === 0) this.stays.delete(key)
    }
  }
}
