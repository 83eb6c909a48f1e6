/**
 * What deploy/kubernetes says fits together, and fits the program; and the program does what the manifest expects of it, as processes that are started as pods
 * would be: with the environment that the manifest gives them, on loopback addresses, with a name server that lists them.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from '@pidmesh/dev-services'
import { isNodeName } from '@pidmesh/runtime'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'

import { DnsServer } from './support/dns-server.ts'
import { DEPLOY, environmentOf, find, podSpec, readManifest, secretAt } from './support/manifest.ts'
import { until } from './support/until.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const readme = readFileSync(new URL('README.md', DEPLOY), 'utf8')
const dockerfile = readFileSync(new URL('Dockerfile', DEPLOY), 'utf8')

const LABELS = { 'app.kubernetes.io/name': 'pidmesh' }
const PODS = ['pidmesh-0', 'pidmesh-1', 'pidmesh-2']
const SLOW = { withinMs: 30_000 }

describe('the manifest', () => {
  const [container] = podSpec().containers

  it('has what a cluster wants, each once', () => {
    expect(readManifest().map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'ConfigMap pidmesh',
      'Service pidmesh-mesh',
      'Service pidmesh',
      'StatefulSet pidmesh',
      'PodDisruptionBudget pidmesh',
      'NetworkPolicy pidmesh',
    ])
  })

  it('selects its pods everywhere by the labels that they have', () => {
    const { selector, template } = find('StatefulSet').spec
    const policy = find('NetworkPolicy').spec
    for (const labels of [
      template.metadata.labels,
      selector.matchLabels,
      find('Service').spec.selector,
      find('Service', 'pidmesh-mesh').spec.selector,
      find('PodDisruptionBudget').spec.selector.matchLabels,
      policy.podSelector.matchLabels,
      policy.ingress[0]?.from?.[0]?.podSelector.matchLabels,
    ])
      expect(labels).toEqual(LABELS)
  })

  it('names the same ports in the settings, the container, the services, the policy, the probes and the image', () => {
    const { MESH_PORT, PORT } = find('ConfigMap').data
    expect(container.ports).toEqual([
      { name: 'mesh', containerPort: Number(MESH_PORT) },
      { name: 'http', containerPort: Number(PORT) },
    ])
    expect(find('Service', 'pidmesh-mesh').spec.ports).toEqual([
      { name: 'mesh', port: Number(MESH_PORT), targetPort: 'mesh' },
    ])
    expect(find('Service').spec.ports).toEqual([{ name: 'http', port: 80, targetPort: 'http' }])
    expect(find('NetworkPolicy').spec.ingress.map(({ from, ports }) => [ports, from !== undefined])).toEqual([
      [[{ port: 'mesh' }], true],
      [[{ port: 'http' }], false],
    ])
    for (const probe of [container.readinessProbe, container.livenessProbe]) expect(probe.httpGet.port).toBe('http')
    expect(dockerfile).toContain(`EXPOSE ${MESH_PORT} ${PORT}\n`)
  })

  it('lets nodes find each other by the headless service, before they are ready', () => {
    const { serviceName } = find('StatefulSet').spec
    expect(find('Service', serviceName).spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true })
    const { DNS_NAME, NODE_NAME } = environmentOf('pidmesh-0')
    expect(DNS_NAME).toBe(`${serviceName}.default.svc.cluster.local`)
    expect(NODE_NAME).toBe(`pidmesh-0@pidmesh-0.${DNS_NAME}`)
    expect(isNodeName(NODE_NAME)).toBe(true)
  })

  it('sets what the program reads, and nothing else', () => {
    const known = new Set(read('apps/cluster-node/src/settings.ts').match(/(?<=')[A-Z]+_?[A-Z_]*(?=')/g))
    const set = new Set(Object.keys(environmentOf('pidmesh-0')))
    for (const forOthers of ['POD_NAME', 'POD_NAMESPACE']) set.delete(forOthers)
    expect(new Set([...set, 'DNS_SERVERS'])).toEqual(known)
  })

  it('gives a pod its own key and no other, for the files that its settings name', () => {
    const {
      COOKIE_FILE = '',
      TLS_CA_FILE = '',
      TLS_CERTIFICATE_FILE = '',
      TLS_KEY_FILE = '',
    } = environmentOf('pidmesh-1')
    expect(
      [COOKIE_FILE, TLS_CA_FILE, TLS_CERTIFICATE_FILE, TLS_KEY_FILE].map((path) => secretAt('pidmesh-1', path)),
    ).toEqual([
      { secret: 'pidmesh-cookie', key: 'cookie' },
      { secret: 'pidmesh-tls', key: 'ca.pem' },
      { secret: 'pidmesh-tls', key: 'pidmesh-1.pem' },
      { secret: 'pidmesh-tls', key: 'pidmesh-1-key.pem' },
    ])
    expect(podSpec().volumes.map(({ secret }) => secret.defaultMode)).toEqual([0o440, 0o440])
    for (const mount of container.volumeMounts) expect(mount.readOnly, mount.mountPath).toBe(true)
    for (const secret of ['pidmesh-cookie', 'pidmesh-tls'])
      expect(readme).toContain(`kubectl create secret generic ${secret}`)
  })

  it('gives a node time for its drain and its stop, and the drain time for the probe to fail', () => {
    const drainMs = Number(find('ConfigMap').data['DRAIN_MS'])
    const stopMs = Number(
      /STOP_WITHIN_MS = ([\d_]+)/.exec(read('apps/cluster-node/src/cluster-node.ts'))?.[1]?.replace('_', ''),
    )
    expect(podSpec().terminationGracePeriodSeconds * 1_000).toBeGreaterThan(drainMs + stopMs)
    const { periodSeconds, timeoutSeconds, failureThreshold } = container.readinessProbe
    expect(drainMs).toBeGreaterThan((periodSeconds * failureThreshold + timeoutSeconds) * 1_000)
  })

  it('lets one node at most be missing', () => {
    expect(find('PodDisruptionBudget').spec.maxUnavailable).toBe(1)
    expect(find('StatefulSet').spec.replicas).toBe(PODS.length)
  })

  it('runs the image that the README builds, not as root, on a file system that it can not write', () => {
    expect(readme).toContain(`docker build -f deploy/kubernetes/Dockerfile -t ${container.image} .`)
    expect(podSpec().securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000 })
    expect(dockerfile).toContain('USER 1000:1000\n')
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  })

  it('is of an image that is made without the keys that the documents write, which are not for git either', () => {
    const folders = `${readme}${read('docs/operations.md')}`.matchAll(/certs --out (\S+)/g)
    const keys = [...new Set([...folders].map(([, folder]) => `${folder}/ca-key.pem`))]
    expect(keys).toEqual(['certs/ca-key.pem', 'certs-new/ca-key.pem'])
    const ignored = spawnSync('git', ['check-ignore', '--no-index', ...keys], { cwd: root, encoding: 'utf8' })
    expect(ignored.stdout.trim().split('\n')).toEqual(keys)
    expect(read('deploy/kubernetes/Dockerfile.dockerignore').split('\n')).toContain('**/*.pem')
  })

  it('is of an image that is made with the tools of this repository', () => {
    const [pnpm] = /pnpm@[\d.]+/.exec(read('.ci/run')) ?? []
    expect(new Set(dockerfile.match(/pnpm@[\d.]+/g))).toEqual(new Set([pnpm]))
    expect(dockerfile).toContain('CMD ["node", "dist/cluster-node.js"]')
    expect(read('apps/cluster-node/package.json')).toContain('"node dist/cluster-node.js"')
  })
})

