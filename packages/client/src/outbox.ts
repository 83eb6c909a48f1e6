/**
 * The client's messages, from `send` until the gateway has said that it has them. As a value: no socket, no clock.
 *
 *   add ─▶ [ sent on this socket … │ sent on an earlier one … │ never sent ] ─▶ confirm: let go
 *           first+1                 sent                       tried
 *
 * Invariants:
 * - Numbers are of the session, from 1: entries[0] has the number `first + 1`. 0 <= sent <= tried <= entries.length.
 * - What the session has not got goes out again in order, and before what was never sent.
 * - At most `maxQueued` are kept, and `maxQueuedBytes`; but for the bytes the first UNTOLD are free: the gateway tells what it has after 16 messages only, and who
 *   could not send them would never be told.
 */
import type { Encoded } from './codec.ts'

export interface OutboxLimits {
  readonly maxQueued: number
  readonly maxQueuedBytes: number
}

export interface Outbox {
  readonly entries: readonly Encoded[]
  /** Of all of them. */
  readonly size: number
  readonly first: number
  readonly sent: number
  readonly tried: number
}

/** So many messages the gateway may get before it says so. */
export const UNTOLD = 16
/** How large a frame the gateway takes it doesn't say, and one that is larger ends the session: nobody allows less than 4 KiB, and a character may have three bytes. */
const MAX_FRAME_SIZE = 1024
/** Of a message, whatever it is: the gateway takes 256 in a frame. */
const MIN_SIZE = 8

export const EMPTY_OUTBOX: Outbox = { entries: [], size: 0, first: 0, sent: 0, tried: 0 }

/** @param size Of one more; of text: its length */
export function hasRoom(outbox: Outbox, limits: OutboxLimits, size: number): boolean {
  const { length } = outbox.entries
  return length < UNTOLD || (length < limits.maxQueued && outbox.size + size <= limits.maxQueuedBytes)
}

export function add(outbox: Outbox, entry: Encoded): Outbox {
  return { ...outbox, entries: [...outbox.entries, entry], size: outbox.size + entry.length }
}

/** How many wait for a socket, or for their turn on it. */
export function waiting({ entries, sent }: Outbox): number {
  return entries.length - sent
}

/** The next frames, with `most` messages together at most; of a part of one none. */
export function take(outbox: Outbox, most: number): { readonly outbox: Outbox; readonly frames: readonly Encoded[][] } {
  const frames: Encoded[][] = []
  const next = outbox.entries.slice(outbox.sent, outbox.sent + most)
  let size = Infinity
  for (const entry of next) {
    const own = MIN_SIZE + entry.length
    size += own
    if (size <= MAX_FRAME_SIZE) frames.at(-1)?.push(entry)
    else {
      frames.push([entry])
      size = own
    }
  }
  const sent = outbox.sent + next.length
  return { outbox: { ...outbox, sent, tried: Math.max(sent, outbox.tried) }, frames }
}

/** The session has got so many since its beginning. What it says of messages that were never sent is not believed. */
export function confirm(outbox: Outbox, received: number): Outbox {
  const count = Math.min(Math.max(0, received - outbox.first), outbox.tried)
  return letGo(outbox, count, outbox.first + count)
}

/** The session goes on over another socket, and has got so many: what it has not is to be sent again. */
export function rewind(outbox: Outbox, received: number): Outbox {
  // After a reload of the page nothing was tried yet, and the number is news.
  return { ...confirm(outbox, received), first: received, sent: 0 }
}

/** Another session begins. What the former one may have got is not sent again. */
export function restart(outbox: Outbox): Outbox {
  return letGo(outbox, outbox.tried, 0)
}

function letGo({ entries, sent, tried }: Outbox, count: number, first: number): Outbox {
  const left = entries.slice(count)
  const size = left.reduce((sum, { length }) => sum + length, 0)
  return { entries: left, size, first, sent: Math.max(0, sent - count), tried: tried - count }
}
