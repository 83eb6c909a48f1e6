/**
 * pidmesh in group `runtime`: one node, user code on the public API of the packages as they are published.
 */
import { createRequire } from 'node:module'
import { startNode } from '@pidmesh/runtime'
import { added, serve } from '../serve.ts'
import { spawnMonitorAndDown, spawnMonitorAndReceive, kill } from './runtime-ends.ts'
import { idleHandlers, idleReceivers } from './runtime-idle.ts'
import { calls, pairs, pingPong, pingPongReceive, send, startEcho } from './runtime-messages.ts'
import { timerBesideFullMailbox } from './runtime-fairness.ts'

const node = await startNode({ name: 'bench@127.0.0.1', cookie: 'bench cookie', logLevel: 'silent' })
const echo = await startEcho(node)
const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string }

serve(version, {
  send: (size) => send(node, size),
  'ping-pong': (size) => pingPong(node, size),
  'ping-pong-receive': (size) => pingPongReceive(node, size),
  pairs: (size) => pairs(node, size),
  call: (size) => calls(node, echo, size),
  'spawn-monitor': (size) => spawnMonitorAndDown(node, size),
  'spawn-monitor-receive': (size) => spawnMonitorAndReceive(node, size),
  kill: (size) => kill(node, size, 'kill'),
  'spawn-kill': (size) => kill(node, size, 'spawn'),
  'idle-heap': (size) => added('heap', size, () => idleHandlers(node, size)),
  'idle-rss': (size) => added('rss', size, () => idleHandlers(node, size)),
  'idle-receive-heap': (size) => added('heap', size, () => idleReceivers(node, size)),
  'timer-wait': (size) => timerBesideFullMailbox(node, size),
})
