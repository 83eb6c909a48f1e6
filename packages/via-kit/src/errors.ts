import { PidmeshError } from '@pidmesh/runtime'

export type StoreErrorCode =
  /** The store can't be reached, or has not answered in time. Later it may. */
  | 'ERR_STORE_UNAVAILABLE'
  /** It is there and can't be used: its schema, its version, the rights of the user. */
  | 'ERR_STORE_UNFIT'
  /** The driver, or the scope on this node, is in use already. */
  | 'ERR_ALREADY_STARTED'
  /** More waits for the store than may. */
  | 'ERR_STORE_OVERLOADED'

/** A store or a broker is not there, or not as it must be. Its message has no credentials and no names of processes in it. */
export class StoreError extends PidmeshError<StoreErrorCode> {
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
    this.name = 'StoreError'
  }
}
