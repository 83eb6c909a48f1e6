/**
 * Whether the store, or the broker, is there, as the calls to it tell: counted always; logged once when it does not answer, and once when it has answered for a while.
 */
import type { Clock, Logger } from '@pidmesh/runtime'
import { StoreError } from './errors.ts'

/** It is back when nothing has failed for so long: a part of it may be away, and others not. */
const CALM_MS = 2_000

export class StoreHealth {
  private readonly clock: Clock
  private readonly log: Logger
  private readonly kind: string
  private readonly what: string
  private isTold = false
  private failedMs = -Infinity
  isAvailable = true
  failures = 0

  /** @param what For the log, what it is to its user. @param kind Which it is */
  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }, what: string, kind: string) {
    this.clock = clock
    this.log = log
    this.what = what
    this.kind = kind
  }

  failed(error: unknown): void {
    this.failures++
    this.isAvailable = false
    this.failedMs = this.clock.monotonicMs()
    if (this.isTold) return
    this.isTold = true
    this.log.warn({ store: this.kind, problem: problemOf(error) }, `${this.what} does not answer`)
  }

  succeeded(): void {
    this.isAvailable = true
    if (!this.isTold || this.clock.monotonicMs() - this.failedMs < CALM_MS) return
    this.isTold = false
    this.log.info({ store: this.kind }, `${this.what} is back`)
  }
}

/** Only the messages of a StoreError are known to have no credentials in them. */
function problemOf(error: unknown): string {
  if (error instanceof StoreError) return error.message
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown }
  return ['the driver has failed', name, code].filter((part) => typeof part === 'string').join(': ')
}
