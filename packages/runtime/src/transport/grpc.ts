/**
 * Links over gRPC: one bidirectional stream a link, whose messages are frames of bytes.
 *
 * gRPC counts what waits in frames; we count bytes. Its keepalive doesn't see a peer whose event loop is blocked; our ticks do. Its reconnecting is off:
 * a link is one stream on one connection, and dialing again is the dialer's affair.
 *
 * A close is polite first: what was written goes out, and the stream is cut off after `CLOSE_GRACE_MS` if the other side doesn't end it too.
 */
import { X509Certificate } from 'node:crypto'
import type { Http2Session } from 'node:http2'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import {
  type ChannelCredentials,
  type Client,
  Server,
  ServerCredentials,
  credentials,
  makeGenericClientConstructor,
  logVerbosity,
  setLogVerbosity,
  type ClientDuplexStream,
  type ServerDuplexStream,
  type ServiceDefinition,
  type StatusObject,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { MAX_FRAME_BYTES } from '../distribution/connection.ts'
import { PidmeshError } from '../errors.ts'
import type { Link, LinkEvents, TlsOptions, Transport } from '../ports.ts'

const CLOSE_GRACE_MS = 500
/** What may be on its way in one direction: at 10 ms there and back that makes 100 MiB/s, and the default of HTTP/2, 64 KiB, would make 6. */
const WINDOW_BYTES = 1024 * 1024

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
  // Of a client only: see `widenStreams`.
  'grpc-node.flow_control_window': WINDOW_BYTES,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // Loopback and cluster addresses are dialed as they are, whatever proxy the environment names.
  'grpc.enable_http_proxy': 0,
}

/** The server's name that a TLS dial to an IP address gives: it may be no IP address (RFC 6066, section 3; Node 26 refuses one), and nobody looks at it. */
const NAME_FOR_AN_IP = { 'grpc.ssl_target_name_override': 'pidmesh.invalid' }

type DistributionClient = Client & { connect(): ClientDuplexStream<Buffer, Buffer> }

type Stream = ClientDuplexStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>

/** @throws PidmeshError `ERR_BAD_OPTION` if `tls` holds no certificate, or a key that isn't the certificate's. */
export function grpcTransport(tls?: TlsOptions): Transport {
  if (tls !== undefined) checkTls(tls)
  // gRPC writes lines of its own to standard error about what we report ourselves.
  setLogVerbosity(logVerbosity.NONE)
  const DistributionClientClass = makeGenericClientConstructor(SERVICE, 'Distribution')
  const links = new Set<GrpcLink>()
  let server: Server | undefined

  return {
    async listen(address, accept) {
      server = new Server(OPTIONS)
      widenStreams(server)
      server.addService(SERVICE, {
        connect: (stream: ServerDuplexStream<Buffer, Buffer>) => {
          widenConnection(stream)
          const link = new GrpcLink({
            stream,
            remoteAddress: stream.getPeer(),
            links,
            isTls: tls !== undefined,
            cutOff: () => stream.destroy(),
          })
          link.attach(accept(link))
        },
      })
      return bind(server, address, serverCredentials(tls))
    },

    dial(address, events) {
      const client = new DistributionClientClass(
        address,
        clientCredentials(tls),
        tls === undefined || !isIpAddress(address) ? OPTIONS : { ...OPTIONS, ...NAME_FOR_AN_IP },
      ) as unknown as DistributionClient
      const stream = client.connect()
      const link = new GrpcLink({
        stream,
        remoteAddress: address,
        links,
        isTls: tls !== undefined,
        cutOff: () => {
          stream.cancel()
          client.close()
        },
      })
      link.attach(events)
      return link
    },

    async stop() {
      const ended = [...links].map((link) => link.ended)
      for (const link of links) link.close()
      await Promise.all(ended)
      server?.forceShutdown()
    },
  }
}

/**
 * The options of the HTTP/2 server below gRPC's, which has none of its own for the window that it grants to each stream. If a later version of grpc-js keeps them
 * elsewhere, the default window is what is left; a test tells.
 */
function widenStreams(server: Server): void {
  const options: unknown = Reflect.get(server, 'commonServerOptions')
  if (typeof options !== 'object' || options === null) return
  Object.assign(options, { settings: { initialWindowSize: WINDOW_BYTES } })
}

/** The window that the server grants to the connection which the stream is on. */
function widenConnection(stream: ServerDuplexStream<Buffer, Buffer>): void {
  const call: unknown = Reflect.get(stream, 'call')
  const inner: unknown = typeof call === 'object' && call !== null ? Reflect.get(call, 'stream') : undefined
  const session: unknown = typeof inner === 'object' && inner !== null ? Reflect.get(inner, 'session') : undefined
  if (isHttp2Session(session)) session.setLocalWindowSize(WINDOW_BYTES)
}

function isHttp2Session(value: unknown): value is Http2Session {
  return typeof value === 'object' && value !== null && 'setLocalWindowSize' in value
}

