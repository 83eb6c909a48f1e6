/**
 * Nodes over mutual TLS, with the certificates that `pidmesh certs` makes: real connections.
 */
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { connect as connectTls, createServer } from 'node:tls'
import { nodeName, startNode, type Node, type NodeOptions, type TlsOptions, type TransportKind } from '@pidmesh/runtime'
import { MemoryLogger } from '@pidmesh/runtime/testing'
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createAuthority, createCertificate, type KeyPair, type Validity } from '../src/certificates.ts'

const now: Validity = { from: new Date() }
let authority: KeyPair

beforeAll(async () => {
  authority = await createAuthority(now)
})

async function tlsOf(name: string, { by = authority, validity = now } = {}): Promise<TlsOptions> {
  const { certificate, privateKey } = await createCertificate(nodeName(`${name}@127.0.0.1`), by, validity)
  return { ca: authority.certificate, certificate, privateKey }
}

const running: Node[] = []

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop()
})

async function startAny(name: string, more: Partial<NodeOptions>): Promise<Node> {
  const node = await startNode({ name: `${name}@127.0.0.1`, cookie: 'secret cookie', logLevel: 'silent', ...more })
  running.push(node)
  return node
}

/** What a node says of connections that come to nothing. */
function detailsOf({ lines }: MemoryLogger): readonly unknown[] {
  return lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields['detail'])
}

/** The one that dials has tried several times, and neither has ever seen the other. */
async function expectKeptOut(near: Node, far: Node, log: MemoryLogger): Promise<void> {
  const failures = (): number => log.lines.filter((line) => line.message === 'dial failed').length
  await expect.poll(failures, { timeout: 15_000 }).toBeGreaterThanOrEqual(3)
  expect(log.lines.filter((line) => line.message === 'node up')).toEqual([])
  expect([near.nodes(), far.nodes()]).toEqual([[], []])
}

