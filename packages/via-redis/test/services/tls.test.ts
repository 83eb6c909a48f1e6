/**
 * Redis over TLS: who is trusted, and who is not.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  freePort,
  makeFolder,
  mustSkip,
  redisMissing,
  redisTlsMissing,
  startRedis,
  type RedisService,
} from '@pidmesh/dev-services'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisLocations, RedisPubSub, type RedisTls } from '../../src/index.ts'
import { expectRejects, row, text } from './redis.ts'

const TIMEOUT_MS = 2_000

function opensslMissing(): string | undefined {
  return spawnSync('openssl', ['version']).error && 'openssl is not here: it is in the Debian package openssl'
}

interface Certificates {
  readonly ca: string
  /** Of an authority that nobody knows. */
  readonly otherCa: string
  /** Of who comes. */
  readonly cert: string
  readonly key: string
}

/** An authority, another one, and a certificate of the first for `localhost` and 127.0.0.1. */
function makeCertificates(folder: string): Certificates {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const name of ['ca', 'other'])
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
    )
  for (const [name, names] of [
    ['server', 'DNS:localhost,IP:127.0.0.1'],
    ['elsewhere', 'DNS:elsewhere.example'],
  ] as const) {
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    writeFileSync(join(folder, 'names'), `subjectAltName = ${names}`)
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2']
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signed)
  }
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  return { ca: read('ca.pem'), otherCa: read('other.pem'), cert: read('server.pem'), key: read('server.key') }
}

const isMissing = mustSkip(redisMissing() ?? redisTlsMissing() ?? opensslMissing())

describe.skipIf(isMissing)('Redis over TLS', () => {
  let made: ReturnType<typeof makeFolder>
  let certificates: Certificates
  const services: RedisService[] = []
  const started: { stop(): Promise<void> }[] = []

  beforeAll(() => {
    made = makeFolder('certificates')
    certificates = makeCertificates(made.folder)
  })
  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop()))
    await Promise.all(services.splice(0).map((one) => one.stop()))
  })
  afterAll(() => made.remove())

  /** @returns the port over TLS */
  async function startTls(name: 'server' | 'elsewhere', ...more: readonly string[]): Promise<number> {
    const port = await freePort()
    const file = (kind: string): string => join(made.folder, kind)
    const files = ['--tls-cert-file', file(`${name}.pem`), '--tls-key-file', file(`${name}.key`)]
    const args = ['--tls-port', `${port}`, ...files, '--tls-ca-cert-file', file('ca.pem'), ...more]
    services.push(await startRedis({ args }))
    return port
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
