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
  /** Of all entries together; of text: its length. */
  readonly bytes: number
  readonly first: number
  readonly sent: number
  readonly tried: number
}

/** So many messages the gateway may get before it says so. */
export const UNTOLD = 16
/** The gateway takes 256 in a frame, and 64 KiB; a character may have three bytes. */
const MAX_FRAME_MESSAGES = 64
const MAX_FRAME_SIZE = 16 * 1024

export const EMPTY_OUTBOX: Outbox = { entries: [], bytes: 0, first: 0, sent: 0, tried: 0 }

export function hasRoom({ entries, bytes }: Outbox, limits: OutboxLimits, size: number): boolean {
  if (entries.length >= limits.maxQueued) return false
  return entries.length < UNTOLD || bytes + size <= limits.maxQueuedBytes
}

export function add(outbox: Outbox, entry: Encoded): Outbox {
  return { ...outbox, entries: [...outbox.entries, entry], bytes: outbox.bytes + entry.length }
}

/** How many wait for a socket, or for their turn on it. */
export function waiting({ entries, sent }: Outbox): number {
  return entries.length - sent
}

/** The next frames, with `most` messages together at most. */
export function take(outbox: Outbox, most: number): { readonly outbox: Outbox; readonly frames: readonly Encoded[][] } {
  const frames: Encoded[][] = []
  let size = Infinity
  let { sent } = outbox
  for (const entry of outbox.entries.slice(sent, sent + Math.max(0, Math.floor(most)))) {
    const frame = frames.at(-1)
    if (frame === undefined || frame.length === MAX_FRAME_MESSAGES || size + entry.length > MAX_FRAME_SIZE) {
      frames.push([entry])
      size = entry.length
    } else {
      frame.push(entry)
      size += entry.length
    }
    sent++
  }
  return { outbox: { ...outbox, sent, tried: Math.max(sent, outbox.tried) }, frames }
}

/** The session has got so many since its beginning. What it says of messages that were never sent is not believed. */
export function confirm(outbox: Outbox, received: number): Outbox {
  const count = Math.min(Math.max(0, received - outbox.first), outbox.tried)
  return { ...letGo(outbox, count), first: outbox.first + count }
}

/** The session goes on over another socket, and has got so many: what it has not is to be sent again. */
export function rewind(outbox: Outbox, received: number): Outbox {
  // After a reload of the page nothing was tried yet, and the number is news.
  return { ...confirm(outbox, received), first: received, sent: 0 }
}

/** Another session begins. What the former one may have got is not sent again. */
export function restart(outbox: Outbox): Outbox {
  return { ...letGo(outbox, outbox.tried), first: 0 }
}

function letGo(outbox: Outbox, count: number): Outbox {
  if (count === 0) return outbox
  const { entries, bytes, sent, tried } = outbox
  const gone = entries.slice(0, count).reduce((sum, { length }) => sum + length, 0)
  return {
    ...outbox,
    entries: entries.slice(count),
    bytes: bytes - gone,
    sent: Math.max(0, sent - count),
    tried: tried - count,
  }
}
