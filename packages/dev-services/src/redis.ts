/**
 * redis-server for tests, benchmarks and the demo: nothing is persisted, so that one which is started again is empty.
 *
 *   startRedis()          one server
 *   startRedisCluster()   three, with a third of the slots each; if it is wanted, each with a replica
 *   startRedisSentinel()  a watcher of one server and its replicas, called `main`
 */
import { execFile, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ServerProcess, ServiceMissing, freePort, makeFolder } from './server-process.ts'

const HOST = '127.0.0.1'
const WITHIN_MS = 20_000
const LOOK_AGAIN_MS = 20
const SLOTS = 16_384
const CLUSTER_NODES = 3

export interface RedisService {
  readonly port: number
  /** Without user and password. */
  readonly url: string
  readonly isRunning: boolean
  /** Ends it, and removes its folder. */
  stop(): Promise<void>
  /** As `kill -9`. */
  kill(): Promise<void>
  /** It stands still, and answers nobody. */
  pause(): void
  resume(): void
  /** On the same port, after `kill`; what was in it is lost. */
  startAgain(): Promise<void>
  /** What redis-cli prints. */
  command(...args: readonly string[]): Promise<string>
}

export interface RedisCluster {
  /** Those that have slots. */
  readonly nodes: readonly RedisService[]
  /** Of each of them the one that takes its place when it is away, in the same order. */
  readonly replicas: readonly RedisService[]
  readonly urls: readonly string[]
  stop(): Promise<void>
}

export interface RedisClusterOptions {
  /** Three more servers. @default false */
  readonly hasReplicas?: boolean
}

export interface RedisOptions {
  /** Further arguments of redis-server. */
  readonly args?: readonly string[]
  /** What it writes is there, and stays. @default a folder of its own, which `stop` removes */
  readonly folder?: string
}

/** What is missing, and how to get it. */
export function redisMissing(): string | undefined {
  if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).error === undefined) return undefined
  return 'redis-server is not there: install it (Debian: apt-get install redis-server)'
}

/** The same, of TLS, which a redis-server may have been built without: then it refuses the option, and otherwise the folder, which is none. */
export function redisTlsMissing(): string | undefined {
  const { stderr } = spawnSync('redis-server', ['--port', '0', '--tls-port', '0', '--dir', '/dev/null/none'])
  if (!stderr.toString().includes('tls-port')) return undefined
  return 'redis-server is there, and has no TLS: take one that was built with BUILD_TLS=yes (Debian: redis-server)'
}

/** @throws ServiceMissing by rejection */
export async function startRedis({ args = [], folder }: RedisOptions = {}): Promise<RedisService> {
  return startServer('redis-server', folder, (_, port) => ['--port', `${port}`, '--bind', HOST, ...args])
}

/** @throws ServiceMissing by rejection */
export async function startRedisCluster({ hasReplicas = false }: RedisClusterOptions = {}): Promise<RedisCluster> {
  const all = await Promise.all(Array.from({ length: CLUSTER_NODES * (hasReplicas ? 2 : 1) }, startClusterNode))
  const nodes = all.slice(0, CLUSTER_NODES)
  const replicas = all.slice(CLUSTER_NODES)
  const cluster = {
    nodes: nodes.map(({ service }) => service),
    replicas: replicas.map(({ service }) => service),
    urls: nodes.map(({ service }) => service.url),
    stop: async () => {
      await Promise.all(all.map(({ service }) => service.stop()))
    },
  }
  try {
    await joinAll(nodes)
    await followAll(nodes, replicas)
  } catch (error) {
    await cluster.stop()
    throw error
  }
  return cluster
}

/**
 * Watches a server and its replicas; when that is away for `downAfterMs` a replica takes its place.
 * @throws ServiceMissing by rejection
 */
export async function startRedisSentinel(master: RedisService, downAfterMs: number = 500): Promise<RedisService> {
  return startServer('redis-sentinel', undefined, (folder, port) => {
    const file = join(folder, 'sentinel.conf')
    const lines = [
      `port ${port}`,
      `bind ${HOST}`,
      `sentinel monitor main ${HOST} ${master.port} 1`,
      `sentinel down-after-milliseconds main ${downAfterMs}`,
      'sentinel failover-timeout main 3000',
    ]
    writeFileSync(file, `${lines.join('\n')}\n`)
    return [file, '--sentinel']
  })
}

interface ClusterNode {
  readonly service: RedisService
  readonly busPort: number
}

