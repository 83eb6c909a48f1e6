// One node of a cluster whose nodes come and go: it finds the others by DNS, and says by probes whether clients may come.
//
//   settings ─▶ listen ─▶ join ─▶ ready ── SIGTERM ─▶ draining: not ready, still serving, for DRAIN_MS
//                                                      ─▶ gateway.drain (1012, sessions go elsewhere) ─▶ node.stop (the others see `shutdown`) ─▶ exit 0
//
// Ready means: up, and connected with another node, or alone for JOIN_WAIT_MS. A node that others refuse, or that refuses them, for its cookie, its certificate or its version,
// is not alone: it would be ready beside them, and the next one would be replaced. Once ready it stays so until it is told to end: if nodes lose each
// other, clients are served by all of them, not by none.
//
// It listens for signals before it loads what a node is made of, which takes seconds where CPU time is short: as process 1 of a container it would not be ended
// by a SIGTERM that comes meanwhile, nor ever hear of it.

import type { Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Node } from '@pidmesh/runtime'

import type { ChatGateway } from './chat.ts'
import { readFileOf } from './files.ts'
import { createProbeServer } from './probes.ts'
import type { Phase } from './probes.ts'
import { checkCertificate, readCookies, readSettings } from './settings.ts'
import type { Settings } from './settings.ts'

/** What the gateway and the node take at most to stop, with room: after that it is an end all the same. */
const STOP_WITHIN_MS = 10_000
/** Clients are sent away over so long, and then have so long to go on with their sessions at another node. */
const DRAIN = { overMs: 4_000, handOverMs: 3_000 }
const LOOK_EVERY_MS = 50
/** Who was refused is refused again within so long, if nothing has changed: a node tries again within 5 s. */
const REFUSED_AGAIN_WITHIN_MS = 10_000
/** And is ready after so long all the same: whoever knocks there again and again can't keep a lone node from its clients for ever. */
const REFUSED_FOR_MS = 600_000

let phase: Phase = 'starting'
let node: Node | undefined
let gateway: ChatGateway | undefined

await main()

async function main(): Promise<void> {
  try {
    const settings = readSettings(process.env)
    const server = createProbeServer(() => ({
      node: settings.name,
      phase,
      nodes: node === undefined || node.isStopping ? 0 : node.nodes().length,
    }))
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(settings, server))
    await listen(server, settings)
    node = await join(settings)
    const [{ GlobalEts }, { startChat }] = await Promise.all([import('@pidmesh/global-ets'), import('./chat.ts')])
    gateway = await startChat(node, await GlobalEts.start(node, { policy: 'newest' }), server)
    await othersFound(node, settings.joinWaitMs)
    if (phase === 'starting') phase = 'ready'
  } catch (error) {
    // Told to end while it was starting: `stop` sees to the rest.
    if (phase === 'draining') return
    console.error(`cluster-node: could not start: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}

async function join({
  name,
  bindHost,
  meshPort,
  transport,
  busyWait,
  cookieFile,
  tlsFiles,
  dnsName,
  dnsServers,
}: Settings): Promise<Node> {
  const cookie = readCookies(readFileOf('COOKIE_FILE', cookieFile))
  const tls =
    tlsFiles === undefined
      ? undefined
      : {
          ca: readFileOf('TLS_CA_FILE', tlsFiles.ca),
          certificate: readFileOf('TLS_CERTIFICATE_FILE', tlsFiles.certificate),
          privateKey: readFileOf('TLS_KEY_FILE', tlsFiles.privateKey),
        }
  if (tls !== undefined) checkCertificate(tls.certificate, name)
  const { dns, startNode } = await import('@pidmesh/runtime')
  return startNode({
    name,
    bindHost,
    port: meshPort,
    transport,
    busyWait,
    cookie,
    discovery: dns({ name: dnsName, port: meshPort, ...(dnsServers === undefined ? {} : { servers: dnsServers }) }),
    tls,
  })
}

async function othersFound(joined: Node, waitMs: number): Promise<void> {
  const startMs = performance.now()
  const lastMs = startMs + waitMs + REFUSED_FOR_MS
  let endMs = startMs + waitMs
  let failed = 0
  while (phase === 'starting' && joined.nodes().length === 0 && performance.now() < endMs) {
    const { handshakesRefused, handshakesMalformed } = joined.counters()
    // Others are there, and it isn't one of them. Malformed is what a certificate of another authority leads to.
    if (handshakesRefused + handshakesMalformed > failed)
      endMs = Math.min(lastMs, performance.now() + Math.max(waitMs, REFUSED_AGAIN_WITHIN_MS))
    failed = handshakesRefused + handshakesMalformed
    await sleep(LOOK_EVERY_MS)
  }
}

async function stop({ drainMs }: Settings, server: Server): Promise<void> {
  if (phase === 'draining') return
  // A node that has never been ready has no clients that could be told.
  const isServing = phase === 'ready'
  phase = 'draining'
  setTimeout(() => process.exit(1), drainMs + STOP_WITHIN_MS)
  if (isServing) await sleep(drainMs)
  await gateway?.drain(DRAIN)
  await node?.stop()
  server.close()
  process.exit(0)
}

function listen(server: Server, { port, bindHost }: Settings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, bindHost, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
