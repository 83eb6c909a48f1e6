/**
 * `LocationStore`: what a location database is asked. A driver (Redis, MySQL) is this and nothing else: what is registered, refreshed and looked up when, is LocationVia's.
 *
 *   name ─▶ owner, value, epoch, and the time until which that holds
 *
 * Rules for drivers:
 * - A row whose time is over is no row, also if the store still holds it. The time is the store's own, never a node's: clocks of nodes differ.
 * - Each row is looked at and written at once, as one step; the rows of a call in their order. A call is not one step: some rows may be written, and it fails.
 * - What fails rejects, with a StoreError, within `timeoutMs`: nothing waits for ever. A call that has failed may have been carried out, or be carried out later; but a put or a take not later than `timeoutMs` after it was
 *   asked for, however long it is on its way: the store itself finds it too late, by its own clock (`StoreTime`), and writes nothing.
 * - Rows given may be as many as `batchSize`.
 * - Where a part of the store does not answer, the rows that are there fail alone: each with a StoreError in place of its answer.
 * - A store whose parts may be away each by itself says which one has a name (`partOf`): what is asked of one part then waits for none of the others.
 */
import type { StoreError } from './errors.ts'

/** Of one row. */
export type Answer<T> = T | StoreError

/** A name as it is written. */
export interface LocationRow {
  /** From 1 to 256 bytes. */
  readonly name: string
  /** The life of a process that has the name: another process, or the same one at another time, has another. Up to 200 bytes of ASCII. */
  readonly owner: string
  /** For LocationVia: which process it is, and what is known with the name. */
  readonly value: Uint8Array
}

export interface TakenLocation {
  /** Larger than any that the name has had while it was in the store. */
  readonly epoch: number
  /** The value of who had it, if it was another owner. */
  readonly former: Uint8Array | undefined
}

export interface LocationStore {
  /** For the log. */
  readonly kind: string
  /** How long a row holds after it was written. */
  readonly ttlMs: number
  /** How long a call takes at most. */
  readonly timeoutMs: number
  /** How many rows a call has at most. */
  readonly batchSize: number
  /**
   * Which part of the store has the name, as far as is known now: it may be another one later. There are few parts, a server each, and not one for each name. It is asked at each call, and never throws. A call
   * has rows of one part, but for names that have just come from another. @default the store is one
   */
  partOf?(name: string): string
  /**
   * Connects, and sees that the store is fit for use. After a start that has failed `stop` is called.
   * @throws StoreError by rejection: `ERR_STORE_UNAVAILABLE`, or `ERR_STORE_UNFIT` if it is there and can't be used (its schema, rights, version); `ERR_ALREADY_STARTED`, which changes nothing: a driver is for one user
   */
  start(): Promise<void>
  /** Ends all connections. What is under way fails. */
  stop(): Promise<void>
  /**
   * Writes each row, and its time anew, where the name is this owner's or nobody's: `true`. Where it is another's, nothing: `false`. Registers, refreshes, changes the value, and restores what the store has lost.
   */
  put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]>
  /** Writes each row, whoever has the name. */
  take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]>
  /** Removes each row that is this owner's; of the value it takes no notice. `true`, also where there was none. */
  release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]>
  /** The value of each name; `undefined` where nobody has it. */
  find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]>
  /** Removes rows whose time is over, a bounded number of them, and says how many. For stores that don't do it by themselves; called now and then. */
  sweep?(): Promise<number>
}
