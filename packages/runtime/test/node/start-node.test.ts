/**
 * Nodes on the real clock, over real gRPC.
 */
import { createServer, type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { handler, startNode, type Node, type NodeOptions } from '@pidmesh/runtime'
import { afterEach, describe, expect, it } from 'vitest'

const running: Node[] = []

async function start(name: string, more: Partial<NodeOptions> = {}): Promise<Node> {
  const node = await startNode({ name: `${name}@127.0.0.1`, cookie: 'secret cookie', logLevel: 'silent', ...more })
  running.push(node)
  return node
}

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop()
})

const thrown = new Error('hostile')
const hostile: ProxyHandler<object> = {
  get: () => {
    throw thrown
  },
  has: () => {
    throw thrown
  },
  ownKeys: () => {
    throw thrown
  },
}
const hostileObject = (): object => new Proxy({}, hostile)
const hostileList = (): object => new Proxy(['127.0.0.1:1'], hostile)
const hostileFunction = (): object => new Proxy(() => undefined, hostile)

describe('startNode', () => {
  it('nodes find each other by a seed, and messages and requests pass between them', async () => {
    const a = await start('a')
    const b = await start('b', { seeds: [a.address] })
    expect(b.nodes()).toEqual([a.name])
    await expect.poll(() => a.nodes()).toEqual([b.name])
    const echo = b.spawn(
      handler((self) => (message) => {
        const { replyTo, value } = message as { replyTo: Parameters<typeof self.send>[0]; value: unknown }
        self.send(replyTo, value)
      }),
    )
    const value = { text: 'grüße', list: [1, 2n, new Date(0)] }
    expect(await a.request(echo, (replyTo) => ({ replyTo, value }), 5_000)).toEqual({ type: 'reply', value })
  })

  it('a node shows no cookie, whoever shows or logs it, or a process of it', async () => {
    const node = await start('a', { cookie: ['secret cookie', 'former cookie'] })
    const shown = [node, node.self].map((one) => inspect(one, { depth: 20, showHidden: true, getters: true })).join()
    expect(shown).toContain('a@127.0.0.1')
    expect(shown).not.toMatch(/secret cookie|former cookie/)
  })

  it.each([
    ['the end of a line behind it, as in a file', 'secret cookie\n'],
    ['a blank before it', ' secret cookie'],
    ['nothing but blanks', '        '],
    ['one of a list', ['secret cookie', 'former cookie\r\n'] as const],
  ])('a cookie with white space around it is refused, and not shown: %s', async (_what, cookie) => {
    const error = await start('a', { cookie }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'ERR_BAD_OPTION',
      message: 'cookie begins or ends with white space, as the text of a file may: give it without, by trim()',
    })
  })

  it('a seed that is not there yet is dialed until it is', async () => {
    const placeholder = createServer()
    await new Promise<void>((resolve) => placeholder.listen(0, '127.0.0.1', resolve))
    const { port } = placeholder.address() as AddressInfo
    await new Promise((resolve) => placeholder.close(resolve))
    const early = await start('early', { seeds: [`127.0.0.1:${port}`] })
    expect(early.nodes()).toEqual([])
    const late = await start('late', { port })
    await expect.poll(() => early.nodes(), { timeout: 15_000 }).toEqual([late.name])
  })

  it('a busy port, a wrong cookie and a name that is running each fail the start with a code and one line', async () => {
    const a = await start('a')
    const port = Number(a.address.split(':')[1])
    await expect(start('b', { port })).rejects.toMatchObject({
      code: 'ERR_PORT_IN_USE',
      message: expect.stringContaining(String(port)),
    })
    await expect(start('b', { seeds: [a.address], cookie: 'another cookie' })).rejects.toMatchObject({
      code: 'ERR_BAD_COOKIE',
    })
    await expect(start('a', { seeds: [a.address] })).rejects.toMatchObject({ code: 'ERR_DUPLICATE_NODE' })
    expect(a.nodes()).toEqual([])
  })

  it.each([
    ['a name without a host', { name: 'chat1' }, 'ERR_BAD_NODE_NAME'],
    ['a short cookie', { cookie: 'short' }, 'ERR_BAD_OPTION'],
    ['an unknown option', { prot: 7001 }, 'ERR_BAD_OPTION'],
    ['an impossible port', { port: 70_000 }, 'ERR_BAD_OPTION'],
    ['a seed without a port', { seeds: ['127.0.0.1'] }, 'ERR_BAD_OPTION'],
    ['a name whose host is no host', { name: 'a@x:y', bindHost: '127.0.0.1' }, 'ERR_BAD_OPTION'],
    ['an address of another machine without saying that it is meant', { name: 'a@10.1.2.3' }, 'ERR_INSECURE_BIND'],
    ['seeds that are no list', { seeds: '127.0.0.1:1' }, 'ERR_BAD_OPTION'],
    ['a logger that is none', { logger: {} }, 'ERR_BAD_OPTION'],
    ['a bind to all addresses without saying that it is meant', { bindHost: '0.0.0.0' }, 'ERR_INSECURE_BIND'],
  ])('%s is refused before anything is started', async (_what, wrong, code) => {
    await expect(start('a', wrong as never)).rejects.toMatchObject({ code })
  })

  it.each(['cookie', 'seeds', 'discovery', 'tls', 'mailbox', 'propagation', 'logger', 'port'])(
    'options whose %s throws when it is looked at are refused with a code',
    async (option) => {
      const refused = { code: 'ERR_BAD_OPTION', message: expect.not.stringContaining('hostile') }
      for (const hostile of [hostileObject(), hostileList(), hostileFunction()])
        await expect(start('a', { [option]: hostile })).rejects.toMatchObject(refused)
    },
  )

  it('seeds are what they were when they were checked', async () => {
    const a = await start('a')
    const seeds: string[] = []
    const b = startNode({ name: 'b@127.0.0.1', cookie: 'secret cookie', logLevel: 'silent', seeds })
    seeds.push(a.address)
    running.push(await b)
    expect(a.nodes()).toEqual([])
  })

  it('something that is not a node, on a seed address, is no node and does no harm', async () => {
    const junk = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.write('220 mail.example ESMTP\r\n')
    })
    await new Promise<void>((resolve) => junk.listen(0, '127.0.0.1', resolve))
    const a = await start('a', { seeds: [`127.0.0.1:${(junk.address() as AddressInfo).port}`] })
    expect(a.nodes()).toEqual([])
    await a.stop()
    junk.close()
  })

  it('after stop nothing can be started on the node, and a second stop is the same stop', async () => {
    const a = await start('a')
    const first = a.stop()
    expect(a.stop()).toBe(first)
    await first
    expect(() => a.spawn(() => undefined)).toThrowError(expect.objectContaining({ code: 'ERR_NODE_STOPPED' }))
    expect(() => a.send(a.self.pid, 1)).toThrowError(expect.objectContaining({ code: 'ERR_NODE_STOPPED' }))
  })
})
