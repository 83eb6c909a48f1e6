/**
 * The listener's side of mutual TLS, the same for each transport: both sides show a certificate of the cluster's authority, and the handshake compares the names in it.
 */
import type { Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import type { TlsOptions } from '../../ports.ts'
import { detailOf } from './socket-error.ts'

/** Of a connection that was closed and nothing said: a node that refuses our certificate says no word of it. */
const NO_REASON = 'closed without a word: the other side may have refused the certificate of this node'

/** Its certificate counts, and so does ours, or it would have said nothing. */
const SAID_OTHER = 'TLS was made, and what was said on it is nothing of a node'

export interface SecuringOptions {
  readonly tls: TlsOptions
  /** What both sides speak, if they are to agree on it (ALPN). */
  readonly protocol?: string
  /** The other side has shown a certificate that counts. */
  readonly onSecured: (socket: Socket) => void
  /** Why the connection will have been closed, if it is before anything is said on it. The last word counts. */
  readonly explain: (socket: Socket, detail: string) => void
}

/** Makes a connection that has come one of TLS. */
export function securing({ tls, protocol, onSecured, explain }: SecuringOptions): (socket: Socket) => void {
  const { ca, certificate: cert, privateKey: key } = tls
  const ALPNProtocols = protocol === undefined ? undefined : [protocol]
  const options = { ca, cert, key, minVersion: 'TLSv1.3', requestCert: true, ALPNProtocols } as const
  const server = createServer(options, (secure) => {
    const socket = socketBelow(secure)
    socket?.once('close', () => {
      if (secure.bytesRead > 0) explain(socket, SAID_OTHER)
    })
    onSecured(secure)
  })
  server.on('tlsClientError', (error, secure) => {
    const detail = refusalOf(error, secure)
    const socket = socketBelow(secure)
    if (detail !== undefined && socket !== undefined) explain(socket, detail)
    secure.destroy()
  })
  return (socket) => {
    explain(socket, NO_REASON)
    server.emit('connection', socket)
  }
}

/** Of a certificate that it refuses Node tells the code only here, and of the connection no more than that it is closed. */
function refusalOf(error: NodeJS.ErrnoException, { authorizationError }: TLSSocket): string | undefined {
  const code: unknown = authorizationError
  if (typeof code === 'string') return `the certificate of the other side is refused: ${code}`
  return error.code === 'ECONNRESET' ? undefined : `no TLS connection: ${detailOf(error)}`
}

/**
 * A secure socket that is destroyed says no more where it came from. If a later version of Node keeps the one below it elsewhere, logs give no reason; a test tells.
 */
function socketBelow(secure: TLSSocket): Socket | undefined {
  const below: unknown = Reflect.get(secure, '_parent')
  return isSocket(below) ? below : undefined
}

function isSocket(value: unknown): value is Socket {
  return typeof value === 'object' && value !== null && 'remoteAddress' in value
}
