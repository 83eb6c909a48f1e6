/**
 * What waits to be sent to one node: signals go in, frames come out, of 64 KiB at most.
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

/** The signals of one process that wait, the first of which is large. */
interface Transfer {
  /** Below `MAX_TRANSFERS`; `undefined` as long as all numbers are in use. */
  slot: number | undefined
  readonly from: number
  /** Batches that must have been taken before: the process's earlier signals are among them. */
  afterBatches: number
  /** Each as the `Data` of a frame of its own, the first being sent. */
  readonly waiting: Uint8Array[]
  /** Of the first, how much has been taken. */
  sent: number
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
    const before = this.batch.length
    this.batch.append(signal)
    const bytes = this.batch.length - before
    const transfer = this.transfers.size === 0 ? undefined : this.transfers.get(signal.from)
    if (bytes <= BATCH_BYTES && transfer === undefined) {
      if (this.batch.length > BATCH_BYTES) this.sealBefore(before)
      return bytes
    }
    const data = this.batch.takeFrom(before)
    this.heldBytes += data.length
    if (transfer !== undefined) transfer.waiting.push(data)
    else this.startTransfer(signal.from, data)
    return bytes
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
    const [data = new Uint8Array(0)] = transfer.waiting
    const bytes = data.subarray(transfer.sent, transfer.sent + PART_BYTES)
    transfer.sent += bytes.length
    const last = transfer.sent === data.length
    this.heldBytes -= bytes.length
    if (last) this.endTransfer(transfer, slot)
    return this.codec.encode({ type: 'part', transfer: slot, bytes, last })
  }

  private startTransfer(from: number, data: Uint8Array): void {
    if (this.batch.length > 0) this.seal()
    this.transfers.set(from, { slot: undefined, from, afterBatches: this.batchesSealed, waiting: [data], sent: 0 })
  }

  /** A large signal has been taken: what its sender has sent since goes the way of all signals, up to the next large one. */
  private endTransfer(transfer: Transfer, slot: number): void {
    this.freeSlots.push(slot)
    this.transfers.delete(transfer.from)
    const [, ...rest] = transfer.waiting
    for (const [index, data] of rest.entries()) {
      if (data.length > BATCH_BYTES) {
        this.startTransfer(transfer.from, data)
        this.transfers.get(transfer.from)?.waiting.push(...rest.slice(index + 1))
        return
      }
      this.heldBytes -= data.length
      const before = this.batch.length
      this.batch.appendData(data)
      if (this.batch.length > BATCH_BYTES) this.sealBefore(before)
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
