import { makeFolder, mustSkip } from '@pidmesh/dev-services'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Fixture, answerOf, describeServers, row, type SqlServer } from './servers.ts'

/** A certificate authority, and certificates of it: for `localhost`, and for another host. */
function makeCertificates(folder: string): { readonly ca: string; readonly more: readonly string[] } {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=tests', '-days', '2')
  openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=server')
  for (const [file, host] of [
    ['server.pem', 'localhost'],
    ['other.pem', 'elsewhere.example'],
  ] as const) {
    writeFileSync(join(folder, 'names'), `subjectAltName = DNS:${host}`)
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2']
    openssl('x509', '-req', '-in', 'server.csr', '-out', file, ...signed)
  }
  return {
    ca: readFileSync(join(folder, 'ca.pem'), 'utf8'),
    more: [
      `--ssl-ca=${join(folder, 'ca.pem')}`,
      `--ssl-cert=${join(folder, 'server.pem')}`,
      `--ssl-key=${join(folder, 'server.key')}`,
    ],
  }
}

function opensslMissing(): string | undefined {
  return spawnSync('openssl', ['version']).error && 'openssl is not here: it is in the Debian package openssl'
}

describe.skipIf(mustSkip(opensslMissing()))('with TLS', () => {
  describeServers('a server', withTls)
})

function withTls(server: SqlServer): void {
  const fixture = new Fixture(server)
  let made: ReturnType<typeof makeFolder>
  let ca: string

  beforeAll(async () => {
    made = makeFolder('certificates')
    const certificates = makeCertificates(made.folder)
    ca = certificates.ca
    await fixture.start(certificates)
    await fixture.admin.query("ALTER USER 'pidmesh'@'127.0.0.1' REQUIRE SSL")
  })

  afterEach(async () => {
    fixture.service.resume()
    await fixture.stopStores()
  })

  afterAll(async () => {
    await fixture.stop()
    made.remove()
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
    copyFileSync(join(made.folder, 'other.pem'), join(made.folder, 'server.pem'))
    await fixture.admin.query(server.reloadTls)
    await expect(fixture.store({ ...where('localhost'), ssl: { ca } }).start()).rejects.toMatchObject(refused)
  })
}
