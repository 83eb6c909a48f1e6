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

  /**
   * Takes out the oldest of which `read` makes something, from the place `from` on. Each is read once.
   * @returns what was made of it, and the place of the one after it; `undefined` if there is none
   */
  takeRead<Read>(
    from: number,
    read: (message: unknown) => Read | undefined,
  ): { readonly read: Read; readonly context: KeptContext | undefined; readonly next: number } | undefined {
    for (let index = this.first + from; index < this.messages.length; index++) {
      const held = this.messages[index]
      const found = held === undefined ? undefined : read(held.message)
      if (found === undefined) continue
      this.messages.splice(index, 1)
      return { read: found, context: held?.context, next: index - this.first }
    }
    return undefined
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
