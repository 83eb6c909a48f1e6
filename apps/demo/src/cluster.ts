// `pnpm demo`: a cluster of chat nodes on this machine, each an OS process. Which ends, all of it, whenever this process does.
//
//   choose ports ─▶ start the store, if names want one ─▶ start every node ─▶ wait for every `ready` ─▶ banner ─▶ tell of nodes that end ─▶ stop
//                        │                                                        │ one ended, or 30 s              │ none left: exit 1
//                        └── signals and the end of standard input: stop: the nodes, and then the store ────────────┘
//
// A node that can't start says why by itself; the launcher adds nothing to that.
// Not here: restarting a node. Its death is the demonstration.

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { HELP, parseClusterOptions } from './cluster-options.ts'
import type { ClusterOptions, NamesChoice } from './cluster-options.ts'
import type { ChatNode } from './messages.ts'
import { startNodeProcess } from './node-process.ts'
import type { Ended, NodeProcess, NodeProgram } from './node-process.ts'
import { OptionError } from './option-error.ts'
import { choosePorts, PortError } from './ports.ts'
import { onStandardInputEnd } from './standard-input.ts'
import { startStore, StoreFailed, StoreMissing, useGiven } from './store.ts'
import type { Store } from './store.ts'
import { WAY_TEXT } from './ways.ts'
import type { Way } from './ways.ts'

const HOST = '127.0.0.1'
const READY_WITHIN_MS = 30_000

/** One Ctrl-C may come twice: from the terminal, and again from a package manager that hands it on. */
const SAME_CTRL_C_MS = 500

const nodes: NodeProcess[] = []
/** The store of the demo's own, once it can be used. */
let ownStore: Store | undefined
const stopping = new AbortController()
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

  const ports = await portsOrExit(options)
  if (isStopping) return
  const store = await storeAddress(options.names)
  if (isStopping) return
  const programs = plan(ports, { via: options.names.via, store })
  for (const program of programs) nodes.push(startNodeProcess(program))
  for (const node of nodes) void node.ended.then((ended) => onEnded(node, ended))

  const urls = await allReady()
  if (isStopping || urls === undefined) return
  isUp = true
  console.log(banner(urls, options.names.via))
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
  if (performance.now() - stoppingSinceMs < SAME_CTRL_C_MS) return
  for (const node of nodes) node.kill()
  process.exit(130)
}

function fail(line: string | undefined, exitCode = 1): void {
  if (isStopping) return
  if (line !== undefined) console.error(`demo: ${line}`)
  stop(exitCode)
}

function stop(exitCode: number): void {
  if (isStopping) return
  isStopping = true
  stoppingSinceMs = performance.now()
  stopping.abort()
  void stopAll().then(() => process.exit(exitCode))
}

async function stopAll(): Promise<void> {
  await Promise.all(nodes.map((node) => node.stop()))
  // One that is still starting ends with this process, and isn't waited for.
  await ownStore?.stop()
}

/** Undefined if there is none: because none is wanted, or because the demo ends. */
async function storeAddress(names: NamesChoice): Promise<string | undefined> {
  if (names.via === 'global-ets') return undefined
  const start = { tell: (line: string) => console.log(line), signal: stopping.signal }
  try {
    if (names.store !== undefined) {
      await useGiven(names.via, names.store, start)
      return names.store.address
    }
    ownStore = await startStore(names.via, start)
    return ownStore.address
  } catch (error) {
    if (error instanceof StoreMissing) fail(error.message, 2)
    else if (error instanceof StoreFailed) fail(error.message)
    else throw error
    return undefined
  }
}

type Ports = { ports: readonly number[]; meshPorts: readonly number[] }

async function portsOrExit({ nodes: count, firstPort, firstMeshPort }: ClusterOptions): Promise<Ports> {
  try {
    const [ports = [], meshPorts = []] = await choosePorts(HOST, count, [
      { option: 'port', first: firstPort },
      { option: 'mesh-port', first: firstMeshPort },
    ])
    return { ports, meshPorts }
  } catch (error) {
    if (!(error instanceof PortError)) throw error
    console.error(`demo: ${error.message}`)
    process.exit(1)
  }
}

function plan({ ports, meshPorts }: Ports, { via, store }: { via: Way; store: string | undefined }): NodeProgram[] {
  const script = fileURLToPath(new URL('chat-node.js', import.meta.url))
  const cookie = { PIDMESH_COOKIE: randomBytes(24).toString('base64url') }
  const env = store === undefined ? cookie : { ...cookie, PIDMESH_STORE: store }
  const pages = ports.map((port, i): ChatNode => ({ name: `chat${i + 1}@${HOST}`, url: `http://${HOST}:${port}` }))
  const everyone = [
    '--via',
    via,
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

function banner(urls: readonly string[], via: Way): string {
  const rows = nodes.map(({ name, pid }, i) => `  ${name}   ${urls[i]}   pid ${pid}`)
  const count = nodes.length === 1 ? '1 node' : `${nodes.length} nodes`
  return [
    '',
    `pidmesh chat: ${count}, one chat; names: ${WAY_TEXT[via]}`,
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
