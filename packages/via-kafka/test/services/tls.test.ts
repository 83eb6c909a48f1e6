/**
 * Kafka over TLS: who is trusted, who comes, and what is said if either side does not speak it.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { makeFolder, mustSkip, startKafka, type KafkaTlsFiles, type KafkaTlsPorts } from '@pidmesh/dev-services'
import { afterAll, describe, expect, it } from 'vitest'
import type { KafkaTopicOptions } from '../../src/index.ts'
import { TestBroker, failure, text } from './broker.ts'

/** What a failure may take beyond its time, on a machine that is busy. */
const SLACK_MS = 1_500

interface Certificates {
  readonly ca: string
  /** Of an authority that nobody knows. */
  readonly otherCa: string
  /** Of who comes. */
  readonly cert: string
  readonly key: string
  /** Of who comes, signed by the authority that nobody knows. */
  readonly otherCert: string
  readonly broker: KafkaTlsFiles
}

/** An authority, another one, and certificates of them: for a broker at `localhost`, and for who comes. */
function makeCertificates(folder: string): Certificates {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const name of ['ca', 'other']) {
    const made = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '2']
    openssl('req', '-x509', ...newKey, ...made)
  }
  writeFileSync(join(folder, 'names'), 'subjectAltName = DNS:localhost')
  for (const name of ['broker', 'client'])
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
  for (const [name, ca, out] of [
    ['broker', 'ca', 'broker.pem'],
    ['client', 'ca', 'client.pem'],
    ['client', 'other', 'stranger.pem'],
  ] as const) {
    const signed = ['-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-extfile', 'names', '-days', '2']
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', out, ...signed)
  }
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  writeFileSync(join(folder, 'keystore.pem'), read('broker.key') + read('broker.pem'))
  return {
    ca: read('ca.pem'),
    otherCa: read('other.pem'),
    cert: read('client.pem'),
    key: read('client.key'),
    otherCert: read('stranger.pem'),
    broker: { keystore: join(folder, 'keystore.pem'), truststore: join(folder, 'ca.pem') },
  }
}

function opensslMissing(): string | undefined {
  return spawnSync('openssl', ['version']).error && 'openssl is not here: it is in the Debian package openssl'
}

describe.skipIf(mustSkip(opensslMissing()))('a connection by TLS', () => {
  let made: ReturnType<typeof makeFolder> | undefined
  let certificates: Certificates
  const broker = new TestBroker(async () => {
    made = makeFolder('certificates')
    certificates = makeCertificates(made.folder)
    return [await startKafka({ tls: certificates.broker })]
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
    const { ca } = certificates
    return expectWorks({ brokers: at('open'), tls: { ca } })
  })

  it('works with a broker that wants to know who comes, if that is said', () => {
    const { ca, cert, key } = certificates
    return expectWorks({ brokers: at('mutual'), tls: { ca, cert, key } })
  })

  it.each(['PLAIN', 'SCRAM-SHA-256'] as const)('works with a login by %s', (mechanism) => {
    const { ca } = certificates
    return expectWorks({ brokers: at('sasl'), tls: { ca }, sasl: { mechanism, ...broker.kafka.user } })
  })

  it.each([
    ['nobody else is trusted than by Node.js', () => true as const],
    ['another authority is trusted', () => ({ ca: certificates.otherCa })],
  ])('is refused if %s', (_, tls) =>
    expectFails({ brokers: at('open'), tls: tls() }, 'ERR_STORE_UNFIT', 'no certificate that is trusted'),
  )

  it('is refused if the certificate is for another host', () => {
    const { ca } = certificates
    const brokers = at('open', '127.0.0.1')
    return expectFails({ brokers, tls: { ca } }, 'ERR_STORE_UNFIT', 'ERR_TLS_CERT_ALTNAME_INVALID')
  })

  it.each([
    ['nothing', () => ({})],
    [
      'a certificate of somebody whom the broker does not trust',
      () => ({ cert: certificates.otherCert, key: certificates.key }),
    ],
  ])('is refused by a broker that wants to know who comes, and is shown %s', (_, shown) => {
    const { ca } = certificates
    return expectFails({ brokers: at('mutual'), tls: { ca, ...shown() } }, 'ERR_STORE_UNFIT', 'wants a certificate')
  })

  it('is asked for if there is none, and the broker wants it', () =>
    expectFails({ brokers: at('open') }, 'ERR_STORE_UNFIT', 'requires TLS'))

  it('is not made with a broker that speaks none', () =>
    expectFails(
      { brokers: [broker.kafka.bootstrap], tls: { ca: certificates.ca } },
      'ERR_STORE_UNAVAILABLE',
      'is TLS as they want it',
    ))

  it('does not make a login right that is wrong', () =>
    expectFails(
      {
        brokers: at('sasl'),
        tls: { ca: certificates.ca },
        sasl: { mechanism: 'SCRAM-SHA-256', username: 'nobody', password: 'the-password' },
      },
      'ERR_STORE_UNFIT',
      'SASL_AUTHENTICATION_FAILED',
    ))
})
