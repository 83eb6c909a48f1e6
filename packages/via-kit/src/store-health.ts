/**
 * Whether the store is there, as the calls to it tell: what is logged once, and counted always.
 */
import type { Logger } from '@pidmesh/runtime'

export class StoreHealth {
  private readonly log: Logger
  private readonly kind: string
  isAvailable = true
  failures = 0

  constructor(log: Logger, kind: string) {
    this.log = log
    this.kind = kind
  }

  failed(error: unknown): void {
    this.failures++
    if (!this.isAvailable) return
    this.isAvailable = false
    this.log.warn({ store: this.kind, problem: problemOf(error) }, 'the store of names does not answer')
  }

  succeeded(): void {
    if (this.isAvailable) return
    this.isAvailable = true
    this.log.info({ store: this.kind }, 'the store of names is back')
  }
}

function problemOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
