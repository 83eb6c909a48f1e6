/**
 * Links over TCP, or TLS: one connection a link, with frames led by their lengths. What gRPC's links are, and less: of a call over loopback gRPC takes the most time.
 *
 * A side that hears no greeting of ours has met another program, or a node that speaks gRPC: HTTP begins otherwise.
 */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { hostOf, portOf } from '../../address.ts'
import type { TlsOptions, Transport } from '../../ports.ts'
import { Acceptor, connectionOf, sourceOf } from './acceptor.ts'
import { checkTls } from './certificates.ts'
import { securing } from './securing.ts'
import { TcpLink } from './tcp-link.ts'

const GREETING = Buffer.from('pidmesh tcp 1\n', 'latin1')
/** Over TLS: who speaks gRPC, `h2`, is told by the handshake. A program that names no protocol is heard. */
const PROTOCOL = 'pidmesh-tcp'
/** Of what another program says, for a log line. */
const SHOWN_BYTES = 24

/** @throws PidmeshError `ERR_BAD_OPTION` if `tls` holds no certificate, or a key that isn't the certificate's. */
export function tcpTransport(tls?: TlsOptions): Transport {
  if (tls !== undefined) checkTls(tls)
  const links = new Set<TcpLink>()
  let acceptor: Acceptor | undefined
  let isStopped = false

  return {
    async listen(address, accept, onStranger) {
      const take = (socket: Socket): void => {
        const [from, connection] = [sourceOf(socket), connectionOf(socket)]
        const greeted = (rest: Buffer): void => {
          accepting.onStream(connection)
          socket.write(GREETING)
          const link = new TcpLink({ socket, remoteAddress: from, links })
          link.attach(accept(link))
          link.carry(rest)
        }
        // Until there is a link its end is told by nobody but the acceptor.
        socket.on('error', () => undefined)
        onGreeting(socket, greeted, () => socket.destroy())
      }
      const explain = (socket: Socket, detail: string): void => accepting.explain(socket, detail)
      const onSocket = tls === undefined ? take : securing({ tls, protocol: PROTOCOL, onSecured: take, explain })
      const accepting = new Acceptor(onSocket, onStranger)
      acceptor = accepting
      return accepting.listen(address)
    },

    dial(address, events) {
      const socket = dialed(address, tls)
      const link = new TcpLink({ socket, remoteAddress: address, links })
      link.attach(events)
      if (isStopped) socket.destroy()
      else socket.write(GREETING)
      onGreeting(
        socket,
        (rest) => link.carry(rest),
        (said) =>
          link.finish({ type: 'failed', detail: `another program is there, or the transport is another: ${said}` }),
      )
      return link
    },

    async stop() {
      isStopped = true
      const ended = [...links].map((link) => link.ended)
      for (const link of links) link.close()
      await Promise.all([...ended, acceptor?.stop()])
    },
  }
}

function dialed(address: string, tls: TlsOptions | undefined): Socket {
  const [host, port] = [hostOf(address), portOf(address)]
  if (tls === undefined) return connect(port, host)
  const { ca, certificate: cert, privateKey: key } = tls
  // A certificate is for a node, wherever it is dialed: the handshake compares the names.
  return connectTls({
    host,
    port,
    ca,
    cert,
    key,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [PROTOCOL],
    checkServerIdentity: () => undefined,
  })
}

/**
 * Waits for the greeting of the other side.
 * @param onGreeted Is given what came after it
 * @param onOther Is given the first of what came in its place, as a text to be shown
 */
function onGreeting(socket: Socket, onGreeted: (rest: Buffer) => void, onOther: (said: string) => void): void {
  let heard = Buffer.alloc(0)
  const onData = (chunk: Buffer): void => {
    heard = Buffer.concat([heard, chunk])
    const begun = heard.subarray(0, GREETING.length)
    if (!begun.equals(GREETING.subarray(0, begun.length))) {
      socket.off('data', onData)
      onOther(JSON.stringify(heard.toString('latin1', 0, SHOWN_BYTES)))
    } else if (begun.length === GREETING.length) {
      socket.off('data', onData)
      onGreeted(heard.subarray(GREETING.length))
    }
  }
  socket.on('data', onData)
}
