/**
 * Group `gateway`: WebSocket connections as processes, beside Socket.IO with its Redis adapter (two servers and a redis-server) and plain `ws` (one server,
 * which has no other). Targets are those of the issue of the gateway. The clients are the same for all: contestants/gateway.
 */
import { isInstalled } from '@pidmesh/dev-services'
import { OURS, OURS_TCP, type ContestantPlan, type Group, type Part } from '../group.ts'
import { nodeJs } from './node-js.ts'
import { ofRun } from './of-run.ts'

const SOCKET_IO = 'socket.io'
const WS = 'ws'
const hasRedis = isInstalled('redis-server')

const pushes = ofRun(
  {
    [OURS]: { workload: 'push', size: 50_000 },
    [OURS_TCP]: { workload: 'push', size: 50_000 },
    [SOCKET_IO]: { workload: 'push', size: 20_000 },
  },
  {},
  [
    {
      name: 'push to 1,000 connections of another node',
      unit: 'deliveries/s',
      kind: 'operationsPerSecond',
      value: 'deliveries',
      higherIsBetter: true,
      target: { peer: SOCKET_IO, ratio: 3 },
    },
    {
      name: 'CPU of the sender, a push',
      unit: 'µs',
      kind: 'usPerOperation',
      value: 'cpu',
      higherIsBetter: false,
      target: { peer: SOCKET_IO, ratio: 0.2 },
    },
    {
      name: 'a push to another node, one a millisecond, p50',
      unit: 'ms',
      kind: 'ms',
      value: 'p50',
      higherIsBetter: false,
      target: { peer: SOCKET_IO, ratio: 0.6 },
    },
    {
      name: 'a push to another node, one a millisecond, p99',
      unit: 'ms',
      kind: 'ms',
      value: 'p99',
      higherIsBetter: false,
    },
  ],
)

const memory = ofRun(all('idle', 5_000), { freshChild: true, maxRounds: 3 }, [
  {
    name: 'idle connection with its name, resident set',
    unit: 'bytes',
    kind: 'bytesPerOperation',
    value: 'rss',
    higherIsBetter: false,
    target: { peer: WS, ratio: 1.25 },
  },
  {
    name: 'idle connection with its name, heap',
    unit: 'bytes',
    kind: 'bytesPerOperation',
    value: 'heap',
    higherIsBetter: false,
  },
])

/** Socket.IO publishes each message to Redis, and is no peer of these targets: it gets less to do. */
const fanOut = ofRun({ ...all('fan-out', 120_000), [SOCKET_IO]: { workload: 'fan-out', size: 40_000 } }, {}, [
  {
    name: 'unicast to 1,000, one message a socket and turn',
    unit: 'deliveries/s',
    kind: 'operationsPerSecond',
    value: 'unicast',
    higherIsBetter: true,
    target: { peer: WS, ratio: 0.9 },
  },
  {
    name: 'unicast to 1,000, four messages a socket and turn',
    unit: 'deliveries/s',
    kind: 'operationsPerSecond',
    value: 'unicastOf4',
    higherIsBetter: true,
    target: { peer: WS, ratio: 2.5 },
  },
  {
    name: 'broadcast to 1,000, one message a socket and turn',
    unit: 'deliveries/s',
    kind: 'operationsPerSecond',
    value: 'broadcast',
    higherIsBetter: true,
    target: { peer: WS, ratio: 0.9 },
  },
  {
    name: 'broadcast to 1,000, four messages a socket and turn',
    unit: 'deliveries/s',
    kind: 'operationsPerSecond',
    value: 'broadcastOf4',
    higherIsBetter: true,
    target: { peer: WS, ratio: 2.5 },
  },
])

export const gateway: Group = {
  name: 'gateway',
  notes: [
    'placement: two servers, the clients, and for socket.io a redis-server, wherever the operating system likes',
    ...(hasRedis ? [] : [`left out, there is no redis-server: ${SOCKET_IO}`]),
  ],
  contestants: [
    nodeJs(OURS, 'ours/gateway.js'),
    nodeJs(OURS_TCP, 'ours/gateway-tcp.js'),
    withRedis(nodeJs(SOCKET_IO, 'socket.io/gateway.js')),
    nodeJs(WS, 'ws/gateway.js'),
  ],
  figures: [
    ...pushes,
    {
      name: 'connect and register',
      unit: 'connections/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: all('connect', 10_000),
      target: { peer: SOCKET_IO, ratio: 1.2 },
    },
    ...fanOut,
    ...memory,
  ],
}

function all(workload: string, size: number): Readonly<Record<string, Part>> {
  const part = { workload, size }
  return { [OURS]: part, [SOCKET_IO]: part, [WS]: part }
}

/** Its last argument is a folder for a redis-server. */
function withRedis({ name, prepare }: ContestantPlan): ContestantPlan {
  return {
    name,
    prepare: (folder) => {
      const command = hasRedis ? prepare(folder) : undefined
      return command === undefined ? undefined : { file: command.file, args: [...command.args, folder] }
    },
  }
}
