import { PidmeshError } from '@pidmesh/runtime'

/** The codes of this package's own errors. */
export type GatewayErrorCode =
  /** What was asked for needs an option, or a way of keeping names, that isn't there. */
  'ERR_NOT_SUPPORTED'

export class GatewayError extends PidmeshError<GatewayErrorCode> {
  constructor(code: GatewayErrorCode, message: string) {
    super(code, message)
    this.name = 'GatewayError'
  }
}
