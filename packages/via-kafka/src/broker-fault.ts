/**
 * What has gone wrong with a broker, as what can be done about it; and as what a caller is told. The errors of the client library end here: they hold requests,
 * responses and causes, which are nobody's to log.
 */
import { PidmeshError } from '@pidmesh/runtime'
import { certificateProblemOf, StoreError } from '@pidmesh/via-kit'
import {
  AuthenticationError,
  GenericError,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  TimeoutError,
  UserError,
} from '@platformatic/kafka'

export type FaultKind =
  /** No broker, or no answer. What was asked may have been done. */
  | 'away'
  /** The broker has answered that another one, or a later time, is right. */
  | 'moved'
  /** There is no such topic, or another one of its name. */
  | 'no-topic'
  /** The broker knows a later life of this producer, or misses messages of it. */
  | 'fenced'
  /** Fewer brokers are alive than the topic is to have replicas: one that has just been started, or has stood still, is not for a moment. */
  | 'too-few-brokers'
  /** More bytes than the topic takes at once. */
  | 'too-large'
  /** The broker has no such position. */
  | 'out-of-range'
  /** The answer can't be read. */
  | 'unreadable'
  /** No use in asking again. */
  | 'unfit'

/** What has gone wrong: `detail` is a word of Kafka's or of Node's, and has nothing of the request in it. */
export class BrokerFault extends Error {
  readonly kind: FaultKind

  constructor(kind: FaultKind, detail: string) {
    super(detail)
    this.name = 'BrokerFault'
    this.kind = kind
  }
}

const KINDS: Readonly<Record<string, FaultKind>> = {
  OFFSET_OUT_OF_RANGE: 'out-of-range',
  UNKNOWN_TOPIC_OR_PARTITION: 'no-topic',
  UNKNOWN_TOPIC_ID: 'no-topic',
  INCONSISTENT_TOPIC_ID: 'no-topic',
  INVALID_REPLICATION_FACTOR: 'too-few-brokers',
  MESSAGE_TOO_LARGE: 'too-large',
  RECORD_LIST_TOO_LARGE: 'too-large',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'fenced',
  INVALID_PRODUCER_EPOCH: 'fenced',
  UNKNOWN_PRODUCER_ID: 'fenced',
  BROKER_NOT_AVAILABLE: 'moved',
  UNKNOWN_SERVER_ERROR: 'moved',
}
const OF_TLS = /^ERR_(TLS|SSL)_/

export function faultOf(error: unknown): BrokerFault {
  if (error instanceof BrokerFault) return error
  const chain = chainOf(error)
  const protocol = chain.find((each): each is ProtocolError => each instanceof ProtocolError)
  const isLogin = chain.some((each) => each instanceof AuthenticationError)
  if (protocol !== undefined) return protocolFault(String(protocol['apiId']), protocol['canRetry'] === true && !isLogin)
  const code = chain.map(nodeCode).find((each) => each !== undefined)
  if (code !== undefined) return connectionFault(code)
  if (chain.some((each) => each instanceof TimeoutError)) return new BrokerFault('away', 'no answer in time')
  const misuse = chain.find((each) => each instanceof UserError)
  if (misuse !== undefined) return new BrokerFault('unfit', misuse.message)
  // One that is about a login and has nothing of the network below it.
  if (isLogin && chain.at(-1) instanceof AuthenticationError) return new BrokerFault('unfit', 'the login is refused')
  if (chain.some((each) => each instanceof NetworkError)) return new BrokerFault('away', 'the connection is closed')
  const [first] = chain
  return new BrokerFault('unreadable', first instanceof GenericError ? first.code : (first?.name ?? 'unknown'))
}

/** What a caller is told, of what was done: `start`, `publish`. */
export function storeErrorOf(fault: BrokerFault, what: string, topic: string): StoreError {
  const { kind, message } = fault
  switch (kind) {
    case 'away':
      return new StoreError(
        'ERR_STORE_UNAVAILABLE',
        `Kafka: ${what} has failed: ${message}. Are the brokers there, is TLS as they want it, and do they want a login?`,
      )
    case 'moved':
    case 'fenced':
    case 'out-of-range':
      return new StoreError('ERR_STORE_UNAVAILABLE', `Kafka: ${what} has failed: ${message}`)
    case 'no-topic':
      return new StoreError(
        'ERR_STORE_UNFIT',
        `Kafka: there is no topic ${topic}: make it, or start again with createTopic`,
      )
    case 'too-few-brokers':
      return new StoreError(
        'ERR_STORE_UNFIT',
        `Kafka: ${what} has failed: ${message}. Fewer brokers are alive than topic ${topic} is to have replicas`,
      )
    case 'too-large':
    case 'unreadable':
    case 'unfit':
      return new StoreError('ERR_STORE_UNFIT', `Kafka: ${what} is not possible: ${message}`)
  }
}

/** What who has published is told. */
export function publishErrorOf(fault: BrokerFault, topic: string): StoreError | PidmeshError {
  if (fault.kind !== 'too-large') return storeErrorOf(fault, 'publish', topic)
  return new PidmeshError(
    'ERR_MESSAGE_TOO_LARGE',
    `Kafka: a message is larger than topic ${topic} takes (${fault.message}): see its max.message.bytes`,
  )
}

function connectionFault(code: string): BrokerFault {
  const problem = certificateProblemOf(code)
  if (problem === 'untrusted')
    return new BrokerFault('unfit', `the broker has no certificate that is trusted: ${code}. See the option tls`)
  if (problem === 'wanted')
    return new BrokerFault('unfit', `the broker wants a certificate that it trusts: ${code}. See the option tls`)
  return new BrokerFault(OF_TLS.test(code) ? 'unfit' : 'away', code)
}

function protocolFault(id: string, canRetry: boolean): BrokerFault {
  return new BrokerFault(KINDS[id] ?? (canRetry ? 'moved' : 'unfit'), id)
}

/** The error, what it stands for, and their causes. */
function chainOf(error: unknown): readonly Error[] {
  const chain: Error[] = []
  const add = (each: unknown): void => {
    if (!(each instanceof Error) || chain.includes(each)) return
    chain.push(each)
    if (each instanceof MultipleErrors) for (const part of each.errors as unknown[]) add(part)
    add(each.cause)
  }
  add(error)
  return chain
}

/** The code of an error of Node's: `ECONNREFUSED`. Those of the library have codes of their own. */
function nodeCode(error: Error): string | undefined {
  if (error instanceof GenericError || error instanceof MultipleErrors) return undefined
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' ? code : undefined
}