async function startClusterNode(): Promise<ClusterNode> {
  const busPort = await freePort()
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, '--cluster-announce-ip', HOST]
  const args = [...cluster, '--cluster-node-timeout', '2000', '--repl-diskless-sync-delay', '0']
  const service = await startRedis({ args })
  return { service, busPort }
}

async function joinAll(nodes: readonly ClusterNode[]): Promise<void> {
  const [first] = nodes
  for (const [index, { service }] of nodes.entries()) {
    const from = Math.floor((SLOTS * index) / nodes.length)
    const to = Math.floor((SLOTS * (index + 1)) / nodes.length) - 1
    await service.command('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to}`)
    // Who is met must have another epoch of its own, or two of them must find out first that they have the same.
    await service.command('CLUSTER', 'SET-CONFIG-EPOCH', `${index + 1}`)
    if (index > 0) await first?.service.command('CLUSTER', 'MEET', HOST, `${service.port}`, `${nodes[index]?.busPort}`)
  }
  await untilAll(nodes, ({ service }) => isJoined(service, nodes.length))
}

/** Each of them is a replica of the node in its place. */
async function followAll(nodes: readonly ClusterNode[], replicas: readonly ClusterNode[]): Promise<void> {
  const [first] = nodes
  for (const { service, busPort } of replicas)
    await first?.service.command('CLUSTER', 'MEET', HOST, `${service.port}`, `${busPort}`)
  for (const [index, { service }] of replicas.entries()) {
    const id = (await nodes[index]?.service.command('CLUSTER', 'MYID')) ?? ''
    await untilAll([service], async () => (await service.command('CLUSTER', 'NODES')).includes(id))
    await service.command('CLUSTER', 'REPLICATE', id)
  }
  // Who fails over asks the others, who must know all of them.
  await untilAll([...nodes, ...replicas], async ({ service }) => {
    const lines = (await service.command('CLUSTER', 'NODES')).split('\n')
    return lines.filter((line) => /\bslave\b/.test(line)).length === replicas.length
  })
  await untilAll(replicas, async ({ service }) =>
    (await service.command('INFO', 'REPLICATION')).includes('master_link_status:up'),
  )
}

/** @throws Error by rejection if that does not come in time */
async function untilAll<T>(all: readonly T[], isSo: (one: T) => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + WITHIN_MS
  for (const one of all) {
    while (!(await isSo(one))) {
      if (performance.now() > deadlineMs) throw new Error(`the nodes of Redis are no cluster after ${WITHIN_MS} ms`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }
}

async function isJoined(service: RedisService, nodes: number): Promise<boolean> {
  const info = await service.command('CLUSTER', 'INFO')
  return info.includes('cluster_state:ok') && info.includes(`cluster_size:${nodes}`)
}

async function startServer(
  name: string,
  given: string | undefined,
  argsFor: (folder: string, port: number) => readonly string[],
): Promise<RedisService> {
  const missing = redisMissing()
  if (missing !== undefined) throw new ServiceMissing(missing)
  const { folder, remove } = given === undefined ? makeFolder('redis') : { folder: given, remove: () => undefined }
  const port = await freePort()
  const withoutFiles = ['--dir', folder, '--save', '', '--appendonly', 'no']
  try {
    const process = await ServerProcess.start({
      name,
      command: ['redis-server', ...argsFor(folder, port), ...withoutFiles],
      folder,
      isTemporary: given === undefined,
      isReady: () => isAnswering(port),
      withinMs: WITHIN_MS,
    })
    return new Service(process, port, remove)
  } catch (error) {
    // The folder stays: the error tells of the log in it.
    throw new Error(`${name} can't be started`, { cause: error })
  }
}

class Service implements RedisService {
  private process: ServerProcess
  private readonly remove: () => void
  readonly port: number

  constructor(process: ServerProcess, port: number, remove: () => void) {
    this.process = process
    this.port = port
    this.remove = remove
  }

  get url(): string {
    return `redis://${HOST}:${this.port}`
  }

  get isRunning(): boolean {
    return this.process.isRunning
  }

  async stop(): Promise<void> {
    await this.process.stop()
    this.remove()
  }

  kill(): Promise<void> {
    return this.process.kill()
  }

  pause(): void {
    this.process.pause()
  }

  resume(): void {
    this.process.resume()
  }

  async startAgain(): Promise<void> {
    this.process = await this.process.startAgain()
  }

  async command(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)('redis-cli', ['-h', HOST, '-p', `${this.port}`, ...args])
    return stdout.trim()
  }
}

/** Whether it says anything: that it wants a password is an answer, too. */
function isAnswering(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => socket.write('PING\r\n'))
    socket.on('data', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}
