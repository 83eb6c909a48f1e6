/**
 * References that can be sent to. A message to an alias that has been closed is dropped: that is how a late reply is never seen.
 */
export class Aliases {
  private readonly open = new Map<number, (message: unknown) => void>()

  get size(): number {
    return this.open.size
  }

  add(id: number, deliver: (message: unknown) => void): void {
    this.open.set(id, deliver)
  }

  remove(id: number): void {
    this.open.delete(id)
  }

  deliver(id: number, message: unknown): void {
    this.open.get(id)?.(message)
  }
}
