/**
 * Nodes that find each other by a real name server, over UDP, and real connections. Each listens on the same port of a loopback address of its own, as pods do.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { freePort } from '@pidmesh/dev-services'
import { dns, startNode, type DnsOptions, type Node, type NodeOptions } from '@pidmesh/runtime'
import { MemoryLogger } from '@pidmesh/runtime/testing'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'

import { DnsServer } from './support/dns-server.ts'

const NAME = 'mesh.chat.svc.cluster.local'
const SRV = `_mesh._tcp.${NAME}`
const SOON = { timeout: 30_000 }
const running: Node[] = []

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop()
})

async function start(host: string, port: number, more: Partial<NodeOptions>): Promise<Node> {
  const node = await startNode({
    name: `node@${host}`,
    port,
    cookie: 'a shared secret',
    logLevel: 'silent',
    ...more,
  })
  running.push(node)
  return node
}

/** What a discovery by DNS finds, and what is logged of it, until the test ends. */
function watch(
  options: Pick<DnsOptions, 'servers' | 'timeoutMs'> & { readonly name?: string; readonly type?: 'SRV' },
): {
  lists: Array<readonly string[]>
  log: MemoryLogger
  end: () => void
} {
  const lists: Array<readonly string[]> = []
  const log = new MemoryLogger()
  const context = {
    clock: {
      monotonicMs: () => performance.now(),
      wallMs: () => Date.now(),
      setTimer: (delayMs: number, fire: () => void) => {
        const timer = setTimeout(fire, delayMs)
        return { cancel: () => clearTimeout(timer) }
      },
    },
    random: { bytes: (length: number) => new Uint8Array(length), fraction: () => 0.5 },
    log,
  }
  const { type, ...common } = { name: NAME, refreshMs: 100, ...options }
  const end = dns(type === undefined ? { ...common, port: 7001 } : { ...common, type }).start(
    (list) => lists.push(list),
    context,
  )
  onTestFinished(end)
  return { lists, log, end }
}

