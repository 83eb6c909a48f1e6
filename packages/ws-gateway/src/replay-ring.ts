/**
 * The last messages to a client that it has not acknowledged, by number.
 *
 *   add ─▶ [ first … last ] ─▶ ack: those up to a number are let go
 *                         ─▶ after: those that a client has missed, or a gap
 *
 * Numbers begin with 1 and have no holes. Invariants: at most `maxMessages` and `maxBytes` are kept, whatever is added: the oldest make room. What is kept are the
 * frames as they went out, which many rings may share. No clock, no socket.
 */
import type { Frame } from './frame.ts'

export interface RingLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

export class ReplayRing {
  private readonly limits: RingLimits
  /** Those from `head` on are kept; undefined while nothing is: most sessions have nothing unacknowledged. */
  private frames: (Frame | undefined)[] | undefined = undefined
  private head = 0
  private bytes = 0
  /** The number of the last message that was added. */
  last: number

  constructor(limits: RingLimits, last: number = 0) {
    this.limits = limits
    this.last = last
  }

  /** How many are kept. */
  get size(): number {
    return this.frames === undefined ? 0 : this.frames.length - this.head
  }

  /** The bytes of those that are kept. */
  get byteLength(): number {
    return this.bytes
  }

  add(frame: Frame): void {
    this.last++
    this.frames ??= []
    this.frames.push(frame)
    this.bytes += frame.length
    while (this.size > this.limits.maxMessages || this.bytes > this.limits.maxBytes) this.drop()
    this.compact()
  }

  /** The client has all up to this number. `false` if there is no such number yet. */
  ack(number: number): boolean {
    if (!Number.isSafeInteger(number) || number < 0 || number > this.last) return false
    while (this.size > this.last - number) this.drop()
    this.compact()
    return true
  }

  /** The messages after this number; `undefined` if one of them is kept no more, or there is no such number yet. */
  after(number: number): readonly Frame[] | undefined {
    if (!Number.isSafeInteger(number) || number < 0 || number > this.last) return undefined
    const missed = this.last - number
    if (missed > this.size) return undefined
    return missed === 0 ? [] : (this.frames?.slice(-missed) as Frame[])
  }

  private drop(): void {
    this.bytes -= this.frames?.[this.head]?.length ?? 0
    if (this.frames !== undefined) this.frames[this.head] = undefined
    this.head++
  }

  /** The room of those that are gone is given back now and then, not each time. */
  private compact(): void {
    if (this.frames === undefined) return
    if (this.head === this.frames.length) this.frames = undefined
    else if (this.head > this.limits.maxMessages) this.frames.splice(0, this.head)
    else return
    this.head = 0
  }
}
