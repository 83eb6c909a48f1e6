// PURPOSE: who starts something wrong is told so in one line, who sends something wrong loses his own connection, and nobody else
// notices either.

import { connect } from 'node:net'
import { freePorts } from '@pidmesh/dev-services'

import { describe, expect, it, onTestFinished } from 'vitest'

import { ChatClient, expectAllToTalk, expectSameTables } from './support/chat-client.ts'
import { busyPort, DemoProcess, HOST, startNode, startNodes } from './support/demo-process.ts'
import type { Places } from './support/chat-client.ts'
import type { ChatNodeArgs, Cluster } from './support/demo-process.ts'
import { until } from './support/until.ts'

const COOKIE = 'a cookie of this test'
const SILENT_MS = 3000

describe('the launcher', () => {
  it('says in one line which option it does not know', async () => {
    const launcher = new DemoProcess('cluster.js', ['--nods', '3'])
    await expectOneLine(launcher, /^demo: unknown option '--nods'/, 2)
  })

  it('says in one line which port of a page is busy, and how to choose another', async () => {
    const port = await busyPort()
    const launcher = new DemoProcess('cluster.js', ['--nodes', '1', '--port', `${port}`, '--mesh-port', '0'])
    await expectOneLine(launcher, new RegExp(`^demo: port ${port} of ${HOST} is already in use; .*--port`))
  })

  it('says in one line which port of the mesh is busy, and how to choose another', async () => {
    const port = await busyPort()
    const launcher = new DemoProcess('cluster.js', ['--nodes', '1', '--port', '0', '--mesh-port', `${port}`])
    await expectOneLine(launcher, new RegExp(`^demo: port ${port} of ${HOST} is already in use; .*--mesh-port`))
  })
})

