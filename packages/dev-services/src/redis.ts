/**
 * redis-server for tests, benchmarks and the demo: nothing is persisted, so that one which is started again is empty.
 *
 *   startRedis()             one server
 *   startRedisClusterNode()  one of a cluster that has no others yet
 *   startRedisCluster()      three, with a third of the slots each; if it is wanted, each with a replica
 *   startRedisSentinel()     a watcher of one server and its replicas, called `main`
 *
 * With `tls` each of them speaks nothing else, with others of them, too.
 */
import { execFile, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, freePorts, isAnswering, isListening } from './ports.ts'
import { ServerProcess, ServiceMissing, makeFolder } from './server-process.ts'

const HOST = '127.0.0.1'
const WITHIN_MS = 20_000
const LOOK_AGAIN_MS = 20
const SLOTS = 16_384
const CLUSTER_NODES = 3

/** Paths of files in PEM form. */
export interface RedisTlsFiles {
  /** Of the authority whom who comes must be signed by. */
  readonly ca: string
  /** Of the server, and for all that it connects to. */
  readonly cert: string
  readonly key: string
}

export interface RedisService {
  readonly port: number
  readonly tls: RedisTlsFiles | undefined
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
  /**
   * What redis-cli prints.
   * @throws Error by rejection if it doesn't end with code 0, or in 20 s
   */
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
  /** @default none: it speaks no TLS */
  readonly tls?: RedisTlsFiles | undefined
}

export interface RedisOptions {
  /** Further arguments of redis-server. */
  readonly args?: readonly string[]
  /** What it writes is there, and stays. @default a folder of its own, which `stop` removes */
  readonly folder?: string
  /** @default none: it speaks no TLS */
  readonly tls?: RedisTlsFiles | undefined
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
export async function startRedis({ args = [], folder, tls }: RedisOptions = {}): Promise<RedisService> {
  return startServer({ name: 'redis-server', folder, tls, argsIn: () => args })
}

/**
 * A node of a cluster that has met no other, and has no slots.
 * @throws ServiceMissing by rejection
 */
export async function startRedisClusterNode(): Promise<RedisService> {
  const [port, busPort = 0] = await freePorts(2)
  return (await startClusterNode({ port, busPort, tls: undefined })).service
}

/** @throws ServiceMissing by rejection */
export async function startRedisCluster({ hasReplicas = false, tls }: RedisClusterOptions = {}): Promise<RedisCluster> {
  const size = CLUSTER_NODES * (hasReplicas ? 2 : 1)
  const ports = await freePorts(2 * size)
  const busPorts = ports.slice(size)
  const all = await Promise.all(
    busPorts.map((busPort, index) => startClusterNode({ port: ports[index], busPort, tls })),
  )
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
 * Watches a server and its replicas; when that is away for `downAfterMs` a replica takes its place. Over TLS if they speak that.
 * @throws ServiceMissing by rejection
 */
export async function startRedisSentinel(
  master: Pick<RedisService, 'port' | 'tls'>,
  downAfterMs: number = 500,
): Promise<RedisService> {
  const argsIn = (folder: string): readonly string[] => {
    const file = join(folder, 'sentinel.conf')
    const lines = [
      `sentinel monitor main ${HOST} ${master.port} 1`,
      `sentinel down-after-milliseconds main ${downAfterMs}`,
      'sentinel failover-timeout main 3000',
    ]
    writeFileSync(file, `${lines.join('\n')}\n`)
    return [file, '--sentinel']
  }
  return startServer({ name: 'redis-sentinel', tls: master.tls, argsIn })
}

interface ClusterNode {
  readonly service: RedisService
  readonly busPort: number
}

interface ClusterNodeStart {
  readonly port: number | undefined
  /** Redis itself would take one that is 10,000 above the other: a port that may be anybody's. */
  readonly busPort: number
  readonly tls: RedisTlsFiles | undefined
}

async function startClusterNode({ port, busPort, tls }: ClusterNodeStart): Promise<ClusterNode> {
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, '--cluster-announce-ip', HOST]
  const bus = tls === undefined ? [] : ['--tls-cluster', 'yes']
  const args = [...cluster, ...bus, '--cluster-node-timeout', '2000', '--repl-diskless-sync-delay', '0']
  const service = await startServer({ name: 'redis-server', port, tls, argsIn: () => args })
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

interface Start {
  readonly name: string
  /** That is there, and stays. @default one of its own */
  readonly folder?: string | undefined
  /** On which nobody listens. @default any */
  readonly port?: number | undefined
  readonly tls: RedisTlsFiles | undefined
  readonly argsIn: (folder: string) => readonly string[]
}

async function startServer({ name, folder: given, port: wanted, tls, argsIn }: Start): Promise<RedisService> {
  const missing = redisMissing()
  if (missing !== undefined) throw new ServiceMissing(missing)
  const { folder, remove } = given === undefined ? makeFolder('redis') : { folder: given, remove: () => undefined }
  const port = wanted ?? (await freePort())
  const withoutFiles = ['--dir', folder, '--save', '', '--appendonly', 'no']
  try {
    const process = await ServerProcess.start({
      name,
      command: ['redis-server', ...argsIn(folder), '--bind', HOST, ...listening(port, tls), ...withoutFiles],
      folder,
      isTemporary: given === undefined,
      // That it wants a password is an answer, too.
      isReady: () => (tls === undefined ? isAnswering(port, { hello: 'PING\r\n' }) : isListening(port)),
      withinMs: WITHIN_MS,
    })
    return new Service(process, { port, tls, remove })
  } catch (error) {
    remove()
    throw new Error(`${name} can't be started`, { cause: error })
  }
}

function listening(port: number, tls: RedisTlsFiles | undefined): readonly string[] {
  if (tls === undefined) return ['--port', `${port}`]
  const files = ['--tls-ca-cert-file', tls.ca, '--tls-cert-file', tls.cert, '--tls-key-file', tls.key]
  return ['--port', '0', '--tls-port', `${port}`, ...files, '--tls-replication', 'yes']
}

interface ServiceInit {
  readonly port: number
  readonly tls: RedisTlsFiles | undefined
  readonly remove: () => void
}

class Service implements RedisService {
  private process: ServerProcess
  private readonly remove: () => void
  readonly port: number
  readonly tls: RedisTlsFiles | undefined

  constructor(process: ServerProcess, { port, tls, remove }: ServiceInit) {
    this.process = process
    this.port = port
    this.tls = tls
    this.remove = remove
  }

  get url(): string {
    return `${this.tls === undefined ? 'redis' : 'rediss'}://${HOST}:${this.port}`
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
    const { port, tls } = this
    const overTls = tls === undefined ? [] : ['--tls', '--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key]
    const all = ['-h', HOST, '-p', `${port}`, ...overTls, ...args]
    const { stdout } = await promisify(execFile)('redis-cli', all, { timeout: WITHIN_MS })
    return stdout.trim()
  }
}