describe.each<TransportKind>(['grpc', 'tcp'])('with tls, over %s,', (transport) => {
  const start = (name: string, more: Partial<NodeOptions>): Promise<Node> => startAny(name, { transport, ...more })

  it('nodes connect whose certificates one authority has signed, and talk', async () => {
    const a = await start('a', { tls: await tlsOf('a') })
    const b = await start('b', { tls: await tlsOf('b'), seeds: [a.address] })
    await expect.poll(() => [a.nodes(), b.nodes()], { timeout: 15_000 }).toEqual([[b.name], [a.name]])
    const got = new Promise((resolve) => {
      a.spawn(async (self) => resolve(await self.receive()), { name: 'ear' })
    })
    b.send({ name: 'ear', node: a.name }, { over: 'tls' })
    expect(await got).toEqual({ over: 'tls' })
  })

  it.each([
    ['the old one first', (old: KeyPair, other: KeyPair) => old.certificate + other.certificate],
    ['the new one first', (old: KeyPair, other: KeyPair) => other.certificate + old.certificate],
  ])('nodes of two authorities connect if all trust both, %s', async (_what, bundle) => {
    const other = await createAuthority(now)
    const ca = bundle(authority, other)
    const a = await start('a', { tls: { ...(await tlsOf('a')), ca } })
    const b = await start('b', { tls: { ...(await tlsOf('b', { by: other })), ca }, seeds: [a.address] })
    const c = await start('c', { tls: { ...(await tlsOf('c')), ca }, seeds: [b.address] })
    await expect
      .poll(() => [a, b, c].map((node) => node.nodes().toSorted()), { timeout: 15_000 })
      .toEqual([
        [b.name, c.name],
        [a.name, c.name],
        [a.name, b.name],
      ])
  })

  it('a node that shows the certificate of another is refused, on whichever side it is, though it knows the cookie', async () => {
    const a = await start('a', { tls: await tlsOf('a') })
    const failed = start('impostor', { tls: await tlsOf('b'), seeds: [a.address] })
    await expect(failed).rejects.toMatchObject({ code: 'ERR_BAD_CERTIFICATE' })
    const listening = await start('impostor', { tls: await tlsOf('b') })
    const dialing = start('c', { tls: await tlsOf('c'), seeds: [listening.address] })
    await expect(dialing).rejects.toMatchObject({ code: 'ERR_BAD_CERTIFICATE' })
    expect(a.nodes()).toEqual([])
  })

  it('a node whose certificate is for another says so in its log, and one whose is its own does not', async () => {
    const [good, bad] = [new MemoryLogger(), new MemoryLogger()]
    await start('a', { tls: await tlsOf('a'), logger: good })
    await start('impostor', { tls: await tlsOf('b'), logger: bad })
    const warnings = ({ lines }: MemoryLogger): readonly string[] =>
      lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
    expect(warnings(bad)).toEqual([expect.stringContaining('the certificate of this node is not for it')])
    expect(warnings(good)).toEqual([])
  })

  it.each<[string, number, string]>([
    ['has expired', -3, 'the certificate of this node has expired'],
    ['is not valid yet', 3, 'the certificate of this node is not valid yet'],
  ])('a node whose certificate %s says so in its log, and of each authority, too', async (what, days, said) => {
    const then: Validity = { from: new Date(Date.now() + days * 86_400_000), days: 1 }
    const log = new MemoryLogger()
    const [first, last] = [await createAuthority(then), await createAuthority(then)]
    const own = await tlsOf('a', { validity: then })
    await start('a', { tls: { ...own, ca: first.certificate + own.ca + last.certificate }, logger: log })
    const warnings = log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
    const saidOfAuthority = expect.stringContaining(`an authority in ca ${what}`)
    expect(warnings).toEqual([expect.stringContaining(said), saidOfAuthority, saidOfAuthority])
  })

  it.each<[string, () => Promise<Partial<NodeOptions>>]>([
    ['a certificate of another authority', async () => ({ tls: await tlsOf('b', { by: await createAuthority(now) }) })],
    [
      'a certificate that is out of date',
      async () => ({ tls: await tlsOf('b', { validity: { from: new Date(Date.now() - 3 * 86_400_000), days: 1 } }) }),
    ],
    ['no TLS at all', async () => ({})],
  ])('a node with %s is kept out, whoever dials', async (_what, options) => {
    const a = await start('a', { tls: await tlsOf('a') })
    const log = new MemoryLogger()
    const b = await start('b', { ...(await options()), seeds: [a.address], logger: log })
    await expectKeptOut(a, b, log)
    await a.stop()
    const logOfC = new MemoryLogger()
    const c = await start('c', { tls: await tlsOf('c'), seeds: [b.address], logger: logOfC })
    await expectKeptOut(c, b, logOfC)
  })

  it('who refuses a certificate says in its log why, on whichever side it is, and who was refused that this may be so', async () => {
    const [near, far] = [new MemoryLogger(), new MemoryLogger()]
    const expired = await tlsOf('b', { validity: { from: new Date(Date.now() - 3 * 86_400_000), days: 1 } })
    const a = await start('a', { tls: await tlsOf('a'), logger: near })
    const b = await start('b', { tls: expired, seeds: [a.address], logger: far })
    await expect.poll(() => detailsOf(near)).toContain('the certificate of the other side is refused: CERT_HAS_EXPIRED')
    await expect
      .poll(() => detailsOf(far))
      .toContainEqual(expect.stringContaining('it may have refused the certificate of this node'))
    const nearest = new MemoryLogger()
    await start('c', { tls: await tlsOf('c'), seeds: [b.address], logger: nearest })
    await expect.poll(() => detailsOf(nearest)).toContain('certificate has expired')
    await expect
      .poll(() => detailsOf(far))
      .toContainEqual(expect.stringContaining('the other side may have refused the certificate of this node'))
  })

  it('of a program whose certificate counts, and that says something else than a node does, a node says so, and nothing of certificates', async () => {
    const log = new MemoryLogger()
    const a = await start('a', { tls: await tlsOf('a'), logger: log })
    const { ca, certificate: cert, privateKey: key } = await tlsOf('b')
    const port = Number(a.address.slice(a.address.lastIndexOf(':') + 1))
    const program = connectTls({ host: '127.0.0.1', port, ca, cert, key, checkServerIdentity: () => undefined })
    program.on('error', () => undefined)
    await once(program, 'secureConnect')
    program.write('GET / HTTP/1.1\r\n\r\n')
    // What the server says first comes when it has seen the certificate.
    await Promise.race([once(program, 'session'), once(program, 'close')])
    program.end()
    await expect
      .poll(() => detailsOf(log), { timeout: 10_000 })
      .toEqual(['TLS was made, and what was said on it is nothing of a node'])
  })

  it('a node that dials takes no older TLS than 1.3', async () => {
    const { ca, certificate: cert, privateKey: key } = await tlsOf('a')
    const outcomes: unknown[] = []
    const options = { ca, cert, key, requestCert: true, ALPNProtocols: ['h2'], maxVersion: 'TLSv1.2' } as const
    const server = createServer(options, (socket) => {
      outcomes.push(socket.getProtocol())
      socket.destroy()
    })
    server.on('tlsClientError', (error: NodeJS.ErrnoException) => outcomes.push(error.code))
    server.listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    await start('b', { tls: await tlsOf('b'), seeds: [`127.0.0.1:${(server.address() as AddressInfo).port}`] })
    await expect.poll(() => outcomes).toContain('ERR_SSL_UNSUPPORTED_PROTOCOL')
    expect(outcomes).not.toContain('TLSv1.2')
  })

  it('a node that listens takes no older TLS than 1.3', async () => {
    const a = await start('a', { tls: await tlsOf('a') })
    const { ca, certificate: cert, privateKey: key } = await tlsOf('b')
    const program = connectTls({
      host: '127.0.0.1',
      port: Number(a.address.slice(a.address.lastIndexOf(':') + 1)),
      ca,
      cert,
      key,
      maxVersion: 'TLSv1.2',
      ALPNProtocols: [transport === 'grpc' ? 'h2' : 'pidmesh-tcp'],
      checkServerIdentity: () => undefined,
    })
    onTestFinished(() => void program.destroy())
    const outcome = await once(program, 'secureConnect').then(
      () => program.getProtocol(),
      (error: NodeJS.ErrnoException) => error.code,
    )
    expect(outcome).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  })

  it('a node that meets one without TLS says that there is none', async () => {
    const log = new MemoryLogger()
    const a = await start('a', { tls: await tlsOf('a'), logger: log })
    await start('b', { seeds: [a.address] })
    await expect.poll(() => detailsOf(log)).toContain('no TLS connection: wrong version number')
  })
})

