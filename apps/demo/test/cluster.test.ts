// PURPOSE: the launcher leaves no process behind, whatever ends it, and its exit codes are what --help says.
// The built launcher runs as a process of its own, beside a fake chat-node.js: what is tested is the operating system's part.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'

vi.setConfig({ testTimeout: 20_000 })

const dist = fileURLToPath(new URL('../dist', import.meta.url))
const fakeNode = fileURLToPath(new URL('fixtures/fake-node.js', import.meta.url))

let dir: string

beforeAll(() => {
  if (!existsSync(join(dist, 'cluster.js'))) throw new Error('apps/demo is not built: pnpm build')
  dir = mkdtempSync(join(tmpdir(), 'pidmesh-cluster-'))
  cpSync(dist, dir, { recursive: true, filter: (path) => !path.startsWith(join(dist, 'page')) })
  cpSync(fakeNode, join(dir, 'chat-node.js'))
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

type LauncherOptions = { fake?: string; stdin?: 'pipe' | number; nodeOptions?: string }

class Launcher {
  readonly child: ChildProcess
  readonly ended: Promise<number | NodeJS.Signals | null>
  output = ''
  errors = ''
  #changed = (): void => undefined

  constructor(args: string, { fake = '', stdin = 'pipe', nodeOptions = '' }: LauncherOptions = {}) {
    this.child = spawn(process.execPath, [join(dir, 'cluster.js'), ...args.split(' ').filter(Boolean)], {
      stdio: [stdin, 'pipe', 'pipe'],
      env: { ...process.env, FAKE_NODE: fake, NODE_OPTIONS: nodeOptions },
    })
    this.child.stdout?.on('data', (data: Buffer) => {
      this.output += data.toString()
      this.#changed()
    })
    this.child.stderr?.on('data', (data: Buffer) => {
      this.errors += data.toString()
    })
    this.ended = new Promise((resolve) => {
      // `close`, not `exit`: every process that has its output has ended then.
      this.child.once('close', (code, signal) => resolve(code ?? signal))
    })
    onTestFinished(() => {
      for (const pid of [this.child.pid, ...this.pids])
        if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL')
    })
  }

  async until(text: string): Promise<this> {
    while (!this.output.includes(text)) await new Promise<void>((resolve) => (this.#changed = resolve))
    return this
  }

  up(): Promise<this> {
    return this.until('Ctrl-C ends everything')
  }

  get pids(): number[] {
    return [...this.output.matchAll(/^chat\d pid (\d+)/gm)].map((match) => Number(match[1]))
  }

  get left(): number[] {
    return this.pids.filter(isAlive)
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const FREE = '--port 0 --mesh-port 0'

describe('the launcher', () => {
  it('starts every node, with one secret that differs from run to run', async () => {
    const launcher = await new Launcher(`${FREE} --nodes 4`).up()
    for (const i of [1, 2, 3, 4]) expect(launcher.output).toContain(`http://fake/chat${i}`)
    const cookies = new Set([...launcher.output.matchAll(/cookie (\S+)/g)].map((match) => match[1]))
    expect(cookies.size).toBe(1)
    const other = await new Launcher(`${FREE} --nodes 1`).up()
    expect(other.output).not.toContain(`cookie ${[...cookies][0]}`)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends every process on %s, with code 0', async (signal) => {
    const launcher = await new Launcher(FREE).up()
    launcher.child.kill(signal)
    expect(await launcher.ended).toBe(0)
    expect(launcher.pids).toHaveLength(3)
    expect(launcher.left).toEqual([])
  })

  it('ends every process when standard input closes', async () => {
    const launcher = await new Launcher(FREE).up()
    launcher.child.stdin?.end()
    expect(await launcher.ended).toBe(0)
    expect(launcher.left).toEqual([])
  })

  it('runs with /dev/null as its standard input', async () => {
    const launcher = await new Launcher(FREE, { stdin: openSync('/dev/null', 'r') }).up()
    expect(launcher.left).toHaveLength(3)
    launcher.child.kill('SIGTERM')
    expect(await launcher.ended).toBe(0)
  })

  it('takes its nodes along when it is killed', async () => {
    const launcher = await new Launcher(FREE).up()
    launcher.child.kill('SIGKILL')
    // That `ended` comes is the assertion. Their pids may still be there: it is not we who have to wait for orphans.
    expect(await launcher.ended).toBe('SIGKILL')
  })

  it('kills a node that neither listens nor obeys', async () => {
    const launcher = await new Launcher(FREE, { fake: 'chat2=stubborn' }).up()
    launcher.child.kill('SIGTERM')
    expect(await launcher.ended).toBe(0)
    expect(launcher.left).toEqual([])
  })

  it('ends at once on a second Ctrl-C, with code 130, also while the clock of the machine is put back', async () => {
    const nodeOptions = '--import data:text/javascript,let/**/t=Date.now();Date.now=()=>(t-=1000)'
    const launcher = await new Launcher(FREE, { fake: 'chat2=stubborn', nodeOptions }).up()
    let ended: number | NodeJS.Signals | null | undefined
    void launcher.ended.then((code) => (ended = code))
    // One that comes too soon is taken for the first, which a package manager may have handed on.
    const again = setInterval(() => launcher.child.kill('SIGINT'), 50)
    await expect.poll(() => ended, { timeout: 10_000 }).toBeDefined()
    clearInterval(again)
    expect(ended).toBe(130)
  })

  it('goes on without a node that died, and ends with the last one', async () => {
    const launcher = await new Launcher(`${FREE} --nodes 2`).up()
    const [first = 0, second = 0] = launcher.pids
    process.kill(first, 'SIGKILL')
    await launcher.until('was ended by SIGKILL; 1 node is left')
    process.kill(second, 'SIGKILL')
    expect(await launcher.ended).toBe(1)
    expect(launcher.output).toContain('no node is left')
  })

  it("ends, adding nothing to what a node that can't start has said", async () => {
    const launcher = new Launcher(FREE, { fake: 'chat2=die' })
    expect(await launcher.ended).toBe(1)
    expect(launcher.errors).toBe("chat2 can't start\n")
    expect(launcher.output).not.toContain('Ctrl-C')
    expect(launcher.left).toEqual([])
  })

  it('starts nothing if a port is busy', async () => {
    const server = createServer()
    onTestFinished(() => void server.close())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const launcher = new Launcher(`--nodes 1 --mesh-port 0 --port ${port}`)
    expect(await launcher.ended).toBe(1)
    expect(launcher.errors).toMatch(new RegExp(`^demo: port ${port} of 127.0.0.1 is already in use; .*\n$`))
    expect(launcher.output).toBe('')
  })

  it('starts nothing if an option is bad', async () => {
    const launcher = new Launcher('--nods 3')
    expect(await launcher.ended).toBe(2)
    expect(launcher.errors).toBe("demo: unknown option '--nods' (see --help)\n")
    expect(launcher.output).toBe('')
  })
})
