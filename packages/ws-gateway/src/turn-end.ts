/**
 * What connections have to write at the end of a turn of the event loop: what many processes push in one turn goes out together.
 */
import type { Connection } from './connection.ts'

export class TurnEnd {
  private waiting: Connection[] = []

  add(connection: Connection): void {
    if (this.waiting.length === 0) process.nextTick(this.flush)
    this.waiting.push(connection)
  }

  private readonly flush = (): void => {
    const connections = this.waiting
    this.waiting = []
    for (const connection of connections) connection.flush()
  }
}
