// A node in a process of its own, that does what the test's side, mesh-node.ts, tells it.
//
//   node --expose-gc mesh-node.mjs '<StartArgs as JSON>'
//
//   standard input  ─ an Order a line ──▶ the node
//   standard output ◀─ a Line a line ──── answers to orders, and what a process here is told of nodes and of those that it watches
//
// It ends when standard input does, whatever it was doing. Once it was told to stop, or could not start, it holds nothing by itself, standard
// input neither, and never calls `process.exit`: it then ends if, and only if, the node has left nothing behind.

import { GlobalEts } from '@pidmesh/global-ets'
import { formatReason, handler, nodeName, spawnLinkOn, spawnMonitorOn, startNode } from '@pidmesh/runtime'

/** @typedef {import('@pidmesh/runtime').Ref} Ref */
/** @typedef {import('./mesh-node.ts').Command} Command */
/** @typedef {import('./mesh-node.ts').Line} Line */
/** @typedef {import('./mesh-node.ts').MeshEvent} MeshEvent */
/** @typedef {import('./mesh-node.ts').CallFigures} CallFigures */
/** @typedef {import('./mesh-node.ts').PourFigures} PourFigures */

/** As long as a call may take before it counts as failed: longer than any test. */
const CALL_TIMEOUT_MS = 120_000
/** Between two calls, so that the calls are not what keeps the machine busy. */
const CALL_PAUSE_MS = 2
/** What is sent, or registered, in one go, before the node gets its turn. */
const POUR_BATCH_BYTES = 256 * 1024
const REGISTER_BATCH = 500
/** Measuring takes a garbage collection. */
const MEASURED_BYTES = 1024 * 1024

/** The same clock in all processes of the machine. */
const nowMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

/** @param {Line} line */
const tell = (line) => void process.stdout.write(`${JSON.stringify(line)}\n`)

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const args = /** @type {import('./mesh-node.ts').StartArgs} */ (JSON.parse(process.argv[2] ?? ''))

process.stdin.setEncoding('utf8')
process.stdin.on('end', () => process.exit(0))
let unread = ''
/** @type {(line: string) => void} */
let onLine = () => undefined
process.stdin.on('data', (/** @type {string} */ text) => {
  const lines = (unread + text).split('\n')
  unread = lines.pop() ?? ''
  for (const line of lines) onLine(line)
})

/** The test's pipe keeps nobody alive any more. */
const letGoOfInput = () => void (/** @type {import('node:net').Socket} */ (process.stdin).unref())

