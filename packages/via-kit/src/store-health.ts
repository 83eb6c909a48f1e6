/**
 * Whether the store, or the broker, is there, as the calls to it tell: counted always; logged once when it does not answer, and once when it has answered for a while. Of a store in parts each is judged by itself.
 *
 * State: the parts that have failed and are not back: none of which nothing was asked for long.
 */
import type { Clock, Logger } from '@pidmesh/runtime'
import { WHOLE } from './batches.ts'
import { StoreError } from './errors.ts'

/** It is back when nothing has failed for so long: some calls to it may fail, and others not. */
const CALM_MS = 2_000
/** That it can't say who listens is told again after so long. */
const UNSURE_MS = 60_000
/** A part that nobody has asked for so long has no names any more: another one has them. Much longer than from one call to the next of who asks seldom. */
const UNASKED_MS = 300_000

interface Troubled {
  isFailing: boolean
  failedMs: number
  askedMs: number
}

export class StoreHealth {
  private readonly clock: Clock
  private readonly log: Logger
  private readonly kind: string
  private readonly what: string
  private readonly troubled = new Map<string, Troubled>()
  private unsureMs = -Infinity
  failures = 0

  /** @param what For the log, what it is to its user. @param kind Which it is */
  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }, what: string, kind: string) {
    this.clock = clock
    this.log = log
    this.what = what
    this.kind = kind
  }

  /** The last call has succeeded: the last one to each part. */
  get isAvailable(): boolean {
    for (const { isFailing } of this.troubled.values()) if (isFailing) return false
    return true
  }

  failed(error: unknown, part: string = WHOLE): void {
    // It was not asked at all.
    if (error instanceof StoreError && error.code === 'ERR_STORE_OVERLOADED') return
    this.failures++
    const nowMs = this.clock.monotonicMs()
    const isTold = this.troubled.has(part)
    this.troubled.set(part, { isFailing: true, failedMs: nowMs, askedMs: nowMs })
    this.forgetUnasked(nowMs)
    if (isTold) return
    this.log.warn({ ...this.shown(part), problem: problemOf(error) }, `${this.named(part)} does not answer`)
  }

  succeeded(part: string = WHOLE): void {
    if (this.troubled.size === 0) return
    const nowMs = this.clock.monotonicMs()
    const known = this.troubled.get(part)
    if (known !== undefined) {
      known.isFailing = false
      known.askedMs = nowMs
      if (nowMs - known.failedMs >= CALM_MS) {
        this.troubled.delete(part)
        this.log.info(this.shown(part), `${this.named(part)} is back`)
      }
    }
    this.forgetUnasked(nowMs)
  }

  /** A broker has answered, and who listens may not be back since it was away: no failure of its. */
  unsure(): void {
    const nowMs = this.clock.monotonicMs()
    if (nowMs - this.unsureMs < UNSURE_MS) return
    this.unsureMs = nowMs
    this.log.info(this.shown(WHOLE), `${this.what} was away: who listens is not known for a moment`)
  }

  private forgetUnasked(nowMs: number): void {
    for (const [part, { askedMs }] of this.troubled) {
      if (part === WHOLE || nowMs - askedMs < UNASKED_MS) continue
      this.troubled.delete(part)
      this.log.info(this.shown(part), `${this.named(part)} is not asked any more`)
    }
  }

  private shown(part: string): { readonly store: string; readonly part?: string } {
    return { store: this.kind, ...(part !== WHOLE && { part }) }
  }

  private named(part: string): string {
    return part === WHOLE ? this.what : `a part of ${this.what}`
  }
}

/** Only the messages of a StoreError are known to have no credentials in them. */
function problemOf(error: unknown): string {
  if (error instanceof StoreError) return error.message
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown }
  return ['the driver has failed', name, code].filter((part) => typeof part === 'string').join(': ')
}
