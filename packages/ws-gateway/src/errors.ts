import { PidmeshError, type Groups } from '@pidmesh/runtime'

/** The codes of this package's own errors. */
export type GatewayErrorCode =
  /** What was asked for needs an option, or a way of keeping names, that isn't there. */
  | 'ERR_NOT_SUPPORTED'
  /** Who is to be told that a name is revoked could not be reached. */
  | 'ERR_NOT_REVOKED'

export class GatewayError extends PidmeshError<GatewayErrorCode> {
  constructor(code: GatewayErrorCode, message: string) {
    super(code, message)
    this.name = 'GatewayError'
  }
}

/** @throws GatewayError `ERR_NOT_SUPPORTED` if the gateway was started without groups */
export function wanted(groups: Groups | undefined): Groups {
  if (groups === undefined)
    throw new GatewayError('ERR_NOT_SUPPORTED', 'the gateway was started without groups: give it `groups`')
  return groups
}