async function begin() {
  const node = await startNode(args.options)
  node.exportFunctions({ idle: () => new Promise(() => undefined) })
  node.spawn(
    handler((self) => (replyTo) => void self.send(/** @type {Ref} */ (replyTo), 'here')),
    { name: 'echo' },
  )
  let poured = 0
  node.spawn(
    handler(() => () => void poured++),
    { name: 'sink' },
  )

  /** @param {MeshEvent} event */
  const report = (event) => tell({ type: 'event', event })
  const watcher = await new Promise((/** @type {(self: import('@pidmesh/runtime').Context) => void} */ resolve) => {
    node.spawn(
      handler((self) => {
        self.trapExit = true
        self.monitorNodes(true)
        resolve(self)
        return (message) => {
          const atMs = nowMs()
          const told = /** @type {import('@pidmesh/runtime').SystemMessage} */ (message)
          switch (told.type) {
            case 'nodeup':
              return report({ type: 'nodeup', atMs, node: told.node })
            case 'nodedown':
              return report({ type: 'nodedown', atMs, node: told.node, reason: told.reason })
            case 'DOWN':
              return report({ type: 'DOWN', atMs, node: told.pid.node, reason: formatReason(told.reason) })
            case 'EXIT':
              return report({ type: 'EXIT', atMs, node: told.from.node, reason: formatReason(told.reason) })
            case 'timeout':
          }
        }
      }),
    )
  })

  const names = args.names ? await GlobalEts.start(node) : undefined
  const table = () => {
    if (names === undefined) throw new Error('started without a table of names')
    return names
  }

  /** @type {Map<string, { stop: () => Promise<CallFigures> }>} */
  const callers = new Map()

  /** @param {string} to */
  function beginCalls(to) {
    /** @type {CallFigures} */
    const figures = { calls: 0, failed: 0, slowestMs: 0 }
    let isWanted = true
    const loop = async () => {
      while (isWanted) {
        const sinceMs = nowMs()
        const outcome = await node.request({ name: 'echo', node: nodeName(to) }, (ref) => ref, CALL_TIMEOUT_MS)
        figures.calls++
        if (outcome.type !== 'reply') figures.failed++
        figures.slowestMs = Math.max(figures.slowestMs, nowMs() - sinceMs)
        await pause(CALL_PAUSE_MS)
      }
      return figures
    }
    const running = loop()
    callers.set(to, {
      stop: () => {
        isWanted = false
        return running
      },
    })
  }

  /** Garbage aside. */
  const heldBytes = () => {
    globalThis.gc?.()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }

  /**
   * Sends without heeding `busy`, until all is sent or there is no connection.
   * @param {string} to
   * @param {number} messageBytes
   * @param {number} totalBytes
   * @returns {Promise<PourFigures>}
   */
  async function pour(to, messageBytes, totalBytes) {
    const text = 'x'.repeat(messageBytes)
    const sink = { name: 'sink', node: nodeName(to) }
    const heldBefore = heldBytes()
    let [sentBytes, mostHeldBytes] = [0, 0]
    /** @type {number | undefined} */
    let busyFromBytes
    /** @type {import('@pidmesh/runtime').SendStatus} */
    let status = 'ok'
    while (sentBytes < totalBytes && status !== 'noconnection') {
      for (let n = 0; n < POUR_BATCH_BYTES; n += messageBytes) {
        status = node.send(sink, text)
        if (status === 'noconnection') break
        sentBytes += messageBytes
        if (status === 'busy') busyFromBytes ??= sentBytes
      }
      if (sentBytes % MEASURED_BYTES < POUR_BATCH_BYTES)
        mostHeldBytes = Math.max(mostHeldBytes, heldBytes() - heldBefore)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { sentBytes, busyFromBytes, mostHeldBytes, status }
  }

  /** @param {number} count */
  async function register(count) {
    for (let n = 0; n < count; n++) {
      if (table().registerName(`${node.name} ${n}`, watcher.pid) !== 'yes') throw new Error(`name ${n} is taken`)
      if (n % REGISTER_BATCH === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** @param {number} forMs */
  function stall(forMs) {
    const untilMs = nowMs() + forMs
    while (nowMs() < untilMs);
  }

  /**
   * @param {Command} command
   * @returns {unknown}
   */
  function run(command) {
    switch (command.type) {
      case 'nodes':
        return node.nodes()
      case 'watch': {
        const to = nodeName(command.node)
        const monitored = Array.from({ length: command.monitors }, () => spawnMonitorOn(watcher, to, 'idle', []))
        const linked = Array.from({ length: command.links }, () => spawnLinkOn(watcher, to, 'idle', []))
        return Promise.all([...monitored, ...linked]).then(() => undefined)
      }
      case 'call':
        return node.request({ name: 'echo', node: nodeName(command.node) }, (ref) => ref, CALL_TIMEOUT_MS)
      case 'begin_calls':
        return beginCalls(command.node)
      case 'end_calls':
        return callers.get(command.node)?.stop()
      case 'pour':
        return pour(command.node, command.messageBytes, command.totalBytes)
      case 'poured':
        return poured
      case 'register':
        return register(command.count)
      case 'names':
        return table().size
      case 'stall':
        return stall(command.forMs)
      case 'be_busy':
        // Whatever a program may have under way when its node is stopped.
        watcher.sendAfter(3_600_000, watcher.pid, 'never')
        node.spawn(async (self) => void (await self.receive()))
        node.spawn(async (self) => void (await self.receive({ timeoutMs: 3_600_000 })))
        return void node.request(watcher.pid, (ref) => ref, 3_600_000)
      case 'stop':
        return node.stop()
    }
  }

  /** @param {import('./mesh-node.ts').Order} order */
  async function obey({ id, command }) {
    if (command.type === 'stop') letGoOfInput()
    try {
      const value = await run(command)
      tell({ type: 'answer', id, value })
    } catch (error) {
      tell({ type: 'answer', id, error: String(error) })
    }
  }
  onLine = (line) => void obey(/** @type {import('./mesh-node.ts').Order} */ (JSON.parse(line)))
  tell({ type: 'started', address: node.address })
}

begin().catch((/** @type {Error & { code?: string }} */ error) => {
  letGoOfInput()
  tell({ type: 'failed', code: error.code ?? error.message })
})
