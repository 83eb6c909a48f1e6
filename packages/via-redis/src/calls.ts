/**
 * The calls of a driver: each ends in time, whatever it waits for, and no more of them wait than may.
 */
import { Bound } from './bound.ts'
import { unavailable } from './errors.ts'

export class Calls {
  private readonly bound = new Bound()
  private readonly place: string
  private readonly timeoutMs: number

  constructor(place: string, timeoutMs: number) {
    this.place = place
    this.timeoutMs = timeoutMs
  }

  /** @throws StoreError by rejection: `ERR_STORE_UNAVAILABLE`, `ERR_STORE_OVERLOADED`; what `call` has rejected with */
  async run<T>(bytes: number, call: () => Promise<T>): Promise<T> {
    const release = this.bound.take(this.place, bytes)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(unavailable(this.place, `has not answered in ${this.timeoutMs} ms`)),
        this.timeoutMs,
      )
    })
    try {
      return await Promise.race([call(), late])
    } finally {
      clearTimeout(timer)
      release()
    }
  }
}
