/**
 * What waits to be sent to one node: signals go in, frames come out, of 64 KiB and a few bytes at most.
 *
 *   add ─ small ─────────────────────────▶ batch ─ full ─▶ sealed batches ─┐
 *    └─── large, or behind a large one ──▶ transfer of its sender ─ parts ─┴─▶ nextFrame, in turn
 *
 * A signal that is larger than a frame goes in parts, and between these go the signals of other processes: a large message holds up its sender's next ones,
 * and nobody else's. `MAX_TRANSFERS` are under way at the same time; the rest wait.
 *
 * Invariants: the signals of one process leave in the order in which they came; a frame is made once its place in the order is certain, so what is taken
 * here is what arrives; `bytes` counts all that is held.
 */
import type { FrameCodec } from '../wire/codec.ts'
import type { Signal } from '../signals/signal.ts'
import type { SignalWriter } from '../wire/signal-writer.ts'

/** Bytes of signals in one frame at most. */
export const BATCH_BYTES: number = 64 * 1024
/** Bytes of a large signal in one frame. */
const PART_BYTES = 60 * 1024
/** Large signals that are sent in parts at the same time: what the other side has to keep is bounded by it. */
export const MAX_TRANSFERS = 4

/** A large signal, and what its process has sent after it. */
interface Transfer {
  /** Below `MAX_TRANSFERS`; `undefined` as long as all numbers are in use. */
  slot: number | undefined
  readonly from: number
  /** Batches that must have been taken before: the process's earlier signals are among them. */
  readonly afterBatches: number
  /** The large signal, as a `Data`. */
  readonly data: Uint8Array
  /** How much of it has been taken. */
  sent: number
  /** What waits behind it: each a large signal, or many small ones that fit into a frame. */
  readonly waiting: Uint8Array[]
  /** The small ones behind those. */
  open: SignalWriter | undefined
}

export class Outbox {
  private readonly codec: FrameCodec
  private readonly batch: SignalWriter
  private readonly sealed: Uint8Array[] = []
  private readonly transfers = new Map<number, Transfer>()
  private readonly freeSlots: number[] = Array.from({ length: MAX_TRANSFERS }, (_, slot) => slot)
  private heldBytes = 0
  private batchesSealed = 0
  private batchesTaken = 0
  private isPartNext = false

  constructor(codec: FrameCodec) {
    this.codec = codec
    this.batch = codec.signalWriter()
  }

  /** Bytes that wait here. */
  get bytes(): number {
    return this.heldBytes + this.batch.length
  }

  /** Returns how many bytes it takes. */
  add(signal: Signal): number {
    return this.place(signal.from, this.batch.append(signal))
  }

  /** As `add`, of a signal from there that another writer has written. */
  addData(from: number, data: Uint8Array): number {
    const start = this.batch.length
    this.batch.appendData(data)
    return this.place(from, start)
  }

  /** Whether a frame is full: it need not wait for the end of the turn. */
  get isFrameFull(): boolean {
    return this.sealed.length > 0 || this.batch.length >= BATCH_BYTES
  }

  /** The next frame, of what is here now; `undefined` when nothing is left. */
  nextFrame(): Uint8Array | undefined {
    const part = this.isPartNext ? this.nextPart() : undefined
    if (part !== undefined) {
      this.isPartNext = false
      return part
    }
    this.isPartNext = this.transfers.size > 0
    return this.nextBatch() ?? (this.isPartNext ? this.nextPart() : undefined)
  }

  /** What was put into the batch last, from `start` on, stays there or goes where its sender's other signals wait. */
  private place(from: number, start: number): number {
    const bytes = this.batch.length - start
    const transfer = this.transfers.size === 0 ? undefined : this.transfers.get(from)
    if (bytes <= BATCH_BYTES && transfer === undefined) {
      if (this.batch.length > BATCH_BYTES) this.sealBefore(start)
      return bytes
    }
    const data = this.batch.takeFrom(start)
    this.heldBytes += bytes
    if (transfer !== undefined) this.addBehind(transfer, data)
    else this.startTransfer(from, data, [])
    return bytes
  }

  private addBehind(transfer: Transfer, data: Uint8Array): void {
    const { waiting } = transfer
    if (transfer.open !== undefined && transfer.open.length + data.length > BATCH_BYTES) {
      waiting.push(transfer.open.takeFrom(0))
      transfer.open = undefined
    }
    if (data.length > BATCH_BYTES) {
      waiting.push(data)
      return
    }
    transfer.open ??= this.codec.signalWriter()
    transfer.open.appendData(data)
  }

  private nextBatch(): Uint8Array | undefined {
    const sealed = this.sealed.shift()
    if (sealed !== undefined) {
      this.heldBytes -= sealed.length
      this.batchesTaken++
      return sealed
    }
    if (this.batch.length === 0) return undefined
    this.batchesSealed++
    this.batchesTaken++
    return this.batch.takeFrame()
  }

  private nextPart(): Uint8Array | undefined {
    for (const transfer of this.transfers.values()) {
      if (transfer.afterBatches > this.batchesTaken) continue
      transfer.slot ??= this.freeSlots.pop()
      if (transfer.slot === undefined) continue
      // The next time it's another's turn.
      this.transfers.delete(transfer.from)
      this.transfers.set(transfer.from, transfer)
      return this.partOf(transfer, transfer.slot)
    }
    return undefined
  }

  private partOf(transfer: Transfer, slot: number): Uint8Array {
    const { data } = transfer
    const bytes = data.subarray(transfer.sent, transfer.sent + PART_BYTES)
    transfer.sent += bytes.length
    const last = transfer.sent === data.length
    this.heldBytes -= bytes.length
    if (last) this.endTransfer(transfer, slot)
    return this.codec.encode({ type: 'part', transfer: slot, bytes, last })
  }

  private startTransfer(from: number, data: Uint8Array, waiting: Uint8Array[]): void {
    if (this.batch.length > 0) this.seal()
    const afterBatches = this.batchesSealed
    this.transfers.set(from, { slot: undefined, from, afterBatches, data, sent: 0, waiting, open: undefined })
  }

  /** A large signal has been taken: what its sender has sent since goes the way of all signals, up to the next large one. */
  private endTransfer({ from, waiting, open }: Transfer, slot: number): void {
    this.freeSlots.push(slot)
    this.transfers.delete(from)
    if (open !== undefined) waiting.push(open.takeFrom(0))
    for (const [index, data] of waiting.entries()) {
      if (data.length > BATCH_BYTES) {
        this.startTransfer(from, data, waiting.slice(index + 1))
        return
      }
      this.heldBytes -= data.length
      const start = this.batch.length
      this.batch.appendData(data)
      if (this.batch.length > BATCH_BYTES) this.sealBefore(start)
    }
  }

  /** Seals the batch without what was appended since its length was this. */
  private sealBefore(length: number): void {
    const data = this.batch.takeFrom(length)
    if (length > 0) this.seal()
    this.batch.appendData(data)
  }

  private seal(): void {
    const frame = this.batch.takeFrame()
    this.sealed.push(frame)
    this.heldBytes += frame.length
    this.batchesSealed++
  }
}
