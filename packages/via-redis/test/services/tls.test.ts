/**
 * Redis over TLS: who is trusted, and who is not.
 */
import { startRedis, type RedisService } from '@pidmesh/dev-services'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisLocations, RedisPubSub, type RedisTls } from '../../src/index.ts'
import { hasNoTls, makeRedisCertificates, type RedisCertificates, type Signed } from './certificates.ts'
import { expectRejects, row, text } from './redis.ts'

const TIMEOUT_MS = 2_000

describe.skipIf(hasNoTls())('Redis over TLS', () => {
  let certificates: RedisCertificates
  const services: RedisService[] = []
  const started: { stop(): Promise<void> }[] = []

  beforeAll(() => {
    certificates = makeRedisCertificates()
  })
  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop()))
    await Promise.all(services.splice(0).map((one) => one.stop()))
  })
  afterAll(() => certificates.remove())

  /** @returns the port */
  async function startTls(name: Signed, ...args: readonly string[]): Promise<number> {
    const service = await startRedis({ tls: certificates.filesOf(name), args })
    services.push(service)
    return service.port
  }

  const ANYBODY = ['--tls-auth-clients', 'no']

  function locations(url: string, tls?: RedisTls): RedisLocations {
    const store = new RedisLocations({ url, timeoutMs: TIMEOUT_MS, ...(tls && { tls }) })
    started.push(store)
    return store
  }

  function pubSub(url: string, tls?: RedisTls): RedisPubSub {
    const broker = new RedisPubSub({ url, timeoutMs: TIMEOUT_MS, ...(tls && { tls }) })
    started.push(broker)
    return broker
  }

  async function expectRefused(url: string, tls: RedisTls | undefined, problem: string): Promise<void> {
    const starts = [() => locations(url, tls).start(), () => pubSub(url, tls).start(() => undefined)]
    for (const start of starts)
      expect((await expectRejects(start(), 'ERR_STORE_UNFIT', TIMEOUT_MS)).message).toContain(problem)
  }

  it.each(['localhost', '127.0.0.1'])(
    'whoever is signed by the authority that is given is used, as %s',
    async (host) => {
      const url = `rediss://${host}:${await startTls('server', ...ANYBODY)}`
      const { ca } = certificates
      const store = locations(url, { ca })
      await store.start()
      expect(await store.put([row('a', 'one')])).toEqual([true])
      expect((await store.find(['a'])).map(text)).toEqual(['of one'])
      const got: (string | undefined)[] = []
      const broker = pubSub(url, { ca })
      await broker.start((bytes) => got.push(text(bytes)))
      await broker.listen('a')
      expect(await broker.publish('a', Buffer.from('x'))).toBe(1)
      await expect.poll(() => got).toEqual(['x'])
    },
  )

  it('whoever is signed by somebody else is refused, and what is missing is said', async () => {
    const url = `rediss://localhost:${await startTls('server', ...ANYBODY)}`
    await expectRefused(url, undefined, 'no certificate that is trusted')
    await expectRefused(url, { ca: certificates.otherCa }, 'no certificate that is trusted')
  })

  it('a certificate for another host is refused', async () => {
    const url = `rediss://localhost:${await startTls('elsewhere', ...ANYBODY)}`
    await expectRefused(url, { ca: certificates.ca }, 'ERR_TLS_CERT_ALTNAME_INVALID')
  })

  it('a server that wants to know who comes takes who says it, and nobody else', async () => {
    const url = `rediss://localhost:${await startTls('server')}`
    const { ca, cert, key } = certificates
    const store = locations(url, { ca, cert, key })
    await store.start()
    expect(await store.put([row('a', 'one')])).toEqual([true])
    await expectRefused(url, { ca }, 'wants a certificate')
  })

  it('a server that is not spoken to over TLS hangs up, and what to look at is said', async () => {
    const url = `redis://localhost:${await startTls('server', ...ANYBODY)}`
    for (const start of [() => locations(url).start(), () => pubSub(url).start(() => undefined)]) {
      const { message } = await expectRejects(start(), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
      expect(message).toContain("can't be reached: ECONNRESET. Is TLS as it wants it?")
    }
  })

  it('a server that stands still is left in time, no socket stays, and it works again when it goes on', async () => {
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((what) => /^(TCPSocketWrap|TCPConnectWrap|TLSWrap)$/.test(what)).length
    const before = sockets()
    const url = `rediss://localhost:${await startTls('server', ...ANYBODY)}`
    const { ca } = certificates
    const store = locations(url, { ca })
    await store.start()
    expect(sockets()).toBeGreaterThan(before)
    const [service] = services
    service?.pause()
    try {
      await expectRejects(store.find(['a']), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
      await expectRejects(locations(url, { ca }).start(), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
      await expect.poll(sockets).toBe(before)
    } finally {
      service?.resume()
    }
    await expect.poll(() => store.find(['a']).catch(() => 'fails')).toEqual([undefined])
  })
})
