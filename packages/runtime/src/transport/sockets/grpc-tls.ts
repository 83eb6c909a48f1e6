/**
 * The dialer's side of mutual TLS, as gRPC takes it: both sides show a certificate of the cluster's authority, and the handshake compares the names in it.
 */
import type { Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { credentials, type ChannelCredentials } from '@grpc/grpc-js'
import type { TlsOptions } from '../../ports.ts'

/** The server's name that a TLS dial to an IP address gives: it may be no IP address (RFC 6066, section 3; Node 26 refuses one), and nobody looks at it. */
export const NAME_FOR_AN_IP = { 'grpc.ssl_target_name_override': 'pidmesh.invalid' } as const

/** `onSocket` is given the TCP socket when there is one: gRPC itself never destroys one whose other side doesn't answer. */
export function clientCredentials(tls: TlsOptions | undefined, onSocket: (socket: Socket) => void): ChannelCredentials {
  const made = tls === undefined ? credentials.createInsecure() : secureCredentials(tls)
  tellOfSocket(made, onSocket)
  return made
}

function secureCredentials(tls: TlsOptions): ChannelCredentials {
  const { ca, certificate: cert, privateKey: key } = tls
  return credentials.createFromSecureContext(createSecureContext({ ca, cert, key, minVersion: 'TLSv1.3' }), {
    // A certificate is for a node, wherever it is dialed: the handshake compares the names.
    checkServerIdentity: () => undefined,
  })
}

/**
 * grpc-js passes each socket through its credentials, to be made a secure one, and shows it nowhere else. If a later version does so in another way, nobody is told
 * of it; a test tells.
 */
function tellOfSocket(made: ChannelCredentials, onSocket: (socket: Socket) => void): void {
  const create: unknown = Reflect.get(made, '_createSecureConnector')
  if (typeof create !== 'function') return
  Reflect.set(made, '_createSecureConnector', (...args: unknown[]) => {
    const connector: unknown = Reflect.apply(create, made, args)
    if (typeof connector !== 'object' || connector === null) return connector
    const connect: unknown = Reflect.get(connector, 'connect')
    if (typeof connect !== 'function') return connector
    Reflect.set(connector, 'connect', (socket: Socket): unknown => {
      onSocket(socket)
      const connected: unknown = Reflect.apply(connect, connector, [socket])
      return connected
    })
    return connector
  })
}
