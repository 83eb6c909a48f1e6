import { inspect } from 'node:util'
import { rootCertificates } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { RedisLocations, RedisPubSub } from '../src/index.ts'
import { checkLocationsOptions, checkPubSubOptions } from '../src/options.ts'

const url = 'redis://host'
/** Any certificate will do. */
const [CA = ''] = rootCertificates

function thrown(make: () => unknown): { code?: string; message: string; cause?: unknown } {
  try {
    make()
  } catch (error) {
    return error as Error
  }
  return expect.fail('it has thrown nothing')
}

describe('the options', () => {
  it('have defaults', () => {
    const place = {
      type: 'one',
      server: { host: 'host', port: 6_379, tls: false, username: undefined, password: undefined, database: 0 },
    }
    expect(checkLocationsOptions({ url })).toEqual({ place, prefix: 'pidmesh:', timeoutMs: 2_000, ttlMs: 30_000 })
    const pubSub = { place, prefix: 'pidmesh:', timeoutMs: 2_000, channels: 'each', sharded: false }
    expect(checkPubSubOptions({ url })).toEqual(pubSub)
  })

  it('that are undefined are as if they were not given', () => {
    const more = { tls: undefined, prefix: undefined, timeoutMs: undefined }
    expect(checkLocationsOptions({ url, cluster: undefined, sentinel: undefined, ...more, ttlMs: undefined })).toEqual(
      checkLocationsOptions({ url }),
    )
    expect(
      checkPubSubOptions({ cluster: [url], url: undefined, ...more, channels: undefined, sharded: undefined }),
    ).toEqual(checkPubSubOptions({ cluster: [url] }))
    const unset = { username: undefined, password: undefined, database: undefined, tls: undefined }
    const sentinel = { name: 'main', urls: [url] }
    expect(checkPubSubOptions({ sentinel: { ...sentinel, ...unset } })).toEqual(checkPubSubOptions({ sentinel }))
    const tls = { ca: undefined, cert: undefined, key: undefined }
    expect(checkLocationsOptions({ url: 'rediss://host', tls })).toMatchObject({ ttlMs: 30_000 })
  })

  it('read a URL with all that it may have', () => {
    const { place } = checkLocationsOptions({ url: 'rediss://us%40er:p%3Ass@[::1]:7000/3' })
    const server = { host: '::1', port: 7_000, tls: true, username: 'us@er', password: 'p:ss', database: 3 }
    expect(place).toEqual({ type: 'one', server })
  })

  it('take an authority of one’s own wherever TLS is spoken', () => {
    const tls = { ca: CA }
    const sentinel = { name: 'main', urls: [url] }
    for (const place of [
      { url: 'rediss://host' },
      { cluster: ['rediss://host'] },
      { sentinel: { ...sentinel, tls: true } },
      { sentinel: { ...sentinel, urls: ['rediss://host'] } },
    ])
      expect(checkLocationsOptions({ ...place, tls }).tls).toEqual(tls)
    for (const place of [{ url }, { cluster: [url] }, { sentinel }])
      expect(thrown(() => checkLocationsOptions({ ...place, tls }))).toMatchObject({ code: 'ERR_BAD_OPTION' })
  })

  it('are what they were when they were checked, whatever becomes of what was given', () => {
    for (const check of [checkLocationsOptions, checkPubSubOptions]) {
      const given = { cluster: ['rediss://host'], tls: { ca: CA } }
      const settings = check(given)
      const before = structuredClone(settings)
      given.cluster[0] = 'redis://other'
      given.tls.ca = 'no certificate'
      expect(settings).toEqual(before)
    }
  })

  it('take user and password of the first node of a cluster for all', () => {
    const { place } = checkLocationsOptions({ cluster: ['rediss://u:p@a:1', 'rediss://b:2'] })
    const access = { tls: true, username: 'u', password: 'p', database: 0 }
    const roots = [
      { host: 'a', port: 1, ...access },
      { host: 'b', port: 2, ...access },
    ]
    expect(place).toEqual({ type: 'cluster', roots })
  })

  it('take what the sentinels want from their URLs, and what the servers want beside them', () => {
    const sentinel = { name: 'main', urls: ['redis://:s@a'], password: 'p', database: 2, tls: true }
    expect(checkLocationsOptions({ sentinel }).place).toEqual({
      type: 'sentinel',
      name: 'main',
      sentinels: [{ host: 'a', port: 26_379, tls: false, username: undefined, password: 's', database: 0 }],
      access: { tls: true, username: undefined, password: 'p', database: 2 },
    })
  })

  it.each([
    [{}],
    [{ url, cluster: [url] }],
    [{ url: 'http://host' }],
    [{ url: 'host:6379' }],
    [{ url: 'redis://host/first' }],
    [{ url: 'redis://host/-1' }],
    [{ url: 7 }],
    [{ url: 'redis://host/1e1' }],
    [{ url: 'redis://host:0' }],
    [{ url: 'redis://host/0?password=x' }],
    [{ url: 'redis://host/0#x' }],
    [{ url: 'redis://us%ZZ@host' }],
    [{ cluster: [] }],
    [{ cluster: url }],
    [{ cluster: [url, 'nothing'] }],
    [{ cluster: ['redis://host/1'] }],
    [{ cluster: ['redis://host', 'rediss://host:2'] }],
    [{ sentinel: { urls: [url] } }],
    [{ sentinel: { name: 'main', urls: [] } }],
    [{ sentinel: { name: 'main', urls: [url], password: 1 } }],
    [{ sentinel: { name: 'main', urls: [url], tls: 'yes' } }],
    [{ sentinel: { name: 'main', urls: [url], database: 1.5 } }],
    [{ sentinel: { name: 'main', urls: [url], other: 1 } }],
    [{ sentinel: null }],
    [{ url, tls: { ca: CA } }],
    [{ url: 'rediss://host', tls: true }],
    [{ url: 'rediss://host', tls: null }],
    [{ url: 'rediss://host', tls: { ca: 'no certificate' } }],
    [{ url: 'rediss://host', tls: { ca: 7 } }],
    [{ url: 'rediss://host', tls: { cert: CA } }],
    [{ url: 'rediss://host', tls: { cert: CA, key: 'no key' } }],
    [{ url: 'rediss://host', tls: { rejectUnauthorized: false } }],
    [{ url: 'rediss://host', tls: { caa: 'x' } }],
    [{ url, prefix: 1 }],
    [{ url, prefix: '\uD83D' }],
    [{ url, timeoutMs: 0 }],
    [{ url, timeoutMs: '1' }],
    [{ url, timeoutMs: 2 ** 31 }],
    [{ url, timeout: 1 }],
    [null],
  ])('%j are refused by both', (options) => {
    const bad = options as unknown as { url: string }
    expect(thrown(() => new RedisLocations(bad))).toMatchObject({ code: 'ERR_BAD_OPTION' })
    expect(thrown(() => new RedisPubSub(bad))).toMatchObject({ code: 'ERR_BAD_OPTION' })
  })

  it.each([[{ ttlMs: 0 }], [{ ttlMs: NaN }], [{ ttlMs: 1.5 }], [{ channels: 'each' }]])(
    '%j are refused by RedisLocations',
    (options) => {
      const bad = { url, ...options } as unknown as { url: string }
      expect(thrown(() => new RedisLocations(bad))).toMatchObject({ code: 'ERR_BAD_OPTION' })
    },
  )

  it.each([[{ channels: 'one' }], [{ sharded: 1 }], [{ ttlMs: 1_000 }]])('%j are refused by RedisPubSub', (options) => {
    const bad = { url, ...options } as unknown as { url: string }
    expect(thrown(() => new RedisPubSub(bad))).toMatchObject({ code: 'ERR_BAD_OPTION' })
  })

  it.each(['http://u:secret@host', 'redis://u:secret@', 'redis://u:secret@host:x', 'redis://u:secret%ZZ@host'])(
    'a password is not told, whatever else is wrong: %s',
    (bad) => {
      for (const options of [{ url: bad }, { cluster: [bad] }, { sentinel: { name: 'main', urls: [bad] } }]) {
        const { code, message, cause } = thrown(() => new RedisLocations(options))
        expect(code).toBe('ERR_BAD_OPTION')
        expect(message).not.toMatch(/secret/)
        expect(cause).toBeUndefined()
      }
    },
  )

  it.each([
    'redis://u:secret@host',
    ['redis://u:secret@host'],
    { url: ['redis://u:secret@host'] },
    { url, prefix: ['secret'] },
    { url, timeoutMs: 'secret' },
    { sentinel: { name: ['secret'], urls: [url] } },
    { sentinel: { name: 'main', urls: [url], tls: 'secret' } },
  ])('what is given in the wrong place is not told, as it may be a secret: %j', (options) => {
    for (const Driver of [RedisLocations, RedisPubSub]) {
      const { code, message } = thrown(() => new Driver(options as unknown as { url: string }))
      expect(code).toBe('ERR_BAD_OPTION')
      expect(message).not.toMatch(/secret/)
    }
  })

  it('a driver shows neither its password nor its key, however it is shown', () => {
    const drivers = [
      new RedisLocations({ url: 'redis://u:secret@host' }),
      new RedisPubSub({ url: 'redis://u:secret@host' }),
    ]
    for (const driver of drivers) {
      expect(JSON.stringify(driver)).not.toMatch(/secret/)
      expect(inspect(driver, { depth: Infinity, showHidden: true })).not.toMatch(/secret/)
    }
  })

  it.each([
    [[]],
    [{ cert: '', key: '' }],
    [{ cert: null, key: null }],
    [{ ca: '' }],
    [{ ca: ['-----BEGIN CERTIFICATE-----'] }],
  ])('tls is texts, none of them empty: %j', (tls) => {
    const { code } = thrown(() => new RedisLocations({ url: 'rediss://host', tls: tls as never }))
    expect(code).toBe('ERR_BAD_OPTION')
  })

  it('say whether listeners are counted: of one channel for all they are not, nor by a cluster without sharded channels', () => {
    const counts = [
      new RedisPubSub({ url }),
      new RedisPubSub({ url, sharded: true }),
      new RedisPubSub({ url, channels: 'shared' }),
      new RedisPubSub({ cluster: [url] }),
      new RedisPubSub({ cluster: [url], sharded: true }),
    ].map(({ countsListeners }) => countsListeners)
    expect(counts).toEqual([true, true, false, false, true])
  })
})

it('a place is one of three: the compiler refuses none and two', () => {
  // @ts-expect-error -- nowhere
  expect(() => checkLocationsOptions({})).toThrow('takes one of url')
  // @ts-expect-error -- two places
  expect(() => checkLocationsOptions({ url: 'redis://a', cluster: ['redis://b'] })).toThrow('takes one of url')
})
