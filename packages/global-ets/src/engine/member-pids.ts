/**
 * The processes of groups that have been asked for, kept until the group changes, or what is seen of a copy.
 *
 * The rows of a group are each in another place of the memory, and each has to be waited for; and a group that is sent to is sent to again. A small one isn't kept: its
 * rows are read as fast, and there may be ever so many of them.
 *
 * State: at most one list a group, so never more pids than there are memberships.
 */
import { Pid, type NodeName } from '@pidmesh/runtime'
import type { Copy } from './copy.ts'
import { NONE, type Rows } from './rows.ts'

/** Members that a group has at least whose processes are kept. */
export const KEPT_FROM = 32

/** As many times as it is a member, each. */
export interface MemberPids {
  readonly all: readonly Pid[]
  /** Those of this node. */
  readonly own: readonly Pid[]
  /** The other nodes that have some. */
  readonly others: readonly NodeName[]
}

const NOBODY: MemberPids = { all: [], own: [], others: [] }

export class KeptPids {
  private readonly rows: Rows
  private readonly own: Copy
  /** By the first row of the group: it is another one when a row has come. */
  private readonly byFirst = new Map<number, MemberPids>()

  constructor(rows: Rows, own: Copy) {
    this.rows = rows
    this.own = own
  }

  /** Groups that are kept. */
  get size(): number {
    return this.byFirst.size
  }

  /** Of the group that has this row as its first, or none. */
  of(first: number, copyOf: (slot: number) => Copy): MemberPids {
    if (first === NONE) return NOBODY
    const kept = this.byFirst.get(first)
    if (kept !== undefined) return kept
    const pids = this.read(first, copyOf)
    if (pids.all.length >= KEPT_FROM) this.byFirst.set(first, pids)
    return pids
  }

  /** The group with this row as its first isn't what it was. */
  forget(first: number): void {
    this.byFirst.delete(first)
  }

  /** Another copy is seen, or one isn't any more. */
  forgetAll(): void {
    this.byFirst.clear()
  }

  private read(first: number, copyOf: (slot: number) => Copy): MemberPids {
    const { rows } = this
    const all: Pid[] = []
    const own: Pid[] = []
    const others = new Set<NodeName>()
    for (let slot = first; slot !== NONE; slot = rows.nextOfKey(slot)) {
      const copy = copyOf(slot)
      if (!copy.isVisible) continue
      const pid = new Pid(copy.owner, rows.idOf(slot))
      all.push(pid)
      if (copy === this.own) own.push(pid)
      else others.add(copy.owner.name)
    }
    return { all, own, others: [...others] }
  }
}
