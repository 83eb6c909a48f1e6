/**
 * What a KafkaTopic is told, checked. Nothing here connects.
 */
import { isIP } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { PidmeshError, shown } from '@pidmesh/runtime'
import { areCertificates, isUsableForTls } from '@pidmesh/via-kit'
import { unknownTlsOption } from './tls-options.ts'

/** Who this node is to the brokers. */
export interface KafkaSasl {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

export interface KafkaTopicOptions {
  /** Brokers to begin with, as `host:port`. The others are asked for. */
  readonly brokers: readonly string[]
  /** All nodes of a cluster have the same one; no other cluster has it. @default 'pidmesh' */
  readonly topic?: string | undefined
  /** Makes the topic if it is not there. @default true */
  readonly createTopic?: boolean | undefined
  /** Of a topic that is made here. @default 4 */
  readonly partitions?: number | undefined
  /** Of a topic that is made here: how many brokers have it. @default what the brokers make a topic with (`default.replication.factor`) */
  readonly replicas?: number | undefined
  /** A message is published when the leader of its partition has it, or when all replicas that are in step have. @default 1 */
  readonly acks?: 1 | 'all' | undefined
  /** How long a start, or a publish, may take. @default 5000 */
  readonly timeoutMs?: number | undefined
  /** How long a message waits for others to be sent with it. Those of one turn of the event loop are always sent together. @default 0 */
  readonly lingerMs?: number | undefined
  /** How many bytes may wait for brokers. What is over that is refused. @default 16 MiB */
  readonly maxWaitingBytes?: number | undefined
  /** What the brokers' logs call this node. @default 'pidmesh' */
  readonly clientId?: string | undefined
  readonly sasl?: KafkaSasl | undefined
  /** Options of Node's `tls.connect`: `ca`, `cert` and `key`, in PEM form, among them; `true` for its defaults. @default false */
  readonly tls?: boolean | TlsOptions | undefined
}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Settings {
  readonly brokers: readonly Address[]
  readonly topic: string
  readonly createTopic: boolean
  readonly partitions: number
  /** What the brokers make a topic with, if it is not said. */
  readonly replicas: number | undefined
  readonly acks: 1 | 'all'
  readonly timeoutMs: number
  readonly lingerMs: number
  readonly maxWaitingBytes: number
  readonly clientId: string
  readonly sasl: KafkaSasl | undefined
  readonly tls: TlsOptions | undefined
}

const MAX_WAITING_BYTES = 16 * 1024 * 1024
/** Of a timer of Node. */
const MAX_MS = 2 ** 31 - 1
const MAX_PARTITIONS = 10_000
const MECHANISMS: ReadonlySet<unknown> = new Set<KafkaSasl['mechanism']>(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
/** What Kafka takes as the name of a topic. */
const TOPIC = /^(?!\.{1,2}$)[\w.-]{1,249}$/

const OPTIONS =
  'brokers, topic, createTopic, partitions, replicas, acks, timeoutMs, lingerMs, maxWaitingBytes, clientId, sasl, tls'

type Unchecked = { readonly [Key in keyof KafkaTopicOptions]?: unknown }

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkOptions(options: KafkaTopicOptions): Settings {
  const { brokers, topic = 'pidmesh', clientId = 'pidmesh', createTopic = true, acks = 1, ...more } = asOptions(options)
  const { partitions = 4, replicas, timeoutMs = 5_000, lingerMs = 0, maxWaitingBytes, sasl, tls, ...others } = more
  const [other] = Object.keys(others)
  if (other !== undefined) throw bad(`there is no option ${other}; there are: ${OPTIONS}`)
  if (typeof topic !== 'string' || !TOPIC.test(topic))
    throw bad('topic must be a name that Kafka takes: up to 249 letters, digits, points, _ and -')
  if (typeof clientId !== 'string' || clientId === '') throw bad('clientId must be a string that is not empty')
  if (typeof createTopic !== 'boolean') throw bad('createTopic must be true or false')
  if (acks !== 1 && acks !== 'all') throw bad("acks must be 1 or 'all'")
  return {
    brokers: checkBrokers(brokers),
    topic,
    createTopic,
    partitions: checkWhole('partitions', partitions, 1, MAX_PARTITIONS),
    replicas: replicas === undefined ? undefined : checkWhole('replicas', replicas, 1, 2 ** 15 - 1),
    acks,
    timeoutMs: checkWhole('timeoutMs', timeoutMs, 1, MAX_MS),
    lingerMs: checkWhole('lingerMs', lingerMs, 0, MAX_MS),
    maxWaitingBytes: checkWhole('maxWaitingBytes', maxWaitingBytes ?? MAX_WAITING_BYTES, 1, Number.MAX_SAFE_INTEGER),
    clientId,
    sasl: checkSasl(sasl),
    tls: checkTls(tls),
  }
}

/** The name that a certificate is asked for: an address is not one. */
export function serverName({ host }: Address): string | undefined {
  return isIP(host) === 0 ? host : undefined
}

/** `undefined` if it is none. */
export function parseAddress(text: string): Address | undefined {
  const found = /^(?:\[([^[\]]+)\]|([^[\]:\s/]+)):(\d{1,5})$/.exec(text)
  if (found === null) return undefined
  const host = found[1] ?? found[2] ?? ''
  const port = Number(found[3])
  return port >= 1 && port <= 65_535 ? { host, port } : undefined
}

function asOptions(options: unknown): Unchecked {
  if (typeof options !== 'object' || options === null) throw bad('options must be an object')
  return options
}

function checkBrokers(brokers: unknown): readonly Address[] {
  if (!Array.isArray(brokers) || brokers.length === 0) throw bad('brokers must be a list of one broker or more')
  return brokers.map((broker: unknown) => {
    const address = typeof broker === 'string' ? parseAddress(broker) : undefined
    if (address === undefined) throw bad('each of brokers must be host:port')
    return address
  })
}

function checkWhole(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw bad(`${name} must be a whole number from ${least} to ${most}`)
}

/** What is wrong is said without what was given. */
function checkSasl(sasl: unknown): KafkaSasl | undefined {
  if (sasl === undefined) return undefined
  if (typeof sasl !== 'object' || sasl === null) throw bad('sasl must be an object')
  const { mechanism, username, password, ...others } = sasl as { readonly [Key in keyof KafkaSasl]?: unknown }
  const [other] = Object.keys(others)
  if (other !== undefined) throw bad(`sasl has no option ${other}; there are: mechanism, username, password`)
  if (!MECHANISMS.has(mechanism)) throw bad(`sasl.mechanism must be one of ${[...MECHANISMS].join(', ')}`)
  if (typeof username !== 'string' || username === '') throw bad('sasl.username must be a string that is not empty')
  if (typeof password !== 'string' || password === '') throw bad('sasl.password must be a string that is not empty')
  return { mechanism: mechanism as KafkaSasl['mechanism'], username, password }
}

/** @returns what was checked, and not what its owner may change */
function checkTls(given: unknown): TlsOptions | undefined {
  if (given === undefined || given === false) return undefined
  if (given === true) return {}
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw bad("tls must be true, false, or options of Node's tls.connect")
  const tls: TlsOptions = { ...given }
  const other = unknownTlsOption(tls)
  if (other !== undefined)
    throw bad(`tls has no option ${shown(other)}; there are those of Node's tls.connect: ca, cert, key, …`)
  const { ca, cert, key, pfx } = tls
  for (const [name, value] of Object.entries({ ca, cert, key }))
    if (value === '') throw bad(`tls.${name} must be a text in PEM form`)
  if (pfx === undefined && (cert === undefined) !== (key === undefined)) throw bad('tls.cert and tls.key go together')
  if (![ca ?? []].flat().every((each) => areCertificates(String(each))))
    throw bad('tls.ca must be a certificate, or several, in PEM form')
  if (!isUsableForTls(tls)) throw bad('tls.cert and tls.key must be a certificate and its key in PEM form')
  return tls
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
