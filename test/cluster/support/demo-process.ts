// The demo's programs as processes of the operating system: the launcher of a whole cluster, or chat nodes one by one.
//
// Whatever a test starts here has ended when the test has, also when it failed. All of it has a pipe as its standard input, unless a
// test wants otherwise: if the test's own process dies, they end with it.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from '@pidmesh/dev-services'

import { onTestFinished } from 'vitest'

import { until } from './until.ts'

export const HOST = '127.0.0.1'

const DIST = fileURLToPath(new URL('../../../apps/demo/dist', import.meta.url))

/** The launcher kills after 3 s what has not ended by then. */
const END_WITHIN_MS = 6000

export type Program = 'cluster.js' | 'chat-node.js'

export type StartOptions = {
  /** A pipe, or a file descriptor. @default 'pipe' */
  stdin?: 'pipe' | number
  env?: Readonly<Record<string, string | undefined>>
  /** In a process group of its own, as from a shell: what a terminal's Ctrl-C reaches. */
  ownGroup?: boolean
}

export type DemoNode = { name: string; url: string; pid: number }

export class DemoProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** Its exit code, or the signal that ended it; after every process that has its output has ended as well. */
  readonly ended: Promise<number | NodeJS.Signals>
  stdout = ''
  stderr = ''
  hasEnded = false

  constructor(program: Program, args: readonly string[], { stdin = 'pipe', env = {}, ownGroup }: StartOptions = {}) {
    const script = join(DIST, program)
    if (!existsSync(script)) throw new Error('apps/demo is not built: pnpm build')
    this.child = spawn(process.execPath, [script, ...args], {
      stdio: [stdin, 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      detached: ownGroup === true,
    })
    this.child.stdin?.on('error', () => undefined)
    this.child.stdout?.on('data', (data: Buffer) => (this.stdout += data.toString()))
    this.child.stderr?.on('data', (data: Buffer) => (this.stderr += data.toString()))
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (code, signal) => {
        this.hasEnded = true
        resolve(code ?? signal ?? 'SIGKILL')
      })
    })
    this.ended.catch(() => undefined)
    const { pid } = this.child
    if (pid === undefined) throw new Error(`${program} could not be started`)
    this.pid = pid
    onTestFinished(() => this.end())
  }

  /** The nodes that its banner tells of. */
  get nodes(): readonly DemoNode[] {
    const rows = [...this.stdout.matchAll(/^ {2}(\S+@\S+) {3}(http:\S+) {3}pid (\d+)$/gm)]
    return rows.map(([, name = '', url = '', pid]) => ({ name, url, pid: Number(pid) }))
  }

  /** Ends it, in order if that works. */
  async end(): Promise<void> {
    if (this.hasEnded) return
    this.child.stdin?.end()
    this.child.kill('SIGTERM')
    try {
      await until(`the end of process ${this.pid}`, () => this.hasEnded, { withinMs: END_WITHIN_MS })
    } finally {
      for (const pid of [this.pid, ...this.nodes.map((node) => node.pid)]) {
        if (!this.hasEnded && isRunning(pid)) process.kill(pid, 'SIGKILL')
      }
    }
  }
}

/** `pnpm demo`'s launcher, up: three nodes on free ports, unless `args` say otherwise. */
export async function startLauncher(args: readonly string[] = [], options?: StartOptions): Promise<DemoProcess> {
  const launcher = new DemoProcess('cluster.js', ['--port', '0', '--mesh-port', '0', ...args], options)
  await until('the banner', () => launcher.stdout.includes('Ctrl-C ends everything') || launcher.hasEnded, {
    withinMs: 30_000,
  })
  if (launcher.hasEnded) throw new Error(`the launcher has ended: ${launcher.stderr}`)
  return launcher
}

export type Cluster = {
  cookie: string
  nodes: readonly DemoNode[]
  meshAddresses: readonly string[]
  processes: readonly DemoProcess[]
}

/** Chat nodes without a launcher, for tests that need to know the cookie and the mesh's addresses. */
export async function startNodes(count: number): Promise<Cluster> {
  const cookie = randomBytes(16).toString('hex')
  const ports = await freePorts(2 * count)
  const meshPorts = ports.slice(count)
  const meshAddresses = meshPorts.map((port) => `${HOST}:${port}`)
  const nodes: DemoNode[] = []
  const processes: DemoProcess[] = []
  for (const [i, meshPort] of meshPorts.entries()) {
    const name = `chat${i + 1}@${HOST}`
    const started = startNode({ name, port: ports[i] ?? 0, meshPort, cookie, seeds: meshAddresses })
    processes.push(started)
    nodes.push({ name, url: `http://${HOST}:${ports[i]}`, pid: started.pid })
  }
  for (const [i, started] of processes.entries()) {
    await until(`${nodes[i]?.name} is up`, () => started.stdout.includes(' is at ') || started.hasEnded)
    if (started.hasEnded) throw new Error(`${nodes[i]?.name} has ended: ${started.stderr}`)
  }
  return { cookie, nodes, meshAddresses, processes }
}

export type ChatNodeArgs = {
  name: string
  port: number
  meshPort: number
  /** None at all when undefined. */
  cookie: string | undefined
  seeds?: readonly string[]
}

export function startNode({ name, port, meshPort, cookie, seeds = [] }: ChatNodeArgs): DemoProcess {
  const args = ['--name', name, '--port', String(port), '--mesh-port', String(meshPort)]
  return new DemoProcess('chat-node.js', [...args, ...seeds.flatMap((seed) => ['--seed', seed])], {
    env: { PIDMESH_COOKIE: cookie },
  })
}

/** A port that is in use until the test ends. */
export async function busyPort(): Promise<number> {
  const { port, letGo } = await listen()
  onTestFinished(letGo)
  return port
}

function listen(): Promise<{ port: number; letGo: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', reject)
    server.listen(0, HOST, () => {
      const letGo = (): Promise<void> => new Promise((done) => server.close(() => done()))
      resolve({ port: (server.address() as AddressInfo).port, letGo })
    })
  })
}

/** Whether there is such a process. One that has ended and that its parent has not asked for (in a container: often nobody) is none. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    // The state stands behind the command's name, which is in brackets.
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    // It has ended between the two looks, or there is no /proc here.
    return !existsSync('/proc/self/stat')
  }
}
