/**
 * What a suspended server has been sent, in order. It is no mailbox: the runtime's limits don't see it, so that it says itself when there is much of it.
 */
import type { KeptContext, Logger } from '@pidmesh/runtime'

const WARN_FROM = 100_000
/** Slots that are empty before they are let go. */
const COMPACT_FROM = 1_024

export interface HeldMessage {
  readonly message: unknown
  /** In which it is to be handled: that of `sys.resume` would be another's. */
  readonly context: KeptContext | undefined
}

export class HeldMessages {
  private messages: Array<HeldMessage | undefined> = []
  private first = 0
  private warnAt = WARN_FROM

  get size(): number {
    return this.messages.length - this.first
  }

  push(message: HeldMessage, log: Logger): void {
    this.messages.push(message)
    if (this.size < this.warnAt) return
    this.warnAt *= 2
    log.warn({ messages: this.size }, `the server is suspended, and ${this.size} messages wait for sys.resume`)
  }

  /** The oldest. */
  shift(): HeldMessage {
    const message = this.messages[this.first]
    if (message === undefined) throw new TypeError('no message is held')
    this.messages[this.first++] = undefined
    if (this.first >= COMPACT_FROM && this.first * 2 > this.messages.length) {
      this.messages = this.messages.slice(this.first)
      this.first = 0
    }
    return message
  }
}