function serverCredentials(tls: TlsOptions | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure()
  const { ca, certificate, privateKey } = tls
  const pair = { private_key: Buffer.from(privateKey), cert_chain: Buffer.from(certificate) }
  return ServerCredentials.createSsl(Buffer.from(ca), [pair], true)
}

function clientCredentials(tls: TlsOptions | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure()
  const { ca, certificate, privateKey } = tls
  return credentials.createSsl(Buffer.from(ca), Buffer.from(privateKey), Buffer.from(certificate), {
    // A certificate is for a node, wherever it is dialed: the handshake compares the names.
    checkServerIdentity: () => undefined,
  })
}

function isIpAddress(address: string): boolean {
  return isIP(address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')) !== 0
}

function checkTls({ ca, certificate, privateKey }: TlsOptions): void {
  try {
    // OpenSSL passes over a text in which there is no certificate.
    for (const pem of [ca, certificate]) new X509Certificate(pem)
    createSecureContext({ ca, cert: certificate, key: privateKey })
  } catch (cause) {
    // Never with the cause's text, which may show of the key what is none.
    throw new PidmeshError(
      'ERR_BAD_OPTION',
      'tls: ca and certificate must be certificates, and privateKey the key of the latter',
      {
        cause,
      },
    )
  }
}

const CERTIFIED_NAME = /(?:^|, )URI:pidmesh:\/\/([^,"\s]+)/g

/** Resolves with the address that is listened on. */
function bind(server: Server, address: string, serverCredentials: ServerCredentials): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, serverCredentials, (error, port) => {
      if (error === null) {
        resolve(`${address.slice(0, address.lastIndexOf(':'))}:${port}`)
        return
      }
      server.forceShutdown()
      const inUse = error.message.includes('EADDRINUSE')
      reject(
        inUse
          ? new PidmeshError('ERR_PORT_IN_USE', `the address ${address} is in use by another program`, { cause: error })
          : new PidmeshError('ERR_LISTEN', `cannot listen on ${address}: ${error.message}`, { cause: error }),
      )
    })
  })
}

interface GrpcLinkOptions {
  readonly stream: Stream
  readonly remoteAddress: string
  readonly links: Set<GrpcLink>
  readonly isTls: boolean
  readonly cutOff: () => void
}

class GrpcLink implements Link {
  readonly remoteAddress: string
  /** When the stream is over and its resources are let go. */
  readonly ended: Promise<void>
  bufferedBytes = 0
  private readonly stream: Stream
  private readonly links: Set<GrpcLink>
  private readonly isTls: boolean
  private readonly cutOff: () => void
  private events: LinkEvents | undefined = undefined
  private resolveEnded: () => void = () => undefined
  private closing = false
  private over = false

  constructor({ stream, remoteAddress, links, isTls, cutOff }: GrpcLinkOptions) {
    this.stream = stream
    this.remoteAddress = remoteAddress
    this.links = links
    this.isTls = isTls
    this.cutOff = cutOff
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve
    })
    links.add(this)
  }

  get certifiedNames(): readonly string[] | undefined {
    if (!this.isTls) return undefined
    const names = this.stream.getAuthContext()?.sslPeerCertificate?.subjectaltname ?? ''
    return [...names.matchAll(CERTIFIED_NAME)].map(([, name = '']) => name)
  }

  attach(events: LinkEvents): void {
    this.events = events
    const { stream } = this
    stream.on('data', (frame: Buffer) => {
      if (!this.closing) events.onFrame(frame)
    })
    // The first of these three tells how it ended; 'status' comes at clients, 'close' last at both.
    stream.on('error', (error: Error & Partial<StatusObject>) => {
      this.finish({ type: error.code === 14 ? 'unreachable' : 'failed', detail: error.details ?? error.message })
    })
    stream.on('end', () => this.finish({ type: 'closed' }))
    stream.on('close', () => this.finish({ type: 'closed' }))
    stream.on('cancelled', () => this.finish({ type: 'closed' }))
  }

  send(frame: Uint8Array): void {
    if (this.closing || this.over) return
    this.bufferedBytes += frame.length
    // gRPC writes what it is given: a view of the same bytes, not a copy.
    this.stream.write(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength), () => {
      this.bufferedBytes -= frame.length
      if (!this.closing && !this.over) this.events?.onPassedOn?.()
    })
  }

  close(): void {
    if (this.closing || this.over) return
    this.closing = true
    this.stream.end()
    setTimeout(() => this.finish({ type: 'closed' }), CLOSE_GRACE_MS).unref()
  }

  private finish(end: { type: 'closed' } | { type: 'unreachable' | 'failed'; detail: string }): void {
    if (this.over) return
    this.over = true
    this.links.delete(this)
    // A server's stream whose other side has ended is ended too; only then is a stream over for both.
    if (!this.closing) this.stream.end()
    this.cutOff()
    this.resolveEnded()
    if (!this.closing) this.events?.onEnd(end)
  }
}