describe('a pod', () => {
  let mesh: Mesh

  beforeAll(async () => {
    mesh = await Mesh.make()
    return () => mesh.remove()
  })

  it('finds the others through DNS, is ready then, and leaves in order on SIGTERM; its successor has another address', async () => {
    const dns = await DnsServer.start()
    const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
    dns.set(mesh.dnsName, { type: 'A', addresses: hosts })
    // None is ready because it has waited long enough.
    const settings = { DNS_SERVERS: dns.address, JOIN_WAIT_MS: '600000' }
    const [first, second, last] = PODS.map((name, i) => mesh.start(name, hosts[i] ?? '', settings)) as [Pod, Pod, Pod]
    for (const pod of [first, second, last]) await pod.isReadyWith(2)

    const [alice, bob] = [await first.connect('alice'), await last.connect('bob')]
    const said = (text: string): unknown => ({ type: 'said', from: 'bob', text })
    // Her name may still be on its way to his node: what is sent before it is there goes to nobody.
    await until('she is heard of', () => {
      bob.socket.send(JSON.stringify({ to: 'alice', text: 'from another pod' }))
      return alice.received.length > 0
    })
    expect(alice.received[0]).toEqual(said('from another pod'))

    last.child.kill('SIGTERM')
    await until('it is not ready any more', async () => (await last.probe('readinessProbe')).status === 503, SLOW)
    // It serves on while it drains.
    expect(await last.probe('livenessProbe')).toMatchObject({ status: 200, body: { phase: 'draining', nodes: 2 } })
    bob.socket.send(JSON.stringify({ to: 'alice', text: 'goodbye' }))
    await expect.poll(() => alice.received, { timeout: 30_000 }).toContainEqual(said('goodbye'))
    expect(bob.closedWith).toBeUndefined()
    await until('it has ended', () => last.child.exitCode !== null || last.child.signalCode !== null, SLOW)
    expect([last.child.exitCode, last.child.signalCode]).toEqual([0, null])
    await expect.poll(() => bob.closedWith, { timeout: 30_000 }).toBe(1012)
    for (const pod of [first, second]) {
      await expect
        .poll(() => pod.logged('node down'), { timeout: 30_000 })
        .toEqual([expect.objectContaining({ peer: last.nodeName, reason: 'shutdown' })])
    }

    dns.set(mesh.dnsName, { type: 'A', addresses: ['127.0.0.1', '127.0.0.2', '127.0.0.4'] })
    const successor = mesh.start('pidmesh-2', '127.0.0.4', settings)
    for (const pod of [first, second, successor]) await pod.isReadyWith(2)
    expect(alice.closedWith).toBeUndefined()
  })

  it('that finds nobody is alive and not ready until it has waited long enough, and ends at once if it has never been ready', async () => {
    const dns = await DnsServer.start()
    const patient = { JOIN_WAIT_MS: '600000', DRAIN_MS: '600000' }
    const waiting = mesh.start('pidmesh-0', '127.0.0.1', { DNS_SERVERS: dns.address, ...patient })
    await until('it has asked', () => dns.questions.includes(`A ${mesh.dnsName}`), SLOW)
    await until('it is up', async () => (await waiting.probe('livenessProbe')).status === 200, SLOW)
    expect(await waiting.probe('readinessProbe')).toMatchObject({ status: 503, body: { phase: 'starting', nodes: 0 } })
    waiting.child.kill('SIGTERM')
    await until('it has ended', () => waiting.child.exitCode !== null, SLOW)
    expect(waiting.child.exitCode).toBe(0)

    const alone = mesh.start('pidmesh-0', '127.0.0.1', { DNS_SERVERS: dns.address, JOIN_WAIT_MS: '300' })
    await alone.isReadyWith(0)
  })

  it('listens for SIGTERM before it loads what takes its time, and ends at once', async () => {
    const preload = new URL('support/end-at-once.mjs', import.meta.url).href
    const pod = mesh.start('pidmesh-0', '127.0.0.1', { NODE_OPTIONS: `--import ${preload}` })
    await until('it has ended', () => pod.child.exitCode !== null || pod.child.signalCode !== null, SLOW)
    const [first, ...others] = pod.stderr.split('\n')
    expect([pod.child.exitCode, pod.child.signalCode, first]).toEqual([0, null, 'gRPC is not loaded yet'])
    expect(others.join('\n')).not.toContain('gateway is listening')
    // Newer versions of Node.js load all of it in one go, and heed the signal after that.
    if (Number.parseInt(process.versions.node) === 20) expect(others).toEqual([''])
  })

  it('with the certificate of another pod says so, and fails', async () => {
    const { TLS_CERTIFICATE_FILE = '', TLS_KEY_FILE = '' } = mesh.environment('pidmesh-2')
    const imposter = mesh.start('pidmesh-1', '127.0.0.2', { TLS_CERTIFICATE_FILE, TLS_KEY_FILE })
    await until('it has ended', () => imposter.child.exitCode !== null, SLOW)
    const line = `cluster-node: could not start: the certificate in TLS_CERTIFICATE_FILE is not for ${imposter.nodeName}\n`
    expect([imposter.child.exitCode, imposter.stderr]).toEqual([1, line])
  })

  it('with another cookie is not ready beside those that refuse it, however often, so that a rollout stops at it', async () => {
    const dns = await DnsServer.start()
    dns.set(mesh.dnsName, { type: 'A', addresses: ['127.0.0.1', '127.0.0.2'] })
    const settings = { DNS_SERVERS: dns.address, JOIN_WAIT_MS: '300' }
    const honest = mesh.start('pidmesh-0', '127.0.0.1', settings)
    await honest.isReadyWith(0)
    const stranger = mesh.start('pidmesh-1', '127.0.0.2', { ...settings, COOKIE_FILE: mesh.file('another cookie') })
    const refusals = (): number =>
      honest.logged('connection not made').filter(({ code }) => code === 'bad_cookie').length
    await until('it has been refused again', () => refusals() > 1, SLOW)
    expect(await stranger.probe('readinessProbe')).toMatchObject({ status: 503, body: { phase: 'starting', nodes: 0 } })
    expect(honest.logged('node up')).toEqual([])
  })

  it('with a certificate of another authority is not ready beside those that it can not talk with', async () => {
    const others = await Mesh.make()
    onTestFinished(() => others.remove())
    const dns = await DnsServer.start()
    dns.set(mesh.dnsName, { type: 'A', addresses: ['127.0.0.1', '127.0.0.2'] })
    const settings = { DNS_SERVERS: dns.address, JOIN_WAIT_MS: '300' }
    const honest = mesh.start('pidmesh-0', '127.0.0.1', settings)
    await honest.isReadyWith(0)
    const { TLS_CA_FILE = '', TLS_CERTIFICATE_FILE = '', TLS_KEY_FILE = '' } = others.environment('pidmesh-1')
    const stranger = mesh.start('pidmesh-1', '127.0.0.2', {
      ...settings,
      TLS_CA_FILE,
      TLS_CERTIFICATE_FILE,
      TLS_KEY_FILE,
    })
    const hint = 'what listens there does not answer as a node: are the transport and TLS the same on both sides?'
    await until('it has been refused again', () => stranger.logged(hint).length > 0, SLOW)
    expect(await stranger.probe('readinessProbe')).toMatchObject({ status: 503, body: { phase: 'starting', nodes: 0 } })
  })

  it('whose settings are wrong says which, and fails', async () => {
    const pod = mesh.start('pidmesh-0', '127.0.0.1', { DNS_NAME: '' })
    await until('it has ended', () => pod.child.exitCode !== null, SLOW)
    expect([pod.child.exitCode, pod.stderr]).toEqual([1, 'cluster-node: could not start: DNS_NAME is not set\n'])
  })
})

