/**
 * The program that the README shows is real: two nodes of it do what the README says. (That it is what is built: docs/examples/test.)
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { freePorts } from '@pidmesh/dev-services'
import { afterEach, expect, it } from 'vitest'
import { WebSocket } from 'ws'

const root = new URL('../../', import.meta.url)
const running: ChildProcess[] = []
const sockets: WebSocket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate()
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})

function startProgram(env: Readonly<Record<string, string>>): void {
  const program = new URL('apps/push/dist/push.js', root)
  running.push(
    spawn(process.execPath, [program.pathname], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'ignore'],
    }),
  )
}

/** A client that is connected, as soon as the node accepts it. */
async function connect(port: number, user: string): Promise<{ socket: WebSocket; received: unknown[] }> {
  const received: unknown[] = []
  for (;;) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?user=${user}`)
    socket.on('message', (data: Buffer) => received.push(JSON.parse(data.toString())))
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.on('open', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    if (isOpen) {
      sockets.push(socket)
      return { socket, received }
    }
  }
}

it('two nodes of the program push to clients of each other by name', async () => {
  const [mesh1 = 0, mesh2 = 0, page1 = 0, page2 = 0] = await freePorts(4)
  const common = { COOKIE: 'a-shared-secret' }
  startProgram({ ...common, NAME: 'chat1', MESH_PORT: `${mesh1}`, PORT: `${page1}`, SEEDS: `127.0.0.1:${mesh2}` })
  startProgram({ ...common, NAME: 'chat2', MESH_PORT: `${mesh2}`, PORT: `${page2}`, SEEDS: `127.0.0.1:${mesh1}` })
  const alice = await connect(page1, 'alice')
  const bob = await connect(page2, 'bob')
  for (const node of ['chat1', 'chat2']) {
    await expect
      .poll(() => alice.received, { timeout: 10_000 })
      .toContainEqual({ type: 'notice', text: `hello from ${node}@127.0.0.1` })
  }
  bob.socket.send(JSON.stringify({ to: 'alice', text: 'from the other node' }))
  await expect.poll(() => alice.received).toContainEqual({ type: 'said', from: 'bob', text: 'from the other node' })
  alice.socket.send(JSON.stringify({ to: 'bob', text: 'and back' }))
  await expect.poll(() => bob.received).toContainEqual({ type: 'said', from: 'alice', text: 'and back' })
  // A name is cut between characters: half of one is no name that can be registered, and would end the session.
  const cut = await connect(page2, encodeURIComponent(`${'a'.repeat(31)}😀😀`))
  cut.socket.send(JSON.stringify({ to: 'alice', text: 'by a long name' }))
  await expect
    .poll(() => alice.received)
    .toContainEqual({ type: 'said', from: `${'a'.repeat(31)}😀`, text: 'by a long name' })
})
