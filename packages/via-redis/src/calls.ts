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
  run<T>(bytes: number, call: () => Promise<T>): Promise<T> {
    return this.parts(bytes, (inTime) => inTime(call()))
  }

  /**
   * A call of which parts may fail: each of them is put into `inTime`.
   * @throws StoreError by rejection: `ERR_STORE_OVERLOADED`; what `call` has rejected with
   */
  async parts<T>(bytes: number, call: (inTime: <P>(part: Promise<P>) => Promise<P>) => Promise<T>): Promise<T> {
    const release = this.bound.take(this.place, bytes)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(unavailable(this.place, `has not answered in ${this.timeoutMs} ms`)),
        this.timeoutMs,
      )
    })
    try {
      return await call((part) => Promise.race([part, late]))
    } finally {
      clearTimeout(timer)
      release()
    }
  }
}