/** The secrets of a cluster as files, made as the README says, and its ports. */
class Mesh {
  readonly dnsName: string = environmentOf('pidmesh-0')['DNS_NAME'] ?? ''
  private readonly folder: string
  private readonly ports: { readonly MESH_PORT: string; readonly PORT: string }

  private constructor(folder: string, [mesh, http]: readonly number[]) {
    this.folder = folder
    this.ports = { MESH_PORT: String(mesh), PORT: String(http) }
  }

  static async make(): Promise<Mesh> {
    const folder = mkdtempSync(join(tmpdir(), 'pidmesh-secrets-'))
    const [tls, certs] = [join(folder, 'pidmesh-tls'), join(folder, 'certs')]
    const names = PODS.map((pod) => environmentOf(pod)['NODE_NAME'] ?? '')
    const pidmesh = fileURLToPath(new URL('packages/cli/bin/pidmesh.js', root))
    const made = spawnSync(process.execPath, [pidmesh, 'certs', '--out', certs, ...names], { encoding: 'utf8' })
    expect([made.status, made.stderr]).toEqual([0, ''])
    mkdirSync(tls)
    renameSync(join(certs, 'ca.pem'), join(tls, 'ca.pem'))
    for (const [i, pod] of PODS.entries()) {
      renameSync(join(certs, `${names[i]}.pem`), join(tls, `${pod}.pem`))
      renameSync(join(certs, `${names[i]}-key.pem`), join(tls, `${pod}-key.pem`))
    }
    const cookie = join(folder, 'pidmesh-cookie/cookie')
    mkdirSync(dirname(cookie))
    writeFileSync(cookie, 'a cookie of the mesh\n')
    return new Mesh(folder, await freePorts(2))
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** What the manifest says, but for ports, and for files that are elsewhere. */
  environment(pod: string): Readonly<Record<string, string>> {
    const environment = { ...environmentOf(pod), ...this.ports }
    const files = Object.entries(environment).flatMap(([name, path]) => {
      const found = name.endsWith('_FILE') ? secretAt(pod, path) : undefined
      return found === undefined ? [] : [[name, join(this.folder, found.secret, found.key)] as const]
    })
    return { ...environment, ...Object.fromEntries(files) }
  }

  /** A file with this text. */
  file(text: string): string {
    const path = join(mkdtempSync(join(this.folder, 'file-')), 'text')
    writeFileSync(path, text)
    return path
  }

  /** The program as the manifest starts it, until the test ends. */
  start(name: string, host: string, settings: Readonly<Record<string, string>>): Pod {
    return new Pod(host, { ...this.environment(name), BIND_HOST: host, ...settings })
  }
}

type Answer = { status: number | undefined; body: unknown }
type Client = { socket: WebSocket; received: unknown[]; closedWith: number | undefined }

class Pod {
  readonly child: ChildProcess
  readonly nodeName: string | undefined
  stderr = ''
  private readonly url: string

