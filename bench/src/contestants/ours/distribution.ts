/**
 * pidmesh in group `distribution`: this process is the near node, a child of it the far one. User code on the public API of the packages as they are
 * published. Arguments: the cores of the two, or none.
 */
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { startNode } from '@pidmesh/runtime'
import type { Answer } from '../../figures.ts'
import { cpuMsOf, moveToCore } from '../linux.ts'
import { serve, type Workload } from '../serve.ts'
import { calls, pacedCalls, requests } from './distribution-calls.ts'
import { bulkBytes, send, singleBytes } from './distribution-messages.ts'
import { startOtherNode } from './other-node.ts'
import { serversOf } from './distribution-servers.ts'
import { transport } from './transport.ts'

const CALLERS = 100
const SETTLE_MS = 2_000

const [nearCore, farCore] = process.argv.slice(2).map(Number)
const cookie = randomUUID()
const nameOf = (role: string): string => `${role}-${process.pid}@127.0.0.1`

const program = 'distribution-far.js'
const far = await startOtherNode({ program, name: nameOf('far'), cookie, seeds: [], core: farCore })
const node = await startNode({ name: nameOf('near'), cookie, seeds: [far.address], transport, logLevel: 'silent' })
const servers = await serversOf(node, far.name)
const farPort = Number(far.address.slice(far.address.lastIndexOf(':') + 1))
const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string }

serve(version, {
  send: (size) => send(node, servers.sink, size),
  call: (size) => calls(node, servers, 1, size),
  'call-one-core': onOneCore((size) => calls(node, servers, 1, size)),
  request: (size) => requests(node, servers, size),
  'request-one-core': onOneCore((size) => requests(node, servers, size)),
  callers: (size) => calls(node, servers, CALLERS, size),
  'paced-p50': (size) => pacedCalls(node, servers, 0.5, size),
  'paced-p99': (size) => pacedCalls(node, servers, 0.99, size),
  'bulk-bytes': (size) => bulkBytes(node, servers.sink, farPort, size),
  'single-bytes': (size) => singleBytes(node, servers.sink, farPort, size),
  idle,
})

function onOneCore(workload: Workload): Workload {
  return async (size) => {
    if (nearCore === undefined || farCore === undefined) throw new Error('there are no cores to choose from')
    moveToCore(far.pid, nearCore)
    try {
      return await workload(size)
    } finally {
      moveToCore(far.pid, farCore)
    }
  }
}

/** The CPU time of three connected nodes in which nothing happens, over `ms`. The third stays until this process ends: each run has its own. */
async function idle(ms: number): Promise<Answer> {
  const seeds = [node.address, far.address]
  const third = await startOtherNode({ program, name: nameOf('third'), cookie, seeds, core: nearCore })
  if (node.nodes().length !== 2) throw new Error(`connected with ${node.nodes().join(' and ')} only`)
  const pids = [process.pid, far.pid, third.pid]
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  // Looking takes time of this node's own, which is read last, and then first: hardly any of it counts. The first look compiles code.
  cpuMsOf(pids)
  const before = cpuMsOf(pids.toReversed())
  const startMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, ms))
  return { cpuMs: cpuMsOf(pids) - before, ms: performance.now() - startMs, operations: pids.length }
}
