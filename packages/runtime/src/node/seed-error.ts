/**
 * What a seed's refusal means for the start of a node: an error if only a human can mend it, nothing if it will pass.
 */
import { PidmeshError } from '../errors.ts'
import type { NodeName } from '../ids.ts'
import type { ConnectFailure } from '../distribution/connection.ts'
import { PROTOCOL_VERSIONS } from '../distribution/handshake.ts'

/** @returns `ERR_BAD_COOKIE`, `ERR_BAD_CERTIFICATE`, `ERR_DUPLICATE_NODE`, `ERR_INCOMPATIBLE_NODE`, or nothing */
export function seedError(
  self: NodeName,
  address: string,
  { code, by, peer, versions }: ConnectFailure & { readonly type: 'refused' },
): PidmeshError | undefined {
  switch (code) {
    case 'bad_cookie':
      return new PidmeshError('ERR_BAD_COOKIE', `the node at ${address} refused the connection: wrong cookie`)
    case 'bad_certificate':
      return new PidmeshError(
        'ERR_BAD_CERTIFICATE',
        `the connection to ${address} was refused: a certificate is not that of the node that shows it`,
      )
    case 'duplicate_name':
      // Of two others that have one name, the one that came second is refused, by us: the dialer has logged that.
      if (by === 'us' && peer?.name !== self) return undefined
      return new PidmeshError(
        'ERR_DUPLICATE_NODE',
        peer?.name === self
          ? `a node named ${self} is already running, at ${address}`
          : `a node named ${self} is already running: ${peer?.name ?? 'a node'}, at ${address}, is connected with it`,
      )
    case 'version': {
      const { oldest, newest } = PROTOCOL_VERSIONS
      const which = versions === undefined ? 'others' : `${versions.oldest} to ${versions.newest}`
      return new PidmeshError(
        'ERR_INCOMPATIBLE_NODE',
        `the node at ${address} speaks other versions of the protocol: ${which}, and this one ${oldest} to ${newest}`,
      )
    }
    case 'protocol':
      return new PidmeshError('ERR_INCOMPATIBLE_NODE', `what listens at ${address} is not a pidmesh node`)
    case 'self':
    case 'simultaneous':
    case 'already_connected':
      return undefined
  }
}
