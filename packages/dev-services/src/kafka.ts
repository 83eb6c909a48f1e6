/**
 * Kafka brokers, each a controller too, from their jars: `scripts/fetch-kafka.mjs` has fetched them. All listeners are on loopback.
 *
 *   startKafka()          one broker
 *   startKafkaCluster()   three, or as many as are asked for; a message of `acks: 'all'` is on two of them, or refused
 *
 *   format (once) ─▶ broker ─▶ kill ─▶ startAgain: the same ports, the same data ─▶ stop: nothing is left
 *
 * Topics are made by who wants them, never by asking for one.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from './ports.ts'
import { ServerProcess, ServiceMissing, makeFolder, runToEnd } from './server-process.ts'

const PACKAGE = join(import.meta.dirname, '..')
const CACHE = join(PACKAGE, '../../node_modules/.cache/pidmesh')
const LEAST_JAVA = 17
/** A small heap, and a start that compiles little. */
const JAVA_OPTIONS = [
  '-Xms128m',
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Djava.awt.headless=true',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
]
const STARTED = 'Kafka Server started'
const START_WITHIN_MS = 50_000
const ATTEMPTS = 2
const CLUSTER_BROKERS = 3
/** For each way in. */
const PORTS_EACH = 6
const LOOPBACK = '127.0.0.1'
const CLUSTER_ID = 'cGlkbWVzaC10ZXN0cy1hYQ'

/** Who may use the listeners that want a login, by PLAIN and by SCRAM-SHA-256. */
export interface KafkaUser {
  readonly username: string
  readonly password: string
}

/** Files of a broker that speaks TLS. */
export interface KafkaTlsFiles {
  /** The broker's certificate and its key, in PEM form, in one file. */
  readonly keystore: string
  /** Certificates of the authorities that the broker trusts, in PEM form. */
  readonly truststore: string
}

export interface KafkaOptions {
  /** Adds the listeners of `KafkaService.tls`. @default none of them */
  readonly tls?: KafkaTlsFiles
}

/** Ports of loopback over TLS. The broker tells nodes to find it at `localhost`. */
export interface KafkaTlsPorts {
  /** For everybody. */
  readonly open: number
  /** For who shows a certificate. */
  readonly mutual: number
  /** For the user. */
  readonly sasl: number
}

const USER: KafkaUser = { username: 'pidmesh', password: 'open-for-tests' }

