/**
 * Group `distribution`: two nodes, each a process of the operating system, connected over loopback; OTP's distribution beside ours.
 *
 * Where two processes run moves such figures severalfold. So each node has one core to itself, alike for all contestants: the near one, which is the
 * contestant and takes the time, and the far one, which it starts. "One core" means that the far one was moved to the near one's.
 */
import { existsSync } from 'node:fs'
import { isInstalled } from '@pidmesh/dev-services'
import { OURS_TCP, type FigurePlan, type Group } from '../group.ts'
import { distributed, erlang } from './erlang.ts'
import { nodeJs } from './node-js.ts'
import { coresForTwo, pinned } from './placement.ts'

const cores = coresForTwo()
const hasSocketCounts = isInstalled('ss')
const hasCpuCounts = existsSync('/proc/self/schedstat')
const place = cores === undefined ? 'not pinned' : 'two cores'

/** Calls one after the other. On one core it takes two seconds until what they need is compiled: the compiler has no other core. */
const SEQUENTIAL = 20_000

const onOneCore: readonly FigurePlan[] = [
  {
    name: 'remote call, sequential, one core',
    unit: 'calls/s',
    kind: 'operationsPerSecond',
    higherIsBetter: true,
    parts: {
      ours: { workload: 'call-one-core', size: SEQUENTIAL },
      [OURS_TCP]: { workload: 'call-one-core', size: SEQUENTIAL },
      beam: { workload: 'call-one-core', size: SEQUENTIAL },
      'grpc-js': { workload: 'round-trips-one-core', size: SEQUENTIAL },
    },
    target: { peer: 'beam', ratio: 0.8 },
  },
  {
    name: 'remote self.request, sequential, one core',
    unit: 'calls/s',
    kind: 'operationsPerSecond',
    higherIsBetter: true,
    parts: {
      ours: { workload: 'request-one-core', size: SEQUENTIAL },
      [OURS_TCP]: { workload: 'request-one-core', size: SEQUENTIAL },
      beam: { workload: 'call-one-core', size: SEQUENTIAL },
    },
  },
]

const ofSockets: readonly FigurePlan[] = [
  {
    name: 'bytes on the wire a message, in bulk',
    unit: 'bytes',
    kind: 'bytesPerOperation',
    higherIsBetter: false,
    maxRounds: 2,
    parts: {
      ours: { workload: 'bulk-bytes', size: 50_000 },
      [OURS_TCP]: { workload: 'bulk-bytes', size: 50_000 },
      beam: { workload: 'bulk-bytes', size: 50_000 },
    },
  },
  {
    name: 'bytes on the wire a message, one a turn',
    unit: 'bytes',
    kind: 'bytesPerOperation',
    higherIsBetter: false,
    maxRounds: 2,
    parts: {
      ours: { workload: 'single-bytes', size: 500 },
      [OURS_TCP]: { workload: 'single-bytes', size: 500 },
      beam: { workload: 'single-bytes', size: 500 },
    },
  },
]

const ofIdleNodes: readonly FigurePlan[] = [
  {
    name: 'CPU of an idle node, of 3 that are connected',
    unit: 'ms/s',
    kind: 'cpuMsPerSecond',
    higherIsBetter: false,
    freshChild: true,
    maxRounds: 2,
    parts: {
      ours: { workload: 'idle', size: 5_000 },
      [OURS_TCP]: { workload: 'idle', size: 5_000 },
      beam: { workload: 'idle', size: 5_000 },
    },
  },
]

export const distribution: Group = {
  name: 'distribution',
  notes: notes(),
  contestants: [
    pinned(nodeJs('ours', 'ours/distribution.js'), cores),
    pinned(nodeJs(OURS_TCP, 'ours/distribution-tcp.js'), cores),
    pinned(
      erlang('bench_distribution', {
        with: ['bench_protocol', 'bench_epmd', 'bench_nodes'],
        flags: distributed(),
      }),
      cores,
    ),
    // Not a peer to be beaten: what a call has to take that goes over it.
    pinned(nodeJs('grpc-js', 'grpc-js/distribution.js'), cores),
  ],
  figures: [
    {
      name: `remote send, one sender to one receiver, ${place}`,
      unit: 'messages/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'send', size: 2_000_000 },
        [OURS_TCP]: { workload: 'send', size: 2_000_000 },
        beam: { workload: 'send', size: 500_000 },
      },
      target: { peer: 'beam', ratio: 5 },
    },
    {
      name: `remote call, sequential, ${place}`,
      unit: 'calls/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'call', size: SEQUENTIAL },
        [OURS_TCP]: { workload: 'call', size: SEQUENTIAL },
        beam: { workload: 'call', size: SEQUENTIAL },
        'grpc-js': { workload: 'round-trips', size: SEQUENTIAL },
      },
      target: { peer: 'beam', ratio: 0.8 },
    },
    {
      name: `remote self.request, sequential, ${place}`,
      unit: 'calls/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'request', size: SEQUENTIAL },
        [OURS_TCP]: { workload: 'request', size: SEQUENTIAL },
        beam: { workload: 'call', size: SEQUENTIAL },
      },
    },
    ...(cores === undefined ? [] : onOneCore),
    {
      name: `remote call, 100 callers, ${place}`,
      unit: 'calls/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'callers', size: 200_000 },
        [OURS_TCP]: { workload: 'callers', size: 200_000 },
        beam: { workload: 'callers', size: 200_000 },
      },
      target: { peer: 'beam', ratio: 5 },
    },
    {
      name: `p50 of a remote call at 10,000 calls/s, ${place}`,
      unit: 'ms',
      kind: 'ms',
      higherIsBetter: false,
      parts: {
        ours: { workload: 'paced-p50', size: 10_000 },
        [OURS_TCP]: { workload: 'paced-p50', size: 10_000 },
        beam: { workload: 'paced-p50', size: 10_000 },
      },
    },
    {
      name: `p99 of a remote call at 10,000 calls/s, ${place}`,
      unit: 'ms',
      kind: 'ms',
      higherIsBetter: false,
      parts: {
        ours: { workload: 'paced-p99', size: 10_000 },
        [OURS_TCP]: { workload: 'paced-p99', size: 10_000 },
        beam: { workload: 'paced-p99', size: 10_000 },
      },
    },
    ...(hasSocketCounts ? ofSockets : []),
    ...(hasCpuCounts ? ofIdleNodes : []),
  ],
}

function notes(): string[] {
  const lines =
    cores === undefined
      ? [
          'placement: wherever the operating system likes; without taskset, or on one core, figures of one core are left out',
        ]
      : [
          `placement: near node on core ${cores.near}, far node on core ${cores.far}; "one core": both on core ${cores.near}`,
        ]
  if (!hasSocketCounts) lines.push('left out, there is no ss: bytes on the wire')
  if (!hasCpuCounts) lines.push('left out, there is no /proc/self/schedstat: CPU of an idle node')
  return lines
}
