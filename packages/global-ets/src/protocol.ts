/**
 * What the table servers of one table say to each other: ordinary messages, on the one ordered connection of their nodes.
 *
 *   a: nodeup b, or a's server has just started ── hello ─▶ b
 *   b: hello from a ── snapshot_begin, snapshot_chunk …, snapshot_end ─▶ a       (and a hello, if a's server is new to b)
 *   b: names change ── delta ─▶ all whose servers are known
 *   a: a gap in b's deltas ── hello ─▶ b
 *
 * `from` is the pid of the sending server: a view belongs to it, and ends with it.
 */
import { Pid } from '@pidmesh/runtime'
import type { Claim, Op } from './claim.ts'

export type TableMessage =
  /** Send me your names. `isNew`: the sender's server has just started and knows nobody, so that a hello of yours may have been lost. */
  | { readonly type: 'hello'; readonly from: Pid; readonly isNew: boolean }
  /** The names at `seq` follow, in chunks with this `id`. */
  | { readonly type: 'snapshot_begin'; readonly from: Pid; readonly id: number; readonly seq: number }
  | { readonly type: 'snapshot_chunk'; readonly from: Pid; readonly id: number; readonly claims: readonly Claim[] }
  | { readonly type: 'snapshot_end'; readonly from: Pid; readonly id: number }
  /** The sender's next operations. */
  | { readonly type: 'delta'; readonly from: Pid; readonly ops: readonly Op[] }

/** Claims in a chunk of a snapshot, and operations in a delta, at most. */
export const CHUNK_LENGTH = 500

/** Recognises a message of the protocol, in every part that is used: what another node sends is not trusted to be well-formed. */
export function isTableMessage(message: unknown): message is TableMessage {
  if (typeof message !== 'object' || message === null) return false
  const fields = message as { readonly [key: string]: unknown }
  if (!(fields['from'] instanceof Pid)) return false
  switch (fields['type']) {
    case 'hello':
      return typeof fields['isNew'] === 'boolean'
    case 'snapshot_begin':
      return isCount(fields['id']) && isCount(fields['seq'])
    case 'snapshot_chunk':
      return isCount(fields['id']) && Array.isArray(fields['claims']) && fields['claims'].every(isClaim)
    case 'snapshot_end':
      return isCount(fields['id'])
    case 'delta':
      return Array.isArray(fields['ops']) && fields['ops'].every(isOp)
    default:
      return false
  }
}

function isOp(value: unknown): value is Op {
  if (typeof value !== 'object' || value === null) return false
  const op = value as { readonly [key: string]: unknown }
  if (!isCount(op['seq'])) return false
  return op['type'] === 'put' ? isClaim(op['claim']) : op['type'] === 'remove' && typeof op['name'] === 'string'
}

function isClaim(value: unknown): value is Claim {
  if (typeof value !== 'object' || value === null) return false
  const claim = value as { readonly [key: string]: unknown }
  return (
    typeof claim['name'] === 'string' &&
    claim['pid'] instanceof Pid &&
    isCount(claim['epoch']) &&
    typeof claim['meta'] === 'object' &&
    claim['meta'] !== null
  )
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
