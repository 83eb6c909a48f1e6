/**
 * What the table servers of one table say to each other: ordinary messages, on the one ordered connection of their nodes.
 *
 *   a: nodeup b, or a's server has just started, or a gap in b's deltas ── hello(knows: what a has of b) ─▶ b
 *   b ── resume(seq), or snapshot_begin, snapshot_chunk …, snapshot_end ─▶ a          deltas go on in between
 *   b: rows of b change ── delta ─▶ all whose servers have said hello
 *   b: quiet for a while ── tick(seq, count, digest) ─▶ a                             is what you have what I have?
 *
 * Whose rows they are the connection says, never a message. `from` is the sending server: what an earlier one said is worth nothing.
 */
import { Pid } from '@pidmesh/runtime'

/** What one has of an owner's log. */
export interface Known {
  /** The log's life. */
  readonly life: number
  readonly seq: number
}

export type TableMessage =
  /** Send me what I don't have of yours. `isNew`: I have just started and know nobody; a hello of yours may have been lost. */
  | {
      readonly type: 'hello'
      readonly from: Pid
      readonly isNew: boolean
      /** Something that was sent is missing. Otherwise it is a greeting: to one who has been greeted already it says nothing. */
      readonly lacks: boolean
      /** The table's kind and policy: they must be the same everywhere. */
      readonly policy: string
      readonly knows: Known | undefined
    }
  /** You have all up to `seq`; what follows comes as deltas. */
  | { readonly type: 'resume'; readonly from: Pid; readonly life: number; readonly seq: number }
  /** All rows follow, in chunks with this `id`. */
  | {
      readonly type: 'snapshot_begin'
      readonly from: Pid
      readonly id: number
      readonly life: number
      readonly seq: number
    }
  | { readonly type: 'snapshot_chunk'; readonly from: Pid; readonly id: number; readonly ops: Uint8Array }
  /** With the deltas that came in between it is what the owner has at `seq`. */
  | {
      readonly type: 'snapshot_end'
      readonly from: Pid
      readonly id: number
      readonly seq: number
      readonly count: number
      readonly digest: number
    }
  /** The operations `first` … `last`. */
  | {
      readonly type: 'delta'
      readonly from: Pid
      readonly life: number
      readonly first: number
      readonly last: number
      readonly ops: Uint8Array
    }
  /** All up to `seq` has been sent, and this is what it comes to. */
  | {
      readonly type: 'tick'
      readonly from: Pid
      readonly life: number
      readonly seq: number
      readonly count: number
      readonly digest: number
    }
  /** For the members of a group on the receiving node. */
  | { readonly type: 'broadcast'; readonly from: Pid; readonly group: string; readonly message: unknown }

const TYPES: ReadonlySet<unknown> = new Set<TableMessage['type']>([
  'hello',
  'resume',
  'snapshot_begin',
  'snapshot_chunk',
  'snapshot_end',
  'delta',
  'tick',
  'broadcast',
])

/** Whether it says that it is a message of the protocol. */
export function looksLikeTableMessage(message: unknown): message is { readonly type: string } {
  return typeof message === 'object' && message !== null && TYPES.has((message as { readonly type?: unknown }).type)
}

/** Recognises a message of the protocol, in every part that is used: what another node sends is not trusted to be well-formed. */
export function isTableMessage(message: unknown): message is TableMessage {
  if (!looksLikeTableMessage(message)) return false
  const fields = message as { readonly [key: string]: unknown }
  if (!(fields['from'] instanceof Pid)) return false
  switch (message.type as TableMessage['type']) {
    case 'hello':
      return (
        typeof fields['isNew'] === 'boolean' &&
        typeof fields['lacks'] === 'boolean' &&
        typeof fields['policy'] === 'string' &&
        isKnown(fields['knows'])
      )
    case 'resume':
      return isCount(fields['life']) && isCount(fields['seq'])
    case 'snapshot_begin':
      return isCount(fields['id']) && isCount(fields['life']) && isCount(fields['seq'])
    case 'snapshot_chunk':
      return isCount(fields['id']) && fields['ops'] instanceof Uint8Array
    case 'snapshot_end':
      return isCount(fields['id']) && isSum(fields)
    case 'delta':
      return (
        isCount(fields['life']) &&
        isCount(fields['first']) &&
        isCount(fields['last']) &&
        fields['ops'] instanceof Uint8Array
      )
    case 'tick':
      return isCount(fields['life']) && isSum(fields)
    case 'broadcast':
      return typeof fields['group'] === 'string'
  }
}

function isSum(fields: { readonly [key: string]: unknown }): boolean {
  return isCount(fields['seq']) && isCount(fields['count']) && isCount(fields['digest'])
}

function isKnown(value: unknown): boolean {
  if (value === undefined) return true
  if (typeof value !== 'object' || value === null) return false
  const known = value as { readonly [key: string]: unknown }
  return isCount(known['life']) && isCount(known['seq'])
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