  constructor(host: string, environment: Readonly<Record<string, string>>) {
    this.url = `${host}:${environment['PORT']}`
    this.nodeName = environment['NODE_NAME']
    const program = fileURLToPath(new URL('apps/cluster-node/dist/cluster-node.js', root))
    // Nothing of the environment here.
    this.child = spawn(process.execPath, [program], { env: environment, stdio: ['ignore', 'ignore', 'pipe'] })
    this.child.stderr?.on('data', (data: Buffer) => (this.stderr += data.toString()))
    onTestFinished(async () => {
      const { child } = this
      child.kill('SIGKILL')
      await until('the end of a pod', () => child.exitCode !== null || child.signalCode !== null, SLOW)
    })
  }

  /** What a probe of the manifest gets; no status while nobody listens. */
  async probe(which: 'readinessProbe' | 'livenessProbe'): Promise<Answer> {
    const { path } = podSpec().containers[0][which].httpGet
    try {
      const response = await fetch(`http://${this.url}${path}`)
      return { status: response.status, body: await response.json() }
    } catch {
      return { status: undefined, body: undefined }
    }
  }

  async isReadyWith(nodes: number): Promise<void> {
    let last: unknown
    const isIt = async (): Promise<boolean> => {
      const { status, body } = await this.probe('readinessProbe')
      last = { status, body, stderr: this.stderr }
      return status === 200 && (body as { nodes: number }).nodes === nodes
    }
    await until(`${this.nodeName} is ready, with ${nodes} others`, isIt, { ...SLOW, instead: () => last })
  }

  /** The lines of its log that say so. */
  logged(message: string): readonly { readonly [key: string]: unknown }[] {
    const lines = this.stderr.split('\n').filter((line) => line.startsWith('{'))
    return lines.map((line) => JSON.parse(line) as { msg?: string }).filter(({ msg }) => msg === message)
  }

  async connect(user: string): Promise<Client> {
    const socket = new WebSocket(`ws://${this.url}/ws?user=${user}`)
    const client: Client = { socket, received: [], closedWith: undefined }
    socket.on('message', (data: Buffer) => client.received.push(JSON.parse(data.toString())))
    socket.on('close', (code) => {
      client.closedWith = code
    })
    onTestFinished(() => socket.terminate())
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    return client
  }
}
