import { makeCertificates, mustSkip, opensslMissing, type Certificates } from '@pidmesh/dev-services'
import { copyFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Fixture, answerOf, describeServers, row, type SqlServer } from './servers.ts'

const WANTED = { server: { names: 'DNS:localhost' }, elsewhere: { names: 'DNS:elsewhere.example' } } as const

describe.skipIf(mustSkip(opensslMissing()))('with TLS', () => {
  describeServers('a server', withTls)
})

function withTls(server: SqlServer): void {
  const fixture = new Fixture(server)
  let certificates: Certificates<keyof typeof WANTED>
  let ca: string

  beforeAll(async () => {
    certificates = makeCertificates(WANTED)
    ca = certificates.read('ca.pem')
    const { path } = certificates
    const more = [`--ssl-ca=${path('ca.pem')}`, `--ssl-cert=${path('server.pem')}`, `--ssl-key=${path('server.key')}`]
    await fixture.start({ more })
    await fixture.admin.query("ALTER USER 'pidmesh'@'127.0.0.1' REQUIRE SSL")
  })

  afterEach(async () => {
    fixture.service.resume()
    await fixture.stopStores()
  })

  afterAll(async () => {
    await fixture.stop()
    certificates.remove()
  })

  function where(host: string): { host: string; port: number; user: string; password: string; database: string } {
    const { port, username, password } = new URL(fixture.service.url)
    return { host, port: Number(port), user: username, password, database: 'pidmesh' }
  }

  it('a server whose certificate is for its host, and signed by whom we trust, is used', async () => {
    const store = await fixture.startStore({ ...where('localhost'), ssl: { ca } })
    expect(await store.put([row('a', '1')])).toEqual([true])
  })

  it('any server is taken by who says so', async () => {
    const store = await fixture.startStore({ ...where('127.0.0.1'), ssl: { allowAnyServer: true } })
    expect(await store.put([row('a', '1')])).toEqual([true])
  })

  it('a server that wants TLS refuses who has none', async () => {
    await expect(fixture.store(where('127.0.0.1')).start()).rejects.toMatchObject({ code: 'ERR_STORE_UNFIT' })
  })

  it('a server that stands still is left in time, and no socket stays', async () => {
    const store = await fixture.startStore({ ...where('localhost'), ssl: { ca }, timeoutMs: 1_000 })
    const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length
    // That of the administrator is one of them.
    await expect.poll(sockets).toBe(2)
    fixture.service.pause()
    await expect(store.find(['a'])).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    await expect.poll(sockets).toBe(1)
    fixture.service.resume()
    expect(await answerOf(() => store.find(['a']))).toEqual([undefined])
  })

  it('a server that anybody may have signed, or that is for another host, is refused', async () => {
    const refused = { code: 'ERR_STORE_UNFIT', message: expect.stringContaining('HANDSHAKE_SSL_ERROR') }
    await expect(fixture.store({ ...where('localhost'), ssl: true }).start()).rejects.toMatchObject(refused)
    for (const kind of ['pem', 'key'] as const)
      copyFileSync(certificates.path(`elsewhere.${kind}`), certificates.path(`server.${kind}`))
    await fixture.admin.query(server.reloadTls)
    await expect(fixture.store({ ...where('localhost'), ssl: { ca } }).start()).rejects.toMatchObject(refused)
  })
}
