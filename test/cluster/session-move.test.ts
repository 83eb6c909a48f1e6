// PURPOSE: what a chat session takes along to another node, as a client sees it that corrects nothing; the page would choose its room again.

import { connect } from '@pidmesh/client'
import type { Client } from '@pidmesh/client'
import { expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'

import type { ServerMessage } from './support/chat-client.ts'
import { startLauncher, startNodes } from './support/demo-process.ts'
import type { DemoNode } from './support/demo-process.ts'
import { until } from './support/until.ts'

/** After this long a node ends with code 1, and a bit later the launcher kills it. */
const STOP_WITHIN_MS = 2500

type Join = { type: 'join'; room: string }

it('goes to another node when its own is told to stop, in the room that its user chose last', async () => {
  const [chat1, chat2] = (await startLauncher(['--nodes', '2'])).nodes
  if (chat1 === undefined || chat2 === undefined) throw new Error('the banner has no two nodes')
  const messages: ServerMessage[] = []
  const resumed: boolean[] = []
  const alice = enter('alice', chat1, chat2)
  alice.on('message', (message) => messages.push(message))
  alice.on('open', ({ isResumed }) => resumed.push(isResumed))
  const welcomes = (): readonly ServerMessage[] => messages.filter(({ type }) => type === 'welcome')

  alice.send({ type: 'join', room: 'cats' })
  await until('alice is among cats', () =>
    messages.some((message) => message.type === 'online' && message.users.some(({ room }) => room === 'cats')),
  )
  process.kill(chat1.pid, 'SIGTERM')
  await until('the other node welcomes alice', () => welcomes().length === 2)
  expect(resumed).toEqual([false, true])
  expect(welcomes()).toEqual([
    { type: 'welcome', node: chat1.name, user: 'alice', room: 'lobby' },
    { type: 'welcome', node: chat2.name, user: 'alice', room: 'cats' },
  ])
})

it('does not keep its node from ending, in time and with code 0, if there is nowhere to go', async () => {
  const { nodes, processes } = await startNodes(1)
  const alice = enter('alice', ...nodes)
  await until('alice is in', () => alice.state === 'open')
  const toldMs = performance.now()
  processes[0]?.child.kill('SIGTERM')
  expect(await processes[0]?.ended).toBe(0)
  expect(performance.now() - toldMs).toBeLessThan(STOP_WITHIN_MS)
})

function enter(user: string, ...nodes: readonly DemoNode[]): Client<Join, ServerMessage> {
  const client = connect<Join, ServerMessage>({
    urls: nodes.map(({ url }) => `${url}/ws`),
    token: `${user}@lobby`,
    WebSocket,
    // The first node first, and the next one without a wait.
    random: () => 0,
  })
  onTestFinished(() => client.close())
  return client
}
