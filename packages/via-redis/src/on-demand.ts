/**
 * A connection that is opened when somebody needs it, and opened anew when it is lost.
 *
 *   get() ─▶ open already ─▶ that
 *         └▶ being opened ─▶ the same for all who ask meanwhile, in their order
 *         └▶ has just failed ─▶ what that has failed with, until the pause is over: longer with each failure, and of random length
 */
import type { Connection } from './connection.ts'

const FIRST_PAUSE_MS = 50
const LAST_PAUSE_MS = 1_000

/** @param random From 0 to 1 */
export function pauseMs(failures: number, random: number): number {
  const longestMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LAST_PAUSE_MS)
  return longestMs * (0.5 + random / 2)
}

export class OnDemand {
  private readonly open: () => Promise<Connection>
  private connection: Connection | undefined
  private opening: Promise<Connection> | undefined
  private isEnded = false
  private failures = 0
  private failed: { readonly error: Error; readonly untilMs: number } | undefined

  constructor(open: () => Promise<Connection>) {
    this.open = open
  }

  get isOpen(): boolean {
    return this.connection?.isOpen === true
  }

  has(connection: Connection): boolean {
    return this.connection === connection
  }

  /** Not `async`, nor is what asks here: whoever asks first goes first. */
  get(): Promise<Connection> {
    if (this.opening !== undefined) return this.opening
    const { connection, failed } = this
    if (connection?.isOpen === true) return Promise.resolve(connection)
    if (failed !== undefined && performance.now() < failed.untilMs) return Promise.reject(failed.error)
    const opening = this.openNew()
    this.opening = opening
    void opening
      .catch(() => undefined)
      .then(() => {
        this.opening = undefined
      })
    return opening
  }

  /** For good: also what is being opened is ended when it is open, as nobody else will do it. */
  end(): void {
    this.isEnded = true
    this.connection?.end()
  }

  private async openNew(): Promise<Connection> {
    try {
      this.connection = await this.open()
      if (this.isEnded) this.connection.end()
      this.failures = 0
      this.failed = undefined
      return this.connection
    } catch (error) {
      this.failures++
      this.failed = { error: error as Error, untilMs: performance.now() + pauseMs(this.failures, Math.random()) }
      throw error
    }
  }
}
