// A node with a gateway whose clients come and go: run with --expose-gc. A line of JSON on standard output for each line on standard input:
//
//   { "port" }                                       first, unasked
//   held  ─▶ { "heapBytes", "left": { … } }          what is held after everything that could go is gone

import { createInterface } from 'node:readline'

import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import { startNode } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'

/** @typedef {{ table: { replica: { log: { limits: { ringBytes: number } } } } }} WithLog */

const GRACE_MS = 200
const GONE_WITHIN_MS = 20_000

/** @extends {SocketSession<{ room: string }, unknown, { user: string }>} */
class Guest extends SocketSession {
  /** @override */
  async handleConnect() {
    await this.registerAs(`user:${this.principal.user}`)
    this.push({ type: 'registered' })
  }

  /**
   * @param {{ room: string }} message
   * @override
   */
  async handleMessage({ room }) {
    await this.rooms.join(room)
    this.push({ type: 'joined' })
  }
}

const node = await startNode({ name: 'churn@127.0.0.1', cookie: 'a churn cookie', logLevel: 'error' })
const names = await GlobalEts.start(node)
const groups = await ProcessGroups.start(node)
// A table keeps its last changes for a minute, for nodes that come back: up to 4 MiB, which would hide what is looked for here.
for (const table of /** @type {WithLog[]} */ (/** @type {unknown} */ ([names, groups]))) {
  const { log } = table.table.replica
  log.limits = { ...log.limits, ringBytes: 0 }
}
const gateway = await Gateway.start(node, {
  port: 0,
  names,
  groups,
  session: Guest,
  authenticate: ({ token }) => (token === undefined ? undefined : { user: token }),
  resume: { graceMs: GRACE_MS },
  sessionEndTimeoutMs: 1_000,
})
const idle = { processes: node.processes().length, timers: node.counters().timers }
console.log(JSON.stringify({ port: gateway.port }))

const lines = createInterface({ input: process.stdin })
lines.on('line', () => void tellHeld())
lines.on('close', () => void stop())

async function tellHeld() {
  console.log(JSON.stringify(await held()))
}

async function stop() {
  await gateway.stop()
  await node.stop()
}

/** What is there now, beyond what an idle gateway has. */
function left() {
  const { connections, unauthenticated, sessions } = gateway.stats
  const { timers, aliases } = node.counters()
  return {
    connections,
    unauthenticated,
    sessions: sessions.attached + sessions.detached,
    names: names.size,
    processes: node.processes().length - idle.processes,
    timers: timers - idle.timers,
    aliases,
  }
}

async function held() {
  const deadlineMs = performance.now() + GONE_WITHIN_MS
  while (Object.values(left()).some((count) => count > 0) && performance.now() < deadlineMs) await pause(20)
  for (let round = 0; round < 5; round++) {
    await pause(20)
    globalThis.gc?.()
  }
  const { heapUsed, external } = process.memoryUsage()
  const { closed, resumes, messagesIn } = gateway.stats
  return {
    heapBytes: heapUsed + external,
    left: left(),
    closed: Object.fromEntries(closed),
    resumes: Object.fromEntries(resumes),
    messagesIn,
  }
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
