import { rootCertificates, type ConnectionOptions as TlsOptions } from 'node:tls'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { KafkaTopic, type KafkaTopicOptions } from '../src/index.ts'
import { checkOptions, parseAddress } from '../src/options.ts'

const brokers = ['localhost:9092']
const [CERTIFICATE = '', OTHER = ''] = rootCertificates

function thrownBy(what: () => unknown): unknown {
  try {
    return what()
  } catch (error) {
    return error
  }
}

describe('options of a KafkaTopic', () => {
  it('have defaults for all but the brokers', () => {
    expect(checkOptions({ brokers })).toEqual({
      brokers: [{ host: 'localhost', port: 9092 }],
      topic: 'pidmesh',
      createTopic: true,
      partitions: 4,
      replicas: undefined,
      acks: 1,
      timeoutMs: 5_000,
      lingerMs: 0,
      maxWaitingBytes: 16 * 1024 * 1024,
      clientId: 'pidmesh',
      sasl: undefined,
      tls: undefined,
    })
  })

  const wrong: readonly (readonly [string, unknown])[] = [
    ['options', undefined],
    ['brokers', {}],
    ['brokers', { brokers: [] }],
    ['brokers', { brokers: 'localhost:9092' }],
    ['host:port', { brokers: ['localhost'] }],
    ['host:port', { brokers: [9092] }],
    ['topic', { brokers, topic: '' }],
    ['topic', { brokers, topic: '..' }],
    ['topic', { brokers, topic: 'a b' }],
    ['topic', { brokers, topic: 'a'.repeat(250) }],
    ['clientId', { brokers, clientId: '' }],
    ['createTopic', { brokers, createTopic: 'no' }],
    ['partitions', { brokers, partitions: 0 }],
    ['partitions', { brokers, partitions: 1.5 }],
    ['replicas', { brokers, replicas: 2 ** 15 }],
    ['acks', { brokers, acks: 0 }],
    ['timeoutMs', { brokers, timeoutMs: 0 }],
    ['timeoutMs', { brokers, timeoutMs: Infinity }],
    ['lingerMs', { brokers, lingerMs: -1 }],
    ['maxWaitingBytes', { brokers, maxWaitingBytes: '1' }],
    ['sasl', { brokers, sasl: 'PLAIN' }],
    ['sasl.mechanism', { brokers, sasl: { mechanism: 'GSSAPI', username: 'a', password: 'b' } }],
    ['sasl.username', { brokers, sasl: { mechanism: 'PLAIN', password: 'b' } }],
    ['sasl.password', { brokers, sasl: { mechanism: 'PLAIN', username: 'a', password: '' } }],
    ['tls', { brokers, tls: 'yes' }],
    ['tls', { brokers, tls: [] }],
    ['tls has no option "caa"', { brokers, tls: { caa: 'x' } }],
    ['tls has no option "rejectUnauthorised"', { brokers, tls: { rejectUnauthorised: false } }],
    ['sasl has no option user', { brokers, sasl: { mechanism: 'PLAIN', user: 'a', password: 'b' } }],
    ['timeout', { brokers, timeout: 5 }],
  ]

  it.each(wrong)('that are wrong are refused where they are given: %s of %j', (name, options) => {
    expect(() => new KafkaTopic(options as KafkaTopicOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_OPTION', message: expect.stringContaining(name) }),
    )
  })

  it.each([
    ['tls.ca', 'an empty text', { ca: '' }],
    ['tls.ca', 'another text', { ca: 'no certificate' }],
    ['tls.ca', 'one that is none beside one', { ca: [CERTIFICATE, Buffer.from('no certificate')] }],
    ['tls.ca', 'one that is broken after one', { ca: `${CERTIFICATE}\n${CERTIFICATE.slice(0, 99)}` }],
    ['tls.cert and tls.key', 'a certificate alone', { cert: CERTIFICATE }],
    ['tls.cert and tls.key', 'a key alone', { key: 'a key' }],
    ['tls.cert and tls.key', 'a key that is none', { cert: CERTIFICATE, key: 'no key' }],
  ])('that are wrong are refused where they are given: %s, with %s', (name, _, tls) => {
    expect(() => checkOptions({ brokers, tls })).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_OPTION', message: expect.stringContaining(name) }),
    )
  })

  it.each([
    [false, undefined],
    [true, {}],
    [{ ca: `${CERTIFICATE}\n${OTHER}\n` }, { ca: `${CERTIFICATE}\n${OTHER}\n` }],
    [{ ca: [Buffer.from(CERTIFICATE)] }, { ca: [Buffer.from(CERTIFICATE)] }],
    [{ servername: 'localhost' }, { servername: 'localhost' }],
    [
      { minVersion: 'TLSv1.3', family: 4 },
      { minVersion: 'TLSv1.3', family: 4 },
    ],
  ])('are those of Node.js for tls: %#', (tls, taken) => {
    expect(checkOptions({ brokers, tls: tls as TlsOptions }).tls).toEqual(taken)
  })

  it('are not shown by who shows the driver', () => {
    const sasl = { mechanism: 'PLAIN', username: 'the-username', password: 'the-password' } as const
    const topic = new KafkaTopic({ brokers, sasl, tls: { ca: CERTIFICATE } })
    const shown = inspect(topic, { depth: Infinity, showHidden: true }) + JSON.stringify(topic)
    expect(shown).not.toMatch(/the-username|the-password|BEGIN/)
  })

  it('that are wrong are not repeated if they are credentials', () => {
    const sasl = { mechanism: 'the-password', username: 'the-username', password: 'the-password' }
    expect(() => checkOptions({ brokers, sasl: sasl as never })).toThrow(/^sasl\.mechanism must be one of [A-Z\d, -]+$/)
    const key = '-----BEGIN PRIVATE KEY-----\nthe-key\n-----END PRIVATE KEY-----'
    const error = thrownBy(() => checkOptions({ brokers, tls: { cert: CERTIFICATE, key } }))
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('the-key')
  })
})

describe('the address of a broker', () => {
  it.each([
    ['kafka-1.example.org:9092', { host: 'kafka-1.example.org', port: 9092 }],
    ['127.0.0.1:1', { host: '127.0.0.1', port: 1 }],
    ['[::1]:65535', { host: '::1', port: 65_535 }],
    ['::1:9092', undefined],
    ['host:0', undefined],
    ['host:65536', undefined],
    [':9092', undefined],
    ['kafka://host:9092', undefined],
    ['user@host', undefined],
  ])('is a host and a port: %s', (given, address) => {
    expect(parseAddress(given)).toEqual(address)
  })
})
