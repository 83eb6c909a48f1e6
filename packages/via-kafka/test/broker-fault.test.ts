import {
  AuthenticationError,
  NetworkError,
  ResponseError,
  TimeoutError,
  UnsupportedCompressionError,
  UserError,
} from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { BrokerFault, faultOf, storeErrorOf } from '../src/broker-fault.ts'
import { Cluster, displaced, type TopicView } from '../src/cluster.ts'
import { checkOptions } from '../src/options.ts'

const answer = (code: number): ResponseError =>
  new ResponseError(0, 9, { '/': [code, 'of the broker'] }, { secret: 'x' })
const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
const untrusted = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
const unknown = Object.assign(new Error('alert'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' })
const otherTls = Object.assign(new Error('alert'), { code: 'ERR_SSL_WRONG_VERSION_NUMBER' })
const closed = new NetworkError('Connection closed')

describe('what has gone wrong', () => {
  it.each([
    ['away', 'ECONNREFUSED', new NetworkError('failed', { cause: refused })],
    ['away', 'no answer in time', new TimeoutError('Request timed out')],
    ['away', 'the connection is closed', closed],
    [
      'away',
      'the connection is closed',
      new NetworkError('failed', { cause: new AuthenticationError('no', { cause: closed }) }),
    ],
    ['moved', 'NOT_LEADER_OR_FOLLOWER', answer(6)],
    ['moved', 'UNKNOWN_SERVER_ERROR', answer(-1)],
    ['no-topic', 'UNKNOWN_TOPIC_OR_PARTITION', answer(3)],
    ['no-topic', 'UNKNOWN_TOPIC_ID', answer(100)],
    ['out-of-range', 'OFFSET_OUT_OF_RANGE', answer(1)],
    ['fenced', 'OUT_OF_ORDER_SEQUENCE_NUMBER', answer(45)],
    ['fenced', 'INVALID_PRODUCER_EPOCH', answer(47)],
    ['too-large', 'MESSAGE_TOO_LARGE', answer(10)],
    ['too-few-brokers', 'INVALID_REPLICATION_FACTOR', answer(38)],
    ['unfit', 'TOPIC_AUTHORIZATION_FAILED', answer(29)],
    ['unfit', 'the login is refused', new NetworkError('failed', { cause: new AuthenticationError('no') })],
    [
      'unfit',
      'SASL_AUTHENTICATION_FAILED',
      new NetworkError('failed', { cause: new AuthenticationError('no', { cause: answer(58) }) }),
    ],
    [
      'unfit',
      'the broker has no certificate that is trusted: DEPTH_ZERO_SELF_SIGNED_CERT. See the option tls',
      new NetworkError('failed', { cause: untrusted }),
    ],
    [
      'unfit',
      'the broker wants a certificate that it trusts: ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED. See the option tls',
      new NetworkError('failed', { cause: unknown }),
    ],
    ['unfit', 'ERR_SSL_WRONG_VERSION_NUMBER', new NetworkError('failed', { cause: otherTls })],
    ['unfit', 'Broker requires TLS.', new UserError('Broker requires TLS.')],
    ['unreadable', 'PLT_KFK_UNSUPPORTED_COMPRESSION', new UnsupportedCompressionError('zstd')],
    ['unreadable', 'RangeError', new RangeError('out of bounds')],
  ] as const)('is %s: %s', (kind, message, error) => {
    expect(faultOf(error)).toMatchObject({ kind, message })
  })

  it('is told with nothing of the request, of the answer or of a cause', () => {
    const told = storeErrorOf(faultOf(answer(6)), 'publish', 'pidmesh')
    expect(told).toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      message: 'Kafka: publish has failed: NOT_LEADER_OR_FOLLOWER',
    })
    expect(told.cause).toBeUndefined()
  })

  it.each([
    ['ERR_STORE_UNAVAILABLE', ['away', 'moved', 'fenced', 'out-of-range']],
    ['ERR_STORE_UNFIT', ['no-topic', 'too-few-brokers', 'unreadable', 'unfit']],
  ] as const)('is %s to a caller if it is %j', (code, kinds) => {
    for (const kind of kinds) expect(storeErrorOf(new BrokerFault(kind, 'why'), 'publish', 'pidmesh').code).toBe(code)
  })
})

it('a topic that can not be made since the only broker has just stood still is made a moment later', async () => {
  const cluster = new Cluster(checkOptions({ brokers: ['a:1'] }))
  let attempts = 0
  const made = cluster.until(performance.now() + 5_000, async () => {
    if (++attempts < 3) throw new BrokerFault('too-few-brokers', 'INVALID_REPLICATION_FACTOR')
    return 'made'
  })
  await expect(made).resolves.toBe('made')
  cluster.close()
})

it('a start whose last attempt has no time for an answer fails with what was answered before', async () => {
  const cluster = new Cluster(checkOptions({ brokers: ['a:1'] }))
  let attempts = 0
  const made = cluster.until(performance.now() + 300, async () => {
    if (++attempts === 1) throw new BrokerFault('too-few-brokers', 'INVALID_REPLICATION_FACTOR')
    await new Promise(() => undefined)
  })
  await expect(made).rejects.toMatchObject({ kind: 'too-few-brokers' })
  expect(attempts).toBe(2)
  cluster.close()
})

it('brokers that lead nothing any more are those that nothing is expected of', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((host) => ({ host, port: 1 }))
  const view = (...leaders: readonly (typeof a)[]): TopicView => ({
    id: '1',
    partitions: 3,
    leaders: new Map([...leaders.entries()].flatMap(([index, each]) => (each === undefined ? [] : [[index, each]]))),
  })
  expect(displaced(view(a, b, a), view(b, b, c))).toEqual([a])
  expect(displaced(view(a, b, c), view(a, undefined, undefined))).toEqual([b, c])
  expect(displaced(view(a, b), view(b, a))).toEqual([])
  expect(displaced(undefined, view(a))).toEqual([])
  expect(displaced(view(a), undefined)).toEqual([])
})
