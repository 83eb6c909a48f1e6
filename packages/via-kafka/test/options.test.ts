import { describe, expect, it } from 'vitest'
import { KafkaTopic, type KafkaTopicOptions } from '../src/index.ts'
import { checkOptions, parseAddress } from '../src/options.ts'

const brokers = ['localhost:9092']

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
    ['timeout', { brokers, timeout: 5 }],
  ]

  it.each(wrong)('that are wrong are refused where they are given: %s of %j', (name, options) => {
    expect(() => new KafkaTopic(options as KafkaTopicOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_OPTION', message: expect.stringContaining(name) }),
    )
  })

  it('that are wrong are not repeated if they are credentials', () => {
    const sasl = { mechanism: 'the-password', username: 'the-username', password: 'the-password' }
    expect(() => checkOptions({ brokers, sasl: sasl as never })).toThrow(/^sasl\.mechanism must be one of [A-Z\d, -]+$/)
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