describe('a chat node', () => {
  it('says in one line that it has no cookie', async () => {
    const node = await startOwnNode({ cookie: undefined })
    await expectOneLine(node, /^chat-node: the environment variable PIDMESH_COOKIE must hold the cluster's cookie/, 2)
  })

  it('says in one line which port of its page is busy', async () => {
    const port = await busyPort()
    const node = await startOwnNode({ port })
    await expectOneLine(
      node,
      new RegExp(`^chat-node: own@${HOST} could not start: port ${port} .*already in use .*--port`),
    )
  })

  it('says in one line which port of the mesh is busy', async () => {
    const meshPort = await busyPort()
    const node = await startOwnNode({ meshPort })
    await expectOneLine(
      node,
      new RegExp(`^chat-node: own@${HOST} could not start: port ${meshPort} .*already in use .*--mesh-port`),
    )
  })

  it('says in one line that its cookie is not that of the cluster, which goes on', async () => {
    const { cluster, users } = await startChattingNodes()
    const node = await startOwnNode({ seeds: cluster.meshAddresses, cookie: 'not the same cookie' })
    await expectOneLine(node, new RegExp(`^chat-node: own@${HOST} could not start: .*cookie`))
    expect(node.stderr).not.toContain('not the same cookie')
    await expectUndisturbed(cluster, users)
  })

  it('says in one line that its name is taken in the cluster, which goes on', async () => {
    const { cluster, users } = await startChattingNodes()
    const name = cluster.nodes[0]?.name ?? ''
    for (const seed of cluster.meshAddresses) {
      const node = await startOwnNode({ name, seeds: [seed], cookie: cluster.cookie })
      await expectOneLine(node, new RegExp(`^chat-node: ${name} could not start: .*name`))
    }
    await expectUndisturbed(cluster, users)
  })
})

describe('a cluster', () => {
  it('goes on after nonsense on the ports of its mesh', async () => {
    const { cluster, users } = await startChattingNodes()
    for (const nonsense of ['GET / HTTP/1.1\r\nHost: mesh\r\n\r\n', Buffer.alloc(70_000, 0xff), '']) {
      await Promise.all(cluster.meshAddresses.map((address) => sendBytes(address, nonsense)))
    }
    await expectUndisturbed(cluster, users)
  })
})

describe('a socket', () => {
  it.each([
    { what: 'text that is not JSON', frame: '{"type":"say"', code: 4400, reason: 'bad_message' },
    { what: 'a message of an unknown type', frame: '{"type":"shout","text":"a"}', code: 4400, reason: 'bad_message' },
    { what: 'a message with a wrong field', frame: '{"type":"say","text":7}', code: 4400, reason: 'bad_message' },
    { what: 'a frame of more than 16 KiB', frame: said(16 * 1024), code: 1009, reason: '' },
    { what: 'a binary frame', frame: Buffer.from('{"type":"ping"}'), code: 1003, reason: 'wrong_frame_type' },
  ])('is closed with $code for $what, and no other is', async ({ frame, code, reason }) => {
    const { cluster, users } = await startChattingNodes()
    const culprit = await ChatClient.connect(cluster.nodes[0] ?? fail(), 'culprit')
    culprit.say('before')
    await until('all hear the culprit', () => users.every((user) => user.heard('before')))
    culprit.send(frame)
    await until('the socket is closed', () => culprit.closed !== undefined)
    expect(culprit.closed).toEqual({ code, reason })
    await expectUndisturbed(cluster, users)
  })
})

/** Two nodes, with a user on each who sees the other. */
async function startChattingNodes(): Promise<{ cluster: Cluster; users: readonly ChatClient[] }> {
  const cluster = await startNodes(2)
  const users = await Promise.all(cluster.nodes.map((node, i) => ChatClient.connect(node, `user${i + 1}`)))
  await expectSameTables(users, placesOf(users))
  return { cluster, users }
}

async function expectUndisturbed({ processes }: Cluster, users: readonly ChatClient[]): Promise<void> {
  await expectSameTables(users, placesOf(users))
  await expectAllToTalk(users)
  const late = await Promise.all(users.map(({ node, user }) => ChatClient.connect(node, `late-${user}`)))
  const all = [...users, ...late]
  await expectSameTables(all, placesOf(all))
  await expectAllToTalk(all)
  expect(processes.map(({ hasEnded, stderr }) => ({ hasEnded, stderr }))).toEqual(
    processes.map(() => ({ hasEnded: false, stderr: '' })),
  )
}

function placesOf(users: readonly ChatClient[]): Places {
  return Object.fromEntries(users.map(({ user, node }) => [user, node]))
}

/** A node that could start, but for what `args` have changed. */
async function startOwnNode(args: Partial<ChatNodeArgs>): Promise<DemoProcess> {
  const [port = 0, meshPort = 0] = await freePorts(2)
  return startNode({ name: `own@${HOST}`, port, meshPort, cookie: COOKIE, ...args })
}

/** It ends by itself, not with success, after exactly one line on stderr and nothing on stdout. */
async function expectOneLine(program: DemoProcess, line: RegExp, code = 1): Promise<void> {
  await until('it ends by itself', () => program.hasEnded, {
    instead: () => ({ stdout: program.stdout, stderr: program.stderr }),
  })
  expect(program.stderr).toMatch(line)
  expect(program.stderr).toMatch(/^.+\n$/)
  expect(program.stdout).toBe('')
  expect(await program.ended).toBe(code)
}

/** Writes to a port, and waits until the connection is over: on their side, or on ours, if it is silent for long. */
function sendBytes(address: string, bytes: string | Buffer): Promise<void> {
  const { hostname, port } = new URL(`tcp://${address}`)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) })
    onTestFinished(() => void socket.destroy())
    socket.setTimeout(SILENT_MS, () => socket.destroy())
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
    socket.resume()
    socket.end(bytes)
  })
}

function said(bytes: number): string {
  return JSON.stringify({ type: 'say', text: 'a'.repeat(bytes) })
}

function fail(): never {
  throw new Error('there is no such node')
}