it.each([
  ['grpc', 'tcp'],
  ['tcp', 'grpc'],
] as const)(
  'a node of %s that dials one of %s says that the transport is another, and nothing of certificates; so does that',
  async (own, others) => {
    const [near, far] = [new MemoryLogger(), new MemoryLogger()]
    const b = await startAny('b', { transport: others, tls: await tlsOf('b'), logger: far })
    await startAny('a', { transport: own, tls: await tlsOf('a'), seeds: [b.address], logger: near })
    await expect.poll(() => near.lines.filter(({ message }) => message === 'dial failed').length).toBeGreaterThan(0)
    await expect.poll(() => detailsOf(far)).toEqual(['no TLS connection: no application protocol'])
    const said = near.lines.flatMap(({ fields }) => ('detail' in fields ? [fields['detail']] : []))
    expect(new Set(said)).toEqual(new Set(['the transport is another there, over TLS']))
  },
)

it('a program with a certificate that cuts the connection off before it has said anything harms no node that speaks TCP', async () => {
  const options = await tlsOf('b')
  const a = await startAny('a', { tls: await tlsOf('a'), transport: 'tcp' })
  const port = Number(a.address.slice(a.address.lastIndexOf(':') + 1))
  const { ca, certificate: cert, privateKey: key } = options
  for (let time = 0; time < 20; time++) {
    const raw = connect(port, '127.0.0.1')
    const program = connectTls({ socket: raw, ca, cert, key, checkServerIdentity: () => undefined })
    program.on('error', () => undefined)
    await once(program, 'secureConnect')
    // What the server says first comes when it has seen the certificate.
    await Promise.race([once(program, 'session'), once(program, 'close')])
    raw.resetAndDestroy()
  }
  const b = await startAny('b', { tls: options, transport: 'tcp', seeds: [a.address] })
  await expect.poll(() => b.nodes(), { timeout: 15_000 }).toEqual([a.name])
})

describe('the option tls', () => {
  it.each<[string, (good: TlsOptions) => unknown]>([
    ['no certificates', (good) => ({ ...good, certificate: 'nothing' })],
    ['no authority', ({ certificate, privateKey }) => ({ certificate, privateKey })],
    ['an authority that is none', (good) => ({ ...good, ca: '' })],
    ['the key of another', (good) => ({ ...good, privateKey: authority.privateKey })],
    ['an option that it has not', (good) => ({ ...good, passphrase: 'x' })],
    ['a Buffer for a text', (good) => ({ ...good, certificate: Buffer.from(good.certificate) })],
    ['null', () => null],
  ])('with %s is ERR_BAD_OPTION, and shows nothing of a key', async (_what, make) => {
    const good = await tlsOf('a')
    const failure = await startAny('a', { tls: make(good) as TlsOptions }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ERR_BAD_OPTION' })
    expect(String((failure as Error).stack)).not.toContain(good.privateKey.split('\n')[1])
  })

  it.each<[string, (good: TlsOptions) => Partial<TlsOptions>, string]>([
    ['a path for ca', () => ({ ca: 'certs/ca.pem' }), 'ca must be a text in PEM form'],
    ['a path for certificate', () => ({ certificate: '/certs/a.pem' }), 'certificate must be a text in PEM form'],
    ['a path for privateKey', () => ({ privateKey: '/certs/a-key.pem' }), 'privateKey must be a text in PEM form'],
    ['a key for ca', ({ privateKey }) => ({ ca: privateKey }), 'ca must be one certificate or several'],
    ['half of a bundle', ({ ca }) => ({ ca: ca + ca.slice(0, 100) }), 'ca must be one certificate or several'],
    [
      'a bundle without a line break between',
      ({ ca }) => ({ ca: ca.trimEnd() + ca }),
      'ca must be one certificate or several',
    ],
    ['a key for certificate', ({ privateKey }) => ({ certificate: privateKey }), 'certificate must be a certificate'],
    ['a certificate for privateKey', ({ ca }) => ({ privateKey: ca }), 'privateKey must be a private key'],
    ['the key of another', () => ({ privateKey: authority.privateKey }), 'privateKey is not the key of certificate'],
  ])('says of %s which part is wrong, and shows nothing of it', async (_what, make, problem) => {
    const good = await tlsOf('a')
    const wrong = make(good)
    const failure = await startAny('a', { tls: { ...good, ...wrong } }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ERR_BAD_OPTION', message: expect.stringContaining(`tls: ${problem}`) })
    for (const text of Object.values(wrong))
      expect(String((failure as Error).stack)).not.toContain(text.split('\n')[1] ?? text)
  })
})
