/**
 * Group `runtime`: processes, messages and ends on one node, beside nact 7 and plain Erlang. Targets are those of the runtime's issue.
 */
import type { Group } from '../group.ts'
import { erlang } from './erlang.ts'
import { nodeJs } from './node-js.ts'

/** Processes that are idle, or killed: the same for all, since it is no rate. */
const MANY = 100_000

export const runtime: Group = {
  name: 'runtime',
  contestants: [
    nodeJs('ours', 'ours/runtime.js'),
    erlang('bench_runtime', { with: ['bench_protocol'] }),
    nodeJs('nact', 'nact/runtime.js'),
  ],
  figures: [
    {
      name: 'send, one producer to one consumer',
      unit: 'messages/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'send', size: 4_000_000 },
        beam: { workload: 'send', size: 3_000_000 },
        nact: { workload: 'send', size: 100_000 },
      },
      target: { peer: 'beam', ratio: 1.5 },
    },
    {
      name: 'ping-pong, one pair, handler processes',
      unit: 'round trips/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'ping-pong', size: 3_000_000 },
        beam: { workload: 'ping-pong', size: 600_000 },
        nact: { workload: 'ping-pong', size: 60_000 },
      },
      target: { peer: 'beam', ratio: 1.5 },
    },
    {
      name: 'ping-pong, one pair, await receive()',
      unit: 'round trips/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'ping-pong-receive', size: 400_000 },
        beam: { workload: 'ping-pong', size: 600_000 },
        nact: { workload: 'ping-pong', size: 60_000 },
      },
      target: { peer: 'nact', ratio: 3 },
    },
    {
      name: 'ping-pong, 1,000 pairs',
      unit: 'round trips/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'pairs', size: 2_000_000 },
        beam: { workload: 'pairs', size: 600_000 },
        nact: { workload: 'pairs', size: 200_000 },
      },
      target: { peer: 'nact', ratio: 10 },
    },
    {
      name: 'spawn_monitor and its DOWN',
      unit: 'processes/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'spawn-monitor', size: 200_000 },
        beam: { workload: 'spawn-monitor', size: 200_000 },
        nact: { workload: 'spawn-stop', size: 40_000 },
      },
      target: { peer: 'beam', ratio: 1 },
    },
    {
      name: "spawn_monitor and await receive('DOWN')",
      unit: 'processes/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'spawn-monitor-receive', size: 200_000 },
        beam: { workload: 'spawn-monitor', size: 200_000 },
      },
    },
    {
      name: '100,000 monitored processes killed, all DOWNs',
      unit: 'ms',
      kind: 'ms',
      higherIsBetter: false,
      parts: { ours: { workload: 'kill', size: MANY }, beam: { workload: 'kill', size: MANY } },
      target: { peer: 'beam', ratio: 0.4 },
    },
    {
      name: '100,000 processes spawned with a monitor and killed, all DOWNs',
      unit: 'ms',
      kind: 'ms',
      higherIsBetter: false,
      parts: { ours: { workload: 'spawn-kill', size: MANY }, beam: { workload: 'spawn-kill', size: MANY } },
    },
    {
      name: 'call with its timeout, sequential',
      unit: 'calls/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'call', size: 100_000 },
        beam: { workload: 'call', size: 200_000 },
        nact: { workload: 'call', size: 40_000 },
      },
    },
    {
      name: 'idle process, heap',
      unit: 'bytes',
      kind: 'bytesPerOperation',
      higherIsBetter: false,
      freshChild: true,
      parts: {
        ours: { workload: 'idle-heap', size: MANY },
        beam: { workload: 'idle-heap', size: MANY },
        nact: { workload: 'idle-heap', size: MANY },
      },
      target: { peer: 'beam', ratio: 0.2 },
    },
    {
      name: 'idle process, resident set',
      unit: 'bytes',
      kind: 'bytesPerOperation',
      higherIsBetter: false,
      freshChild: true,
      parts: {
        ours: { workload: 'idle-rss', size: MANY },
        beam: { workload: 'idle-rss', size: MANY },
        nact: { workload: 'idle-rss', size: MANY },
      },
    },
    {
      name: 'idle process in await receive(), heap',
      unit: 'bytes',
      kind: 'bytesPerOperation',
      higherIsBetter: false,
      freshChild: true,
      parts: { ours: { workload: 'idle-receive-heap', size: MANY }, beam: { workload: 'idle-heap', size: MANY } },
    },
    {
      name: 'longest wait for a timer of 1 ms beside 1,000,000 queued messages',
      unit: 'ms',
      kind: 'ms',
      higherIsBetter: false,
      parts: { ours: { workload: 'timer-wait', size: 1_000_000 } },
      target: { absolute: 15 },
    },
  ],
}
