/**
 * Links over gRPC: one bidirectional stream a link, whose messages are frames of bytes.
 *
 * gRPC counts what waits in frames; we count bytes. Its keepalive doesn't see a peer whose event loop is blocked; our ticks do. Its reconnecting is off:
 * a link is one stream on one connection, and dialing again is the dialer's affair. What it does not do for its connections, the acceptor does.
 */
import { connect, isIP, type Socket } from 'node:net'
import {
  type Client,
  Server,
  ServerCredentials,
  makeGenericClientConstructor,
  logVerbosity,
  setLogVerbosity,
  type ClientDuplexStream,
  type ServerDuplexStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { TlsOptions, Transport } from '../../ports.ts'
import { MAX_FRAME_BYTES } from '../../wire/frame.ts'
import { hostOf, portOf } from '../../address.ts'
import { Acceptor, connectionOf, sourceOf } from './acceptor.ts'
import { checkTls } from './certificates.ts'
import { GrpcLink } from './grpc-link.ts'
import { restrainStranger, WINDOW_BYTES } from './grpc-stranger.ts'
import { clientCredentials, NAME_FOR_AN_IP } from './grpc-tls.ts'
import { securing } from './securing.ts'
import { detailOf } from './socket-error.ts'

const asIs = (frame: Buffer): Buffer => frame

const SERVICE: ServiceDefinition<UntypedServiceImplementation> = {
  connect: {
    path: '/pidmesh.Distribution/Connect',
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
}

const OPTIONS = {
  'grpc.max_receive_message_length': MAX_FRAME_BYTES,
  'grpc.max_send_message_length': MAX_FRAME_BYTES,
  'grpc.enable_retries': 0,
  // What it keeps to send again counts as passed on the moment it is given: a mebibyte, though nothing is ever sent again.
  'grpc.per_rpc_retry_buffer_size': 0,
  // Of a client only: see `restrainStranger`.
  'grpc-node.flow_control_window': WINDOW_BYTES,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // Loopback and cluster addresses are dialed as they are, whatever proxy the environment names.
  'grpc.enable_http_proxy': 0,
  // A name server is not asked for settings of gRPC: one that doesn't answer would keep the process of the operating system alive when its nodes have stopped.
  'grpc.service_config_disable_resolution': 1,
}

const SERVER_OPTIONS = { ...OPTIONS, 'grpc.max_concurrent_streams': 1 }

type DistributionClient = Client & { connect(): ClientDuplexStream<Buffer, Buffer> }

/** @throws PidmeshError `ERR_BAD_OPTION` if `tls` holds no certificate, or a key that isn't the certificate's. */
export function grpcTransport(tls?: TlsOptions): Transport {
  if (tls !== undefined) checkTls(tls)
  // gRPC writes lines of its own to standard error about what we report ourselves.
  setLogVerbosity(logVerbosity.NONE)
  const DistributionClientClass = makeGenericClientConstructor(SERVICE, 'Distribution')
  const isTls = tls !== undefined
  const links = new Set<GrpcLink>()
  let server: Server | undefined
  let acceptor: Acceptor | undefined

  return {
    async listen(address, accept, onStranger) {
      server = new Server(SERVER_OPTIONS)
      // gRPC is given connections that are secure already: of those that TLS refuses it tells nobody.
      const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
      const inject = (socket: Socket): void => {
        // It may be cut off before there is a stream to tell.
        socket.on('error', () => undefined)
        injector.injectConnection(socket)
      }
      const explain = (socket: Socket, detail: string): void => accepting.explain(socket, detail)
      const take = tls === undefined ? inject : securing({ tls, protocol: 'h2', onSecured: inject, explain })
      /** gRPC says of a stream only where it comes from. */
      const connections = new Map<string, { readonly socket: Socket; readonly connection: string }>()
      const accepting = new Acceptor((socket) => {
        const from = sourceOf(socket)
        const earlier = connections.get(from)
        // To another address of this host, from the same port: gRPC could not tell the two apart. (One that was reset the acceptor has destroyed.)
        if (earlier?.socket.destroyed === false) {
          socket.destroy()
          return
        }
        connections.set(from, { socket, connection: connectionOf(socket) })
        socket.once('close', () => {
          if (connections.get(from)?.socket === socket) connections.delete(from)
        })
        take(socket)
      }, onStranger)
      acceptor = accepting
      server.addService(SERVICE, {
        connect: (stream: ServerDuplexStream<Buffer, Buffer>) => {
          const from = stream.getPeer()
          const link = new GrpcLink({ remoteAddress: from, isTls, links })
          const connection = connections.get(from)?.connection ?? from
          accepting.onStream(connection)
          const destroySocket = accepting.destroyerOf(connection)
          link.consistOf({ cutOff: () => stream.destroy(), destroySocket })
          link.carry(stream)
          const events = accept(link)
          link.attach(events)
          restrainStranger(stream, events, (detail) => {
            link.finish({ type: 'failed', detail })
            destroySocket()
          })
        },
      })
      return accepting.listen(address)
    },

    dial(address, events) {
      const link = new GrpcLink({ remoteAddress: address, isTls, links })
      link.attach(events)
      // gRPC can't give up a connection that is being made: to a host that is gone it would stay for minutes, and keep the OS process alive. So we knock first.
      const knock = connect(portOf(address), hostOf(address))
      const endKnock = (): void => void knock.destroy()
      link.consistOf({ cutOff: endKnock, destroySocket: endKnock })
      knock.once('error', (error) => link.finish({ type: 'unreachable', detail: detailOf(error) }))
      knock.once('connect', () => {
        knock.destroy()
        const options = isTls && isIP(hostOf(address)) !== 0 ? { ...OPTIONS, ...NAME_FOR_AN_IP } : OPTIONS
        let socket: Socket | undefined
        let isLetGo = false
        const made = new DistributionClientClass(
          address,
          clientCredentials(tls, (connected) => {
            socket = connected
            if (isLetGo) connected.destroy()
          }),
          options,
        )
        const client = made as unknown as DistributionClient
        const stream = client.connect()
        const cutOff = (): void => {
          stream.cancel()
          client.close()
        }
        const destroySocket = (): void => {
          isLetGo = true
          socket?.destroy()
        }
        link.consistOf({ cutOff, destroySocket })
        link.carry(stream)
      })
      return link
    },

    async stop() {
      const ended = [...links].map((link) => link.ended)
      for (const link of links) link.close()
      await Promise.all(ended)
      server?.forceShutdown()
      await acceptor?.stop()
    },
  }
}
