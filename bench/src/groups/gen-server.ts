/**
 * Group `gen-server`: servers on one node, beside OTP's gen_server and nact's `query`. Targets are those of the issue of gen-server.
 */
import type { Group } from '../group.ts'
import { erlang } from './erlang.ts'
import { nodeJs } from './node-js.ts'

/** Servers that are idle: the same for all, since it is no rate. */
const MANY = 100_000

export const genServer: Group = {
  name: 'gen-server',
  contestants: [
    nodeJs('ours', 'ours/gen-server.js'),
    erlang('bench_gen_server', { with: ['bench_protocol'] }),
    nodeJs('nact', 'nact/gen-server.js'),
  ],
  figures: [
    {
      name: 'call with its timeout, sequential, from a process',
      unit: 'calls/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'call', size: 200_000 },
        beam: { workload: 'call', size: 200_000 },
        nact: { workload: 'call', size: 60_000 },
      },
      target: { peer: 'beam', ratio: 1 },
    },
    {
      name: 'call with its timeout, 100 callers',
      unit: 'calls/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'callers', size: 200_000 },
        beam: { workload: 'callers', size: 200_000 },
        nact: { workload: 'callers', size: 100_000 },
      },
      target: { peer: 'beam', ratio: 1 },
    },
    {
      name: 'cast, one sender',
      unit: 'casts/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'cast', size: 2_000_000 },
        beam: { workload: 'cast', size: 1_000_000 },
        nact: { workload: 'cast', size: 100_000 },
      },
      target: { peer: 'beam', ratio: 1.8 },
    },
    {
      name: 'start and stop, one after the other',
      unit: 'servers/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: {
        ours: { workload: 'start-stop', size: 200_000 },
        beam: { workload: 'start-stop', size: 200_000 },
      },
      target: { peer: 'beam', ratio: 1.5 },
    },
    {
      name: 'idle server, heap',
      unit: 'bytes',
      kind: 'bytesPerOperation',
      higherIsBetter: false,
      freshChild: true,
      parts: { ours: { workload: 'idle-heap', size: MANY }, beam: { workload: 'idle-heap', size: MANY } },
      target: { peer: 'beam', ratio: 0.3 },
    },
    {
      name: 'idle server, resident set',
      unit: 'bytes',
      kind: 'bytesPerOperation',
      higherIsBetter: false,
      freshChild: true,
      parts: { ours: { workload: 'idle-rss', size: MANY }, beam: { workload: 'idle-rss', size: MANY } },
    },
  ],
}
