// `pnpm demo`: a cluster of chat nodes on this machine, each an OS process. Which ends, all of it, whenever this process does.
//
//   choose ports ─▶ start every node ─▶ wait for every `ready` ─▶ banner ─▶ tell of nodes that end ─▶ stop
//                        │                     │ one ended, or 30 s              │ none left: exit 1
//                        └── signals and the end of standard input: stop ────────┘
//
// A node that can't start says why by itself; the launcher adds nothing to that.
// Not here: restarting a node. Its death is the demonstration.

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { HELP, parseClusterOptions } from './cluster-options.ts'
import type { ClusterOptions } from './cluster-options.ts'
import type { ChatNode } from './messages.ts'
import { startNodeProcess } from './node-process.ts'
import type { Ended, NodeProcess, NodeProgram } from './node-process.ts'
import { OptionError } from './option-error.ts'
import { choosePorts, PortError } from './ports.ts'
import { onStandardInputEnd } from './standard-input.ts'

const HOST = '127.0.0.1'
const READY_WITHIN_MS = 30_000

/** One Ctrl-C may come twice: from the terminal, and again from a package manager that hands it on. */
const SAME_CTRL_C_MS = 500

const nodes: NodeProcess[] = []
let isUp = false
let isStopping = false
let stoppingSinceMs = 0

await main()

async function main(): Promise<void> {
  const options = optionsOrExit()
  // Output to a terminal that is gone must not stop the stopping.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', () => stop(0))
  process.on('SIGHUP', () => stop(0))
  onStandardInputEnd(() => stop(0))

  const programs = await planOrExit(options)
  if (isStopping) return
  for (const program of programs) nodes.push(startNodeProcess(program))
  for (const node of nodes) void node.ended.then((ended) => onEnded(node, ended))

  const urls = await allReady()
  if (isStopping || urls === undefined) return
  isUp = true
  console.log(banner(urls))
}

/** The address of each node in `nodes`; undefined when one did not get so far, which `onEnded` or this has dealt with. */
async function allReady(): Promise<readonly string[] | undefined> {
  const late = sleep(READY_WITHIN_MS, 'late' as const, { ref: false })
  const urls = await Promise.race([Promise.all(nodes.map((node) => node.ready)), late])
  if (urls === 'late') {
    fail(`the nodes were not ready within ${READY_WITHIN_MS / 1000} s`)
    return undefined
  }
  return urls.every((url) => url !== undefined) ? urls : undefined
}

function onEnded(node: NodeProcess, ended: Ended): void {
  nodes.splice(nodes.indexOf(node), 1)
  if (isStopping) return
  // A node that ends with 1 or 2 has told why.
  if (!isUp) return fail(ended.code === 1 || ended.code === 2 ? undefined : `${node.name} ${endText(ended)}`)
  console.log(`${node.name} ${endText(ended)}; ${leftText(nodes.length)}`)
  if (nodes.length === 0) stop(1)
}

function leftText(count: number): string {
  if (count === 0) return 'no node is left'
  return count === 1 ? '1 node is left' : `${count} nodes are left`
}

function endText({ code, signal }: Ended): string {
  if (signal !== undefined) return `was ended by ${signal}`
  return code === undefined ? 'could not be started' : `ended with code ${code}`
}

function onInterrupt(): void {
  if (!isStopping) return stop(0)
  if (Date.now() - stoppingSinceMs < SAME_CTRL_C_MS) return
  for (const node of nodes) node.kill()
  process.exit(130)
}

function fail(line: string | undefined): void {
  if (isStopping) return
  if (line !== undefined) console.error(`demo: ${line}`)
  stop(1)
}

function stop(exitCode: number): void {
  if (isStopping) return
  isStopping = true
  stoppingSinceMs = Date.now()
  void Promise.all(nodes.map((node) => node.stop())).then(() => process.exit(exitCode))
}

async function planOrExit({ nodes: count, firstPort, firstMeshPort }: ClusterOptions): Promise<readonly NodeProgram[]> {
  try {
    const [ports = [], meshPorts = []] = await choosePorts(HOST, count, [
      { option: 'port', first: firstPort },
      { option: 'mesh-port', first: firstMeshPort },
    ])
    return plan(ports, meshPorts)
  } catch (error) {
    if (!(error instanceof PortError)) throw error
    console.error(`demo: ${error.message}`)
    process.exit(1)
  }
}

function plan(ports: readonly number[], meshPorts: readonly number[]): readonly NodeProgram[] {
  const script = fileURLToPath(new URL('chat-node.js', import.meta.url))
  const env = { PIDMESH_COOKIE: randomBytes(24).toString('base64url') }
  const pages = ports.map((port, i): ChatNode => ({ name: `chat${i + 1}@${HOST}`, url: `http://${HOST}:${port}` }))
  const everyone = [
    ...meshPorts.flatMap((port) => ['--seed', `${HOST}:${port}`]),
    ...pages.flatMap(({ name, url }) => ['--url-of', `${name}=${url}`]),
  ]
  return pages.map(({ name }, i) => ({
    name,
    script,
    args: ['--name', name, '--port', String(ports[i]), '--mesh-port', String(meshPorts[i]), ...everyone],
    env,
  }))
}

function banner(urls: readonly string[]): string {
  const rows = nodes.map(({ name, pid }, i) => `  ${name}   ${urls[i]}   pid ${pid}`)
  const count = nodes.length === 1 ? '1 node' : `${nodes.length} nodes`
  return [
    '',
    `pidmesh chat: ${count}, one chat`,
    '',
    ...rows,
    '',
    'Open any of them, twice or more, under different names. End a node (kill <pid>): its pages move to another and miss nothing.',
    'With kill -9 they move as well, and say that something may be missing.',
    'Ctrl-C ends everything.',
    '',
  ].join('\n')
}

function optionsOrExit(): ClusterOptions {
  try {
    const command = parseClusterOptions(process.argv.slice(2))
    if (command.do === 'start') return command.options
    console.log(HELP)
    process.exit(0)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    console.error(`demo: ${error.message} (see --help)`)
    process.exit(2)
  }
}