/** What is missing for a broker to run here, and how to get it. */
export function kafkaMissing(): string | undefined {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' })
  const version = Number(/version "(\d+)/.exec(java.stderr ?? '')?.[1] ?? 0)
  if (version < LEAST_JAVA) {
    return `Kafka wants Java ${LEAST_JAVA} or later: on Debian, apt-get install openjdk-17-jre-headless`
  }
  if (existsSync(jarsFolder())) return undefined
  return 'The jars of Kafka are not there: npx -y pnpm@12.21.0 fetch:kafka (it wants Maven: on Debian, apt-get install maven)'
}

/** A broker that runs. */
export class KafkaService {
  private readonly place: Place
  private server: ServerProcess
  readonly port: number
  /** For `brokers`. */
  readonly bootstrap: string
  /** For `brokers`, of who is to say that it is the user. */
  readonly saslBootstrap: string
  readonly user: KafkaUser = USER
  /** If it was started with `tls`. */
  readonly tls: KafkaTlsPorts | undefined

  constructor(server: ServerProcess, place: Place) {
    const { plain, sasl, tls } = place.ports
    this.server = server
    this.place = place
    this.port = plain
    this.bootstrap = `${LOOPBACK}:${plain}`
    this.saslBootstrap = `${LOOPBACK}:${sasl}`
    this.tls = tls
  }

  /** What it is called in the cluster. */
  get id(): number {
    return this.place.id
  }

  /** Has a folder for each partition of each topic: `topic-0`. */
  get dataFolder(): string {
    return dataFolder(this.place)
  }

  /** What the broker has said: its warnings and errors. */
  get log(): string {
    return logOf(this.place)
  }

  get isRunning(): boolean {
    return this.server.isRunning
  }

  /** Ends it, and removes what it has stored. */
  async stop(): Promise<void> {
    await this.server.kill()
    this.place.remove()
  }

  /** As `kill -9`. What it has stored stays. */
  kill(): Promise<void> {
    return this.server.kill()
  }

  pause(): void {
    this.server.pause()
  }

  resume(): void {
    this.server.resume()
  }

  /** After `kill`: the same broker again. */
  async startAgain(): Promise<void> {
    this.server = await this.server.startAgain()
  }
}

export interface KafkaCluster {
  readonly nodes: readonly KafkaService[]
  /** For `brokers`. */
  readonly bootstraps: readonly string[]
  /** Ends all, and removes what they have stored. */
  stop(): Promise<void>
}

/**
 * Resolves when the broker can be used.
 * @throws ServiceMissing by rejection
 */
export async function startKafka({ tls }: KafkaOptions = {}): Promise<KafkaService> {
  const [node] = await startAll([1], tls)
  if (node === undefined) throw new Error('no broker')
  return node
}

/**
 * Resolves when all brokers can be used.
 * @throws ServiceMissing by rejection
 */
export async function startKafkaCluster(brokers: number = CLUSTER_BROKERS): Promise<KafkaCluster> {
  const nodes = await startAll(Array.from({ length: brokers }, (_, index) => index + 1))
  return {
    nodes,
    bootstraps: nodes.map(({ bootstrap }) => bootstrap),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

async function startAll(ids: readonly number[], tls?: KafkaTlsFiles): Promise<readonly KafkaService[]> {
  const missing = kafkaMissing()
  if (missing !== undefined) throw new ServiceMissing(missing)
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(ids, tls)
    } catch (error) {
      // Ports that were free may be somebody else's by now.
      if (attempt === ATTEMPTS) throw error
    }
  }
}

async function startOnce(ids: readonly number[], tls: KafkaTlsFiles | undefined): Promise<readonly KafkaService[]> {
  const ports = await freePorts(PORTS_EACH * ids.length)
  const places = ids.map((id, index) => placeOf(id, ports.slice(PORTS_EACH * index), tls))
  const starts = await Promise.allSettled(places.map((place) => startBroker(place, places, tls)))
  const nodes = starts.filter((each) => each.status === 'fulfilled').map(({ value }) => value)
  const failed = starts.find((each) => each.status === 'rejected')
  if (failed === undefined) return nodes
  await Promise.all(nodes.map((node) => node.stop()))
  for (const { remove } of places) remove()
  throw failed.reason
}

/** Of one broker. */
interface Place {
  readonly id: number
  readonly folder: string
  readonly remove: () => void
  readonly ports: Ports
}

interface Ports {
  readonly plain: number
  readonly sasl: number
  readonly controller: number
  readonly tls: KafkaTlsPorts | undefined
}

function placeOf(id: number, ports: readonly number[], tls: KafkaTlsFiles | undefined): Place {
  const [plain = 0, sasl = 0, controller = 0, open = 0, mutual = 0, saslOverTls = 0] = ports
  const tlsPorts = tls && { open, mutual, sasl: saslOverTls }
  return { id, ...makeFolder('kafka'), ports: { plain, sasl, controller, tls: tlsPorts } }
}

async function startBroker(place: Place, all: readonly Place[], tls: KafkaTlsFiles | undefined): Promise<KafkaService> {
  const { folder } = place
  const config = join(folder, 'server.properties')
  writeFileSync(config, configuration(place, all, tls))
  await format(config, folder)
  const server = await ServerProcess.start({
    name: 'Kafka',
    command: ['java', ...JAVA_OPTIONS, ...classPath(), 'kafka.Kafka', config],
    folder,
    isTemporary: true,
    isReady: async () => logOf(place).includes(STARTED),
    withinMs: START_WITHIN_MS,
  })
  return new KafkaService(server, place)
}

async function format(config: string, folder: string): Promise<void> {
  const scram = `SCRAM-SHA-256=[name=${USER.username},password=${USER.password}]`
  const of = ['format', '--cluster-id', CLUSTER_ID, '--config', config, '--add-scram', scram]
  await runToEnd(['java', ...JAVA_OPTIONS, ...classPath(), 'kafka.tools.StorageTool', ...of], folder)
}

/** A way to a broker: what it is called, where it is, how it is spoken to. */
type Listener = readonly [name: string, host: string, port: number, protocol: string]

function listenersOf({ plain, sasl, controller, tls }: Ports): readonly Listener[] {
  const secure: readonly Listener[] = tls
    ? [
        ['TLS', 'localhost', tls.open, 'SSL'],
        ['MUTUAL', 'localhost', tls.mutual, 'SSL'],
        ['SASL_TLS', 'localhost', tls.sasl, 'SASL_SSL'],
      ]
    : []
  return [
    ['PLAINTEXT', LOOPBACK, plain, 'PLAINTEXT'],
    ['SASL_PLAINTEXT', LOOPBACK, sasl, 'SASL_PLAINTEXT'],
    ...secure,
    ['CONTROLLER', LOOPBACK, controller, 'PLAINTEXT'],
  ]
}

function configuration({ id, folder, ports }: Place, all: readonly Place[], tls: KafkaTlsFiles | undefined): string {
  const listeners = listenersOf(ports)
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': id,
    'log.dirs': dataFolder({ folder }),
    listeners: listeners.map(([name, , port]) => `${name}://${LOOPBACK}:${port}`).join(),
    'advertised.listeners': listeners.map(([name, host, port]) => `${name}://${host}:${port}`).join(),
    'listener.security.protocol.map': listeners.map(([name, , , protocol]) => `${name}:${protocol}`).join(),
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': all.map((each) => `${each.id}@${LOOPBACK}:${each.ports.controller}`).join(),
    // A controller that was killed has a successor soon: after 2 s and more, if nothing is said.
    'controller.quorum.fetch.timeout.ms': 1_000,
    'controller.quorum.election.timeout.ms': 500,
    'controller.quorum.election.backoff.max.ms': 200,
    'inter.broker.listener.name': 'PLAINTEXT',
    ...loginSettings(listeners),
    ...(tls && tlsSettings(tls)),
    'auto.create.topics.enable': false,
    'default.replication.factor': all.length,
    'min.insync.replicas': Math.min(2, all.length),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'log.cleaner.enable': false,
    // A broker that was killed is let in again, and another one leads, when its former life is over: after 9 s, if nothing is said.
    // Several that share a machine may be late.
    'broker.session.timeout.ms': all.length === 1 ? 1_000 : 2_000,
    'broker.heartbeat.interval.ms': 200,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function loginSettings(listeners: readonly Listener[]): Readonly<Record<string, string>> {
  const { username, password } = USER
  const logins = `username="${username}" password="${password}" user_${username}="${password}"`
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required ${logins};`
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const names = listeners.filter(([, , , protocol]) => protocol.startsWith('SASL')).map(([name]) => name.toLowerCase())
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256',
    ...Object.fromEntries(names.map((name) => [`listener.name.${name}.plain.sasl.jaas.config`, plain])),
    ...Object.fromEntries(names.map((name) => [`listener.name.${name}.scram-sha-256.sasl.jaas.config`, scram])),
  }
}

function tlsSettings({ keystore, truststore }: KafkaTlsFiles): Readonly<Record<string, string>> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keystore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': truststore,
    'listener.name.mutual.ssl.client.auth': 'required',
  }
}

function dataFolder({ folder }: Pick<Place, 'folder'>): string {
  return join(folder, 'data')
}

function logOf({ folder }: Place): string {
  const log = join(folder, 'server.log')
  return existsSync(log) ? readFileSync(log, 'utf8') : ''
}

function classPath(): readonly string[] {
  return ['-cp', join(jarsFolder(), '*')]
}

function jarsFolder(): string {
  const pom = readFileSync(join(PACKAGE, 'kafka/pom.xml'), 'utf8')
  const version = /<kafka\.version>(.+)<\/kafka\.version>/.exec(pom)?.[1]
  return join(CACHE, `kafka-${version}`)
}
