/**
 * A discovery that finds what a test says.
 */
import type { Discovery } from '@pidmesh/runtime'

export class FakeDiscovery implements Discovery {
  isEnded = false
  private found: ((addresses: readonly string[]) => void) | undefined = undefined

  start(found: (addresses: readonly string[]) => void): () => void {
    this.found = found
    return () => {
      this.isEnded = true
    }
  }

  tell(...addresses: readonly unknown[]): void {
    this.found?.(addresses as readonly string[])
  }

  /** Something else than a list of addresses. */
  tellJunk(junk: unknown): void {
    this.found?.(junk as readonly string[])
  }
}
