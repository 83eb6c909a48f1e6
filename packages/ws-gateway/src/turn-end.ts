/**
 * What sockets have to write at the end of a turn of the event loop: what many processes push in one turn goes out together.
 */
import type { SocketWriter } from './socket-writer.ts'

export class TurnEnd {
  private waiting: SocketWriter[] = []

  add(writer: SocketWriter): void {
    if (this.waiting.length === 0) process.nextTick(this.flush)
    this.waiting.push(writer)
  }

  private readonly flush = (): void => {
    const writers = this.waiting
    this.waiting = []
    for (const writer of writers) writer.flush()
  }
}
