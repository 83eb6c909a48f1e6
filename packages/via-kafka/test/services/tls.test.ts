/**
 * Kafka over TLS: who is trusted, who comes, and what is said if either side does not speak it.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  makeCertificates,
  mustSkip,
  opensslMissing,
  startKafka,
  type Certificates,
  type KafkaTlsFiles,
  type KafkaTlsPorts,
} from '@pidmesh/dev-services'
import { afterAll, describe, expect, it } from 'vitest'
import type { KafkaTopicOptions } from '../../src/index.ts'
import { TestBroker, failure, text } from './broker.ts'

/** What a failure may take beyond its time, on a machine that is busy. */
const SLACK_MS = 1_500

const WANTED = {
  broker: { names: 'DNS:localhost' },
  client: { names: 'DNS:localhost' },
  stranger: { names: 'DNS:localhost', by: 'other' },
} as const

/** What a broker wants of them: its certificate and its key in one file. */
function brokerFiles({ folder, path, read }: Certificates<keyof typeof WANTED>): KafkaTlsFiles {
  const keystore = join(folder, 'keystore.pem')
  writeFileSync(keystore, read('broker.key') + read('broker.pem'))
  return { keystore, truststore: path('ca.pem') }
}

describe.skipIf(mustSkip(opensslMissing()))('a connection by TLS', () => {
  /** Once there is a broker. */
  let made: Certificates<keyof typeof WANTED> | undefined
  const read = (file: Parameters<Certificates<keyof typeof WANTED>['read']>[0]): string => made?.read(file) ?? ''
  const ca = (): string => read('ca.pem')
  const broker = new TestBroker(async () => {
    made = makeCertificates(WANTED)
    return [await startKafka({ tls: brokerFiles(made) })]
  })
  afterAll(() => made?.remove())

  function at(port: keyof KafkaTlsPorts, host = 'localhost'): readonly string[] {
    return [`${host}:${broker.kafka.tls?.[port]}`]
  }

  /** A message comes, so everything that is asked of a broker goes. */
  async function expectWorks(options: Partial<KafkaTopicOptions>): Promise<void> {
    const { topic, got } = await broker.start(broker.newTopic(), options)
    await topic.publish('a', text('one'))
    await expect.poll(() => got).toEqual(['one'])
  }

  /** And nothing that is said, or shown of the driver, has in it what is nobody's. */
  async function expectFails(options: Partial<KafkaTopicOptions>, code: string, problem: string): Promise<void> {
    const topic = broker.make({ topic: broker.newTopic(), timeoutMs: 1_000, ...options })
    const { error, ms } = await failure(topic.start(() => undefined))
    expect(error).toMatchObject({ code, message: expect.stringContaining(problem) })
    expect(ms).toBeLessThan(1_000 + SLACK_MS)
    const all = { depth: Infinity, showHidden: true }
    expect(`${inspect(error, all)} ${inspect(topic, all)} ${JSON.stringify(topic)}`).not.toMatch(/BEGIN|password/)
  }

  it('works with a broker that is signed by the authority that is given', () => {
    return expectWorks({ brokers: at('open'), tls: { ca: ca() } })
  })

  it('works with a broker that wants to know who comes, if that is said', () => {
    const [cert, key] = [read('client.pem'), read('client.key')]
    return expectWorks({ brokers: at('mutual'), tls: { ca: ca(), cert, key } })
  })

  it.each(['PLAIN', 'SCRAM-SHA-256'] as const)('works with a login by %s', (mechanism) => {
    return expectWorks({ brokers: at('sasl'), tls: { ca: ca() }, sasl: { mechanism, ...broker.kafka.user } })
  })

  it.each([
    ['nobody else is trusted than by Node.js', () => true as const],
    ['another authority is trusted', () => ({ ca: read('other.pem') })],
  ])('is refused if %s', (_, tls) =>
    expectFails({ brokers: at('open'), tls: tls() }, 'ERR_STORE_UNFIT', 'no certificate that is trusted'),
  )

  it('is refused if the certificate is for another host', () => {
    const brokers = at('open', '127.0.0.1')
    return expectFails({ brokers, tls: { ca: ca() } }, 'ERR_STORE_UNFIT', 'ERR_TLS_CERT_ALTNAME_INVALID')
  })

  it.each([
    ['nothing', () => ({})],
    [
      'a certificate of somebody whom the broker does not trust',
      () => ({ cert: read('stranger.pem'), key: read('stranger.key') }),
    ],
  ])('is refused by a broker that wants to know who comes, and is shown %s', (_, shown) => {
    return expectFails(
      { brokers: at('mutual'), tls: { ca: ca(), ...shown() } },
      'ERR_STORE_UNFIT',
      'wants a certificate',
    )
  })

  it('is asked for if there is none, and the broker wants it', () =>
    expectFails({ brokers: at('open') }, 'ERR_STORE_UNFIT', 'requires TLS'))

  it('is not made with a broker that speaks none', () =>
    expectFails(
      { brokers: [broker.kafka.bootstrap], tls: { ca: ca() } },
      'ERR_STORE_UNAVAILABLE',
      'is TLS as they want it',
    ))

  it('does not make a login right that is wrong', () =>
    expectFails(
      {
        brokers: at('sasl'),
        tls: { ca: ca() },
        sasl: { mechanism: 'SCRAM-SHA-256', username: 'nobody', password: 'the-password' },
      },
      'ERR_STORE_UNFIT',
      'SASL_AUTHENTICATION_FAILED',
    ))
})
