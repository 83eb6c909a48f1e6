/**
 * Starts a node on the real machine: system clock, random and pino, nact as the pump, gRPC or TCP between the nodes.
 */
import { startNodeWith, type Node, type NodeComponents } from './node/node.ts'
import type { CheckedNodeOptions, NodeOptions, TransportKind } from './options.ts'
import type { TlsOptions, Transport } from './ports.ts'
import { busyWait, involuntarySwitches } from './system/busy-wait.ts'
import { nactPump } from './system/nact-pump.ts'
import { pinoLogger } from './system/pino-logger.ts'
import { systemClock } from './system/system-clock.ts'
import { systemRandom } from './system/system-random.ts'
import { faultsOf } from './transport/sockets/certificates.ts'
import { grpcTransport } from './transport/sockets/grpc.ts'
import { tcpTransport } from './transport/sockets/tcp.ts'

const TRANSPORTS: Readonly<Record<TransportKind, (tls: TlsOptions | undefined) => Transport>> = {
  grpc: grpcTransport,
  tcp: tcpTransport,
}

/**
 * Starts a node: listens for other nodes, dials the seeds, and resolves when each seed has been tried once. A seed that can't be reached yet is no
 * error; it is dialed until it can. What `discovery` finds is not waited for.
 *
 * @example const node = await startNode({ name: 'chat1@127.0.0.1', port: 7001, cookie, seeds: ['127.0.0.1:7002'] })
 * @throws PidmeshError `ERR_BAD_OPTION`, `ERR_BAD_NODE_NAME`, `ERR_INSECURE_BIND` for options that can't be;
 * `ERR_PORT_IN_USE`, `ERR_LISTEN`; `ERR_BAD_COOKIE`, `ERR_BAD_CERTIFICATE`, `ERR_DUPLICATE_NODE`, `ERR_INCOMPATIBLE_NODE` if a seed refuses this node.
 */
export function startNode(options: NodeOptions): Promise<Node> {
  return startNodeWith(options, systemComponents)
}

/** Of the real machine, for a node with these options. */
export function systemComponents(options: CheckedNodeOptions): NodeComponents {
  const { name, logger, logLevel, tls } = options
  const transport = TRANSPORTS[options.transport](tls)
  const log = logger ?? pinoLogger({ level: logLevel })
  if (tls !== undefined) {
    for (const { fault, ...certificate } of faultsOf(tls, name, systemClock.wallMs()))
      log.warn({ node: name, ...certificate }, fault)
  }
  return {
    clock: systemClock,
    random: systemRandom,
    pump: nactPump,
    busyWait: options.busyWait ? busyWait({ clock: systemClock, involuntarySwitches }) : undefined,
    transport,
    log,
  }
}
