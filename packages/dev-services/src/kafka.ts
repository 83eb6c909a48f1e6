/**
 * A Kafka broker, its own controller, from its jars: `scripts/fetch-kafka.mjs` has fetched them. Two listeners on loopback: one for everybody, one for the user.
 *
 *   format (once) ─▶ broker ─▶ kill ─▶ startAgain: the same ports, the same data ─▶ stop: nothing is left
 *
 * Topics are made by who wants them, never by asking for one.
 */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ServerProcess, ServiceMissing, freePort, makeFolder } from './server-process.ts'

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
const CLUSTER_ID = 'cGlkbWVzaC10ZXN0cy1hYQ'

/** Who may use the second listener, by PLAIN and by SCRAM-SHA-256. */
export interface KafkaUser {
  readonly username: string
  readonly password: string
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
  private readonly folder: string
  private readonly remove: () => void
  private server: ServerProcess
  readonly port: number
  /** For `brokers`. */
  readonly bootstrap: string
  /** For `brokers`, of who is to say that it is the user. */
  readonly saslBootstrap: string
  readonly user: KafkaUser = USER

  constructor(
    server: ServerProcess,
    place: { readonly folder: string; readonly remove: () => void },
    ports: { readonly plain: number; readonly sasl: number },
  ) {
    this.server = server
    this.folder = place.folder
    this.remove = place.remove
    this.port = ports.plain
    this.bootstrap = `127.0.0.1:${ports.plain}`
    this.saslBootstrap = `127.0.0.1:${ports.sasl}`
  }

  /** Has a folder for each partition of each topic: `topic-0`. */
  get dataFolder(): string {
    return dataFolder(this.folder)
  }

  /** What the broker has said: its warnings and errors. */
  get log(): string {
    return readFileSync(join(this.folder, 'server.log'), 'utf8')
  }

  get isRunning(): boolean {
    return this.server.isRunning
  }

  /** Ends it, and removes what it has stored. */
  async stop(): Promise<void> {
    await this.server.kill()
    this.remove()
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

/**
 * Resolves when the broker can be used.
 * @throws ServiceMissing by rejection
 */
export async function startKafka(): Promise<KafkaService> {
  const missing = kafkaMissing()
  if (missing !== undefined) throw new ServiceMissing(missing)
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce()
    } catch (error) {
      // Ports that were free may be somebody else's by now.
      if (attempt === ATTEMPTS) throw error
    }
  }
}

async function startOnce(): Promise<KafkaService> {
  const place = makeFolder('kafka')
  try {
    const ports = { plain: await freePort(), sasl: await freePort(), controller: await freePort() }
    const config = join(place.folder, 'server.properties')
    writeFileSync(config, configuration(place.folder, ports))
    await format(config)
    const log = join(place.folder, 'server.log')
    const server = await ServerProcess.start({
      name: 'Kafka',
      command: ['java', ...JAVA_OPTIONS, ...classPath(), 'kafka.Kafka', config],
      folder: place.folder,
      isTemporary: true,
      isReady: async () => existsSync(log) && readFileSync(log, 'utf8').includes(STARTED),
      withinMs: START_WITHIN_MS,
    })
    return new KafkaService(server, place, ports)
  } catch (error) {
    place.remove()
    throw error
  }
}

async function format(config: string): Promise<void> {
  const scram = `SCRAM-SHA-256=[name=${USER.username},password=${USER.password}]`
  const of = ['format', '--standalone', '--cluster-id', CLUSTER_ID, '--config', config, '--add-scram', scram]
  await promisify(execFile)('java', [...JAVA_OPTIONS, ...classPath(), 'kafka.tools.StorageTool', ...of])
}

interface Ports {
  readonly plain: number
  readonly sasl: number
  readonly controller: number
}

function configuration(folder: string, { plain, sasl, controller }: Ports): string {
  const listeners = `PLAINTEXT://127.0.0.1:${plain},SASL_PLAINTEXT://127.0.0.1:${sasl}`
  const { username, password } = USER
  const logins = `username="${username}" password="${password}" user_${username}="${password}"`
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'log.dirs': dataFolder(folder),
    listeners: `${listeners},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `${listeners},CONTROLLER://127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controller}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256',
    'listener.name.sasl_plaintext.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${logins};`,
    'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config':
      'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'log.cleaner.enable': false,
    // A broker that was killed is let in again when its former life is over: after 9 s, if nothing is said.
    'broker.session.timeout.ms': 1_000,
    'broker.heartbeat.interval.ms': 200,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function dataFolder(folder: string): string {
  return join(folder, 'data')
}

function classPath(): readonly string[] {
  return ['-cp', join(jarsFolder(), '*')]
}

function jarsFolder(): string {
  const pom = readFileSync(join(PACKAGE, 'kafka/pom.xml'), 'utf8')
  const version = /<kafka\.version>(.+)<\/kafka\.version>/.exec(pom)?.[1]
  return join(CACHE, `kafka-${version}`)
}
