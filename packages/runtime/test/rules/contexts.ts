/**
 * A propagation for tests: the context is a text, in an AsyncLocalStorage as that of OpenTelemetry is.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Carrier, Propagation } from '@pidmesh/runtime'

export class TextPropagation implements Propagation {
  captures = 0
  private readonly storage = new AsyncLocalStorage<string | undefined>()

  /** The context that is active. */
  get active(): string | undefined {
    return this.storage.getStore()
  }

  within<T>(text: string | undefined, run: () => T): T {
    return this.storage.run(text, run)
  }

  capture(): Carrier | undefined {
    this.captures++
    return this.active === undefined ? undefined : { text: this.active }
  }

  run(carrier: Carrier | undefined, run: () => void): void {
    this.storage.run(carrier?.['text'], run)
  }
}
