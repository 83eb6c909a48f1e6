/**
 * What sockets have to write at the end of a turn of the event loop: what many processes push in one turn goes out together. And the Buffers of texts that were made in the turn.
 */
import type { SocketWriter } from './socket-writer.ts'

export class TurnEnd {
  private waiting: SocketWriter[] = []
  private readonly shared = new Map<string, Buffer>()
  private isComing = false

  add(writer: SocketWriter): void {
    this.waiting.push(writer)
    this.await()
  }

  /** The bytes of a text frame: made once for all that the turn sends it to. */
  bytesOf(frame: string): Buffer {
    const known = this.shared.get(frame)
    if (known !== undefined) return known
    // Memory of its own: it waits for who reads slowly, and a slice of Node's pool keeps 8 KiB alive.
    const bytes = Buffer.allocUnsafeSlow(frame.length)
    bytes.write(frame, 'latin1')
    this.shared.set(frame, bytes)
    this.await()
    return bytes
  }

  private await(): void {
    if (this.isComing) return
    this.isComing = true
    process.nextTick(this.flush)
  }

  private readonly flush = (): void => {
    const writers = this.waiting
    this.waiting = []
    this.isComing = false
    this.shared.clear()
    for (const writer of writers) writer.flush()
  }
}
