/**
 * Whether a driver is ours to stop: not if somebody else has started it.
 *
 *   start ─▶ ours        start has failed ─▶ ours: it is to be cleaned up        start has failed as it is in use ─▶ not ours
 */
import type { Logger } from '@pidmesh/runtime'
import { StoreError } from './errors.ts'

interface Driver {
  readonly kind: string
  stop(): Promise<void>
}

export class DriverUse {
  private readonly driver: Driver
  private readonly log: Logger
  private isOurs = false

  constructor(driver: Driver, log: Logger) {
    this.driver = driver
    this.log = log
  }

  /** @throws StoreError by rejection */
  async start(start: () => Promise<void>): Promise<void> {
    this.isOurs = true
    try {
      await start()
    } catch (error) {
      const told = storeErrorOf(error, this.driver.kind)
      this.isOurs = told.code !== 'ERR_ALREADY_STARTED'
      throw told
    }
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    if (!this.isOurs) return
    this.isOurs = false
    try {
      await this.driver.stop()
    } catch (error) {
      const { message } = storeErrorOf(error, this.driver.kind)
      this.log.warn({ problem: message }, 'a driver was not left in order')
    }
  }
}

/** What a driver has failed with. The message of an error that is no StoreError may have anything in it: it is the cause only. */
export function storeErrorOf(error: unknown, kind: string): StoreError {
  return error instanceof StoreError
    ? error
    : new StoreError('ERR_STORE_UNAVAILABLE', `the driver of ${kind} has failed`, { cause: error })
}
