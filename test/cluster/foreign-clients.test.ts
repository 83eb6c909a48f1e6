// PURPOSE: clients that are not ours, in another language and with nothing of ours but the protocol's text, go on with their sessions over a cut.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { GlobalEts } from '@pidmesh/global-ets'
import { startNode } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'

import { HOST } from './support/demo-process.ts'
import { Python } from './support/python.ts'

const PACKAGES = ['websockets==15.0.1', 'msgpack==1.2.4']
const program = fileURLToPath(new URL('support/gateway-client.py', import.meta.url))

type Wanted = { type: 'count'; to: number } | { type: 'bytes' } | { type: 'name' }

/** Counts from where it is, one message for each number. */
class Counter extends SocketSession<Wanted, unknown, { user: string }> {
  #count = 0

  override async handleConnect(): Promise<void> {
    await this.registerAs(`user:${this.principal.user}`)
  }

  override handleMessage(message: Wanted): void {
    switch (message.type) {
      case 'count':
        while (this.#count < message.to) this.push(++this.#count)
        return
      case 'bytes':
        this.push(Uint8Array.of(0xc0, 0xff, 0xee))
        return
      case 'name':
        this.push(`${this.principal.user} – ✓`)
    }
  }
}

async function startGateway(): Promise<Gateway<Wanted, unknown, { user: string }>> {
  const node = await startNode({ name: `foreign@${HOST}`, cookie: 'a foreign cookie', logLevel: 'silent' })
  const gateway = await Gateway.start(node, {
    port: 0,
    names: await GlobalEts.start(node),
    session: Counter,
    authenticate: ({ token, url }) => {
      const user = token ?? url.searchParams.get('user')
      return user === null ? undefined : { user }
    },
  })
  onTestFinished(async () => {
    await gateway.stop()
    await node.stop()
  })
  return gateway
}

describe('a client in Python', () => {
  let python: Python | string

  beforeAll(async () => {
    python = await Python.with(...PACKAGES)
    if (typeof python !== 'string') return
    if (process.env['PIDMESH_NO_SKIP'] === '1') throw new Error(python)
    console.warn(`tests with a client in Python skipped: ${python}`)
  }, 130_000)

  afterAll(async () => {
    if (typeof python === 'object') await python.remove()
  })

  beforeEach(({ skip }) => skip(typeof python === 'string', 'no Python with websockets'))

  it.each([
    ['pidmesh.json.1', 'guido – ✓'],
    ['pidmesh.msgpack.1', 'c0ffee'],
  ])('that speaks %s counts, is cut, resumes, and misses no number', async (protocol, answer) => {
    if (typeof python === 'string') throw new Error(python)
    const gateway = await startGateway()
    const { stdout } = await promisify(execFile)(
      'python3',
      [program, `ws://${HOST}:${gateway.port}/ws`, protocol, 'guido'],
      { env: { ...process.env, PYTHONPATH: python.packages }, timeout: 30_000 },
    )
    const told = JSON.parse(stdout) as { first: number[]; second: number[]; controls: unknown }
    expect([...told.first, ...told.second]).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    expect(told).toMatchObject({
      subprotocol: protocol,
      answer,
      controls: [['welcome'], ['resumed']],
      end: [4400, 'bad_message'],
    })
    expect(gateway.stats.resumes).toEqual(new Map([['resumed', 1]]))
    expect(gateway.stats.closed.get(4400)).toBe(1)
  })
})

it('`ws`, with no subprotocol and nothing of ours, sends a message a frame and gets one', async () => {
  const gateway = await startGateway()
  const socket = new WebSocket(`ws://${HOST}:${gateway.port}/ws?user=plain`)
  const received: unknown[] = []
  const all = new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      received.push(JSON.parse(data.toString()))
      if (received.length === 4) resolve()
    })
  })
  await new Promise((resolve) => socket.once('open', resolve))
  expect(socket.protocol).toBe('')
  socket.send('{"type":"count","to":3}')
  socket.send('{"type":"name"}')
  await all
  expect(received).toEqual([1, 2, 3, 'plain – ✓'])
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.close(1000)
  expect(await closed).toBe(1000)
  await expect.poll(() => gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
})
