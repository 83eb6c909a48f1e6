/**
 * The log of one owner: each change of its own rows is an operation with the next number (`seq`). It keeps the last of them as they are sent, so that who has been
 * away for a short time needs no new copy. Before there is anybody to send to it only counts.
 *
 *   append ─▶ the batch that is open ── seal ─▶ ring ─▶ feeds, each from where it is
 *
 * State: `life` (another in each life of the table), `seq`, the open batch, the ring. Invariant: the ring's batches follow each other without a gap, up to the open
 * one.
 */
import type { KeyWords } from './key-words.ts'
import { OpWriter } from './ops.ts'

/** Operations `from` … `to`, as they are sent. */
export interface Batch {
  readonly from: number
  readonly to: number
  readonly ops: Uint8Array
  readonly sealedAtMs: number
}

export interface LogLimits {
  /** A batch is closed when it has so many bytes. */
  readonly batchBytes: number
  /** The ring holds so many bytes at most … */
  readonly ringBytes: number
  /** … and none that are older: nobody comes back after that. */
  readonly ringMs: number
}

/** What a batch takes besides its operations. */
const BATCH_BYTES = 256

export const LOG_LIMITS: LogLimits = { batchBytes: 32 * 1024, ringBytes: 4 * 1024 * 1024, ringMs: 60_000 }

export class OwnerLog {
  readonly life: number
  /** Others may be set at any time. */
  limits: LogLimits
  /** The number of the last operation. */
  seq = 0
  private sealedSeq = 0
  private isKept = false
  private readonly open = new OpWriter()
  private ring: (Batch | undefined)[] = []
  /** The first batch of the ring that is still there. */
  private oldest = 0
  private bytes = 0

  constructor(life: number, limits: LogLimits = LOG_LIMITS) {
    this.life = life
    this.limits = limits
  }

  /** From now on there is somebody to send to, or to come back. */
  keep(): void {
    if (this.isKept) return
    this.isKept = true
    this.sealedSeq = this.seq
  }

  put(key: KeyWords, id: number, epoch: number, meta: Uint8Array): void {
    if (this.isKept) this.open.put(key, id, epoch, meta)
    this.seq++
  }

  remove(key: KeyWords, id: number, epoch: number): void {
    if (this.isKept) this.open.remove(key, id, epoch)
    this.seq++
  }

  change(key: KeyWords, id: number, meta: Uint8Array): void {
    if (this.isKept) this.open.change(key, id, meta)
    this.seq++
  }

  /** The open batch is to be sealed now, and not only at the end of the turn. */
  get isFull(): boolean {
    return this.open.bytes >= this.limits.batchBytes
  }

  /** Closes the open batch: its operations can be sent. */
  seal(nowMs: number): void {
    if (!this.isKept) this.sealedSeq = this.seq
    if (this.sealedSeq < this.seq) {
      const ops = this.open.take()
      this.ring.push({ from: this.sealedSeq + 1, to: this.seq, ops, sealedAtMs: nowMs })
      this.bytes += ops.length + BATCH_BYTES
      this.sealedSeq = this.seq
    }
    this.trim(nowMs)
  }

  /** The number of the last operation that can be sent. */
  get sealed(): number {
    return this.sealedSeq
  }

  /** Whether all that came after `seq` is still there. */
  covers(seq: number): boolean {
    const first = this.ring[this.oldest]?.from ?? this.sealedSeq + 1
    return seq <= this.seq && seq >= first - 1
  }

  /** The batch that has what comes after `seq`, if there is one. */
  after(seq: number): Batch | undefined {
    let low = this.oldest
    let high = this.ring.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.ring[middle] as Batch).to <= seq) low = middle + 1
      else high = middle
    }
    return this.ring[low]
  }

  /** Bytes that the ring holds, the batches themselves included. */
  get ringBytes(): number {
    return this.bytes
  }

  private trim(nowMs: number): void {
    for (let batch = this.ring[this.oldest]; batch !== undefined; batch = this.ring[this.oldest]) {
      if (this.bytes <= this.limits.ringBytes && nowMs - batch.sealedAtMs <= this.limits.ringMs) break
      this.bytes -= batch.ops.length + BATCH_BYTES
      this.ring[this.oldest++] = undefined
    }
    if (this.oldest * 2 <= this.ring.length && this.oldest < this.ring.length) return
    this.ring = this.ring.slice(this.oldest)
    this.oldest = 0
  }
}
