/**
 * One copy of what an owner has: this node's own rows, or another node's as far as they have come. Of one owner there may be two, while a new copy is being filled
 * behind the old one, which serves until then; at most one of them is visible.
 *
 * State: whether it is seen, how many rows it has, their digest. The rows themselves are in rows.ts, and which copy a row belongs to is changed by table.ts alone.
 */
import type { NodeIdentity } from '@pidmesh/runtime'
import type { ProcessIndex } from './process-index.ts'
import { NONE } from './rows.ts'

/** A place in the list of a copy's rows, which stays one when rows go. New rows come in before it: who walks on comes to an end. */
export interface Cursor {
  slot: number
}

export class Copy {
  readonly number: number
  readonly owner: NodeIdentity
  /** Of tables that look rows up by their process. */
  readonly processes: ProcessIndex | undefined
  isVisible = false
  /** The copy of the same owner in whose place it has come, as long as that is there. */
  replaces: Copy | undefined = undefined
  /** It goes, row by row. */
  isDiscarded = false
  /** Rows that it has. */
  count = 0
  /** Those of them that don't stand behind another node's. */
  seen = 0
  /** The sum of the hashes of its rows: equal sets of rows have equal digests, whatever their order. */
  digest = 0
  /** The epochs of all memberships that it has, or has had, lie from the one to the other. */
  leastEpoch: number = Infinity
  largestEpoch: number = -Infinity
  first: number = NONE
  readonly cursors: Set<Cursor> = new Set()
  /** As `seen`, by counted prefix. */
  readonly prefixCounts: number[]

  constructor(
    number: number,
    owner: NodeIdentity,
    { prefixes, processes }: { prefixes: number; processes: ProcessIndex | undefined },
  ) {
    this.number = number
    this.owner = owner
    this.processes = processes
    this.prefixCounts = new Array<number>(prefixes).fill(0)
  }
}