describe('nodes that ask a name server', () => {
  it('for addresses find each other, and new ones as they are listed', async () => {
    const server = await DnsServer.start()
    const port = await freePort()
    const discovery = dns({ name: NAME, port, servers: [server.address], refreshMs: 100 })
    const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
    server.set(NAME, { type: 'A', addresses: hosts.slice(0, 2) })
    const [a, b] = [await start('127.0.0.1', port, { discovery }), await start('127.0.0.2', port, { discovery })]
    await expect.poll(() => [a.nodes(), b.nodes()], SOON).toEqual([[b.name], [a.name]])
    // It asks nobody, and nobody is told of it but by the name server.
    const c = await start('127.0.0.3', port, {})
    expect(c.nodes()).toEqual([])
    server.set(NAME, { type: 'A', addresses: hosts })
    await expect.poll(() => c.nodes(), SOON).toEqual([a.name, b.name])
  })

  it('for services find each other, on ports of their own', async () => {
    const server = await DnsServer.start()
    const discovery = dns({ name: SRV, type: 'SRV', servers: [server.address], refreshMs: 100 })
    const a = await start('127.0.0.1', 0, { name: 'a@127.0.0.1', discovery })
    const b = await start('127.0.0.1', 0, { name: 'b@127.0.0.1', discovery })
    const targets = [a, b].map(({ address }) => ({ host: 'localhost', port: Number(address.split(':')[1]) }))
    server.set(SRV, { type: 'SRV', targets })
    await expect.poll(() => [a.nodes(), b.nodes()], SOON).toEqual([[b.name], [a.name]])
  })

  it('let their process end once they are stopped, a lookup that is under way included', async () => {
    const server = await DnsServer.start()
    server.set(NAME, 'silence')
    const program = fileURLToPath(new URL('support/stop-while-asking.mjs', import.meta.url))
    const child = spawn(process.execPath, [program, NAME, server.address], { stdio: ['pipe', 'ignore', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    await expect.poll(() => server.questions.length, SOON).toBe(1)
    child.stdin.end()
    // The lookup itself would take a quarter of a minute.
    await expect.poll(() => child.exitCode, { timeout: 10_000 }).toBe(0)
  })
})

describe('a lookup', () => {
  it('that fails, finds nobody or gets no answer changes nothing, and is logged when that begins and when it ends', async () => {
    const server = await DnsServer.start()
    server.set(NAME, { type: 'A', addresses: ['10.0.0.2', '10.0.0.1'] })
    const { lists, log } = watch({ servers: [server.address], timeoutMs: 250 })
    await expect.poll(() => lists.at(-1), SOON).toEqual(['10.0.0.1:7001', '10.0.0.2:7001'])
    for (const reply of ['SERVFAIL', 'silence', { type: 'A', addresses: [] }] as const) {
      const [before, asked] = [log.lines.length, server.questions.length]
      server.set(NAME, reply)
      await expect.poll(() => log.lines.length, SOON).toBe(before + 1)
      await expect.poll(() => server.questions.length, SOON).toBeGreaterThan(asked + 6)
      expect(log.lines.slice(before)).toMatchObject([
        { level: 'warn', message: 'discovery fails; what it has found stays', fields: { name: NAME, type: 'A' } },
      ])
      server.set(NAME, { type: 'A', addresses: ['10.0.0.1'] })
      await expect.poll(() => log.lines.at(-1)?.message, SOON).toBe('discovery works again')
    }
    expect(lists.every((list) => list.length > 0)).toBe(true)
    expect(lists.at(-1)).toEqual(['10.0.0.1:7001'])
  })

  it('is over before the next one begins', async () => {
    const server = await DnsServer.start()
    server.set(NAME, 'silence')
    const { log } = watch({ servers: [server.address], timeoutMs: 1_000 })
    // Asked twice within a lookup of at least two seconds: further questions are the next lookup's.
    await expect.poll(() => server.questions.length, SOON).toBe(2)
    expect(log.lines).toEqual([])
    await expect.poll(() => server.questions.length, SOON).toBe(3)
    expect(log.lines).toHaveLength(1)
  })

  it('takes as long as it is told to: one that has less time is over before one that was begun earlier', async () => {
    const server = await DnsServer.start()
    server.set(NAME, 'silence')
    const [patient, impatient] = [5_000, 250].map((timeoutMs) => watch({ servers: [server.address], timeoutMs }))
    await expect.poll(() => impatient?.log.lines, SOON).toHaveLength(1)
    expect(patient?.log.lines).toEqual([])
  })

  it('asks for IPv6 addresses where there are no others', async () => {
    const server = await DnsServer.start()
    server.set(NAME, { type: 'AAAA', addresses: ['fd00:0:0:0:0:0:0:1', 'fd00:0:0:0:0:0:0:2'] })
    const { lists } = watch({ servers: [server.address] })
    await expect.poll(() => lists.at(-1), SOON).toEqual(['[fd00::1]:7001', '[fd00::2]:7001'])
    expect(server.questions.slice(0, 2)).toEqual([`A ${NAME}`, `AAAA ${NAME}`])
  })

  it('of a name that does not exist yet is repeated until it does', async () => {
    const server = await DnsServer.start()
    const { lists, log } = watch({ servers: [server.address] })
    await expect.poll(() => server.questions.length, SOON).toBeGreaterThan(2)
    expect(log.lines).toHaveLength(1)
    server.set(NAME, { type: 'A', addresses: ['10.0.0.1'] })
    await expect.poll(() => lists.at(-1), SOON).toEqual(['10.0.0.1:7001'])
  })

  it('takes the name as it is written: no search domain is applied', async () => {
    const server = await DnsServer.start()
    const { end } = watch({ servers: [server.address], name: 'mesh' })
    await expect.poll(() => server.questions.length, SOON).toBeGreaterThan(2)
    end()
    expect(new Set(server.questions)).toEqual(new Set(['A mesh']))
  })
})
