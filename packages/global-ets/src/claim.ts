/**
 * Claims: who says that a name is whose. A name's owner is the node of the process that has it, and only the owner makes, changes or withdraws
 * the claim. Two nodes that were apart may both claim a name; which claim is seen is a matter of conflict.ts.
 */
import type { NameMeta, Pid } from '@pidmesh/runtime'

export interface Claim {
  readonly name: string
  readonly pid: Pid
  /** 1 + the largest epoch that the owner had seen: a later claim has a larger one, without a wall clock. */
  readonly epoch: number
  readonly meta: NameMeta
}

/** One step of an owner's log. `seq` counts them without a gap. */
export type Op =
  | { readonly type: 'put'; readonly seq: number; readonly claim: Claim }
  | { readonly type: 'remove'; readonly seq: number; readonly name: string }
