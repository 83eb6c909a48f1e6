/**
 * Group `global-ets`: the replicated table of names on three nodes, each a process of the operating system, on loopback. The peer is the article's algorithm
 * in Erlang (bench/erlang/bench_name_table.erl), and for groups of processes OTP's `pg`. Targets are those of the issue of global-ets.
 *
 * Most runs yield several figures: `ofRun` gives them the same parts, so that they are taken from the same runs.
 */
import { OURS, OURS_TCP, type Group, type Part } from '../group.ts'
import { distributed, erlang } from './erlang.ts'
import { nodeJs } from './node-js.ts'
import { ofRun } from './of-run.ts'

/** Names: the same for all, since most figures are no rates. */
const MANY = 100_000

const registrations = ofRun(all('register', MANY), { maxRounds: 3 }, [
  {
    name: 'register 100,000 names, one caller',
    unit: 'names/s',
    kind: 'operationsPerSecond',
    value: 'register',
    higherIsBetter: true,
    target: { peer: 'beam', ratio: 4 },
  },
  {
    name: '100,000 registrations visible on all 3 nodes',
    unit: 'ms',
    kind: 'ms',
    value: 'visible',
    higherIsBetter: false,
    target: { peer: 'beam', ratio: 0.3 },
  },
  {
    name: "whereisName of the node's own names",
    unit: 'lookups/s',
    kind: 'operationsPerSecond',
    value: 'lookup',
    higherIsBetter: true,
    target: { peer: 'beam', ratio: 3 },
  },
  {
    name: "whereisName of another node's names",
    unit: 'lookups/s',
    kind: 'operationsPerSecond',
    value: 'lookupFar',
    higherIsBetter: true,
    target: { peer: 'beam', ratio: 3 },
  },
  {
    name: '100,000 processes die one by one, all tables empty',
    unit: 'ms',
    kind: 'ms',
    value: 'release',
    higherIsBetter: false,
    target: { peer: 'beam', ratio: 0.15 },
  },
])

const registrationsOf100Callers = ofRun(all('register-callers', MANY), { maxRounds: 2 }, [
  {
    name: 'register 100,000 names, 100 callers',
    unit: 'names/s',
    kind: 'operationsPerSecond',
    value: 'register',
    higherIsBetter: true,
    target: { peer: 'beam', ratio: 4 },
  },
])

const singleNames = ofRun(all('visible', 500), { maxRounds: 3 }, [
  {
    name: 'a name visible on another node, 200 a second, p50',
    unit: 'ms',
    kind: 'ms',
    value: 'p50',
    higherIsBetter: false,
    target: { peer: 'beam', ratio: 1 },
  },
  {
    name: 'a name visible on another node, 200 a second, p99',
    unit: 'ms',
    kind: 'ms',
    value: 'p99',
    higherIsBetter: false,
    target: { peer: 'beam', ratio: 1 },
  },
])

const joins = ofRun(all('join', MANY), { maxRounds: 2 }, [
  {
    name: 'a new node has all 100,000 names',
    unit: 'ms',
    kind: 'ms',
    value: 'join',
    higherIsBetter: false,
    target: { peer: 'beam', ratio: 1 },
  },
])

const kills = ofRun(both('kill-9', MANY), { maxRounds: 2 }, [
  {
    name: '100,000 names of a killed node gone on both others',
    unit: 'ms',
    kind: 'ms',
    value: 'gone',
    higherIsBetter: false,
    target: { peer: 'beam', ratio: 0.3 },
  },
  {
    name: 'longest block of an event loop while they go',
    unit: 'ms',
    kind: 'ms',
    value: 'block',
    higherIsBetter: false,
    target: { absolute: 10 },
  },
])

const memory = ofRun(both('bytes', MANY), { maxRounds: 2, freshChild: true }, [
  {
    name: 'a name where it is registered, heap',
    unit: 'bytes',
    kind: 'bytesPerOperation',
    value: 'owner',
    higherIsBetter: false,
    target: { peer: 'beam', ratio: 0.5 },
  },
  {
    name: 'a name on another node, heap',
    unit: 'bytes',
    kind: 'bytesPerOperation',
    value: 'replica',
    higherIsBetter: false,
    target: { peer: 'beam', ratio: 0.9 },
  },
])

const stops = ofRun(both('stopped', 200_000), { maxRounds: 1 }, [
  {
    name: 'a peer stopped, 200,000 names: slowest register',
    unit: 'ms',
    kind: 'ms',
    value: 'slowest',
    higherIsBetter: false,
    target: { absolute: 50 },
  },
  {
    name: 'a peer stopped, 200,000 names: the healthy one has all',
    unit: 'ms',
    kind: 'ms',
    value: 'healthy',
    higherIsBetter: false,
  },
  {
    name: 'a peer stopped, 200,000 names: it has all after SIGCONT',
    unit: 'ms',
    kind: 'ms',
    value: 'converged',
    higherIsBetter: false,
  },
])

const millions = ofRun(both('million', 1_000_000), { maxRounds: 1, freshChild: true, onlyWhenAsked: true }, [
  {
    name: '1,000,000 names on 3 nodes: a name on the fullest, heap',
    unit: 'bytes',
    kind: 'bytesPerOperation',
    value: 'heap',
    higherIsBetter: false,
  },
  {
    name: '1,000,000 names on 3 nodes: visible on all',
    unit: 'ms',
    kind: 'ms',
    value: 'visible',
    higherIsBetter: false,
  },
  {
    name: '1,000,000 names on 3 nodes: a fourth has all',
    unit: 'ms',
    kind: 'ms',
    value: 'join',
    higherIsBetter: false,
  },
  {
    name: '1,000,000 names on 3 nodes: longest block of an event loop',
    unit: 'ms',
    kind: 'ms',
    value: 'block',
    higherIsBetter: false,
    target: { absolute: 10 },
  },
])

/** OTP's `pg`, and ours. */
const processGroups = ofRun(both('groups', 20_000), { maxRounds: 2 }, [
  {
    name: 'pg, 100 groups: join',
    unit: 'joins/s',
    kind: 'operationsPerSecond',
    value: 'join',
    higherIsBetter: true,
  },
  {
    name: 'pg, 100 groups: 20,000 joins visible on all 3 nodes',
    unit: 'ms',
    kind: 'ms',
    value: 'visible',
    higherIsBetter: false,
  },
  {
    name: 'pg, 100 groups of 200: get_members',
    unit: 'calls/s',
    kind: 'operationsPerSecond',
    value: 'members',
    higherIsBetter: true,
  },
  {
    name: 'pg, 100 groups: leave',
    unit: 'leaves/s',
    kind: 'operationsPerSecond',
    value: 'leave',
    higherIsBetter: true,
  },
])

export const globalEts: Group = {
  name: 'global-ets',
  notes: ['placement: three nodes a contestant, wherever the operating system likes'],
  contestants: [
    nodeJs(OURS, 'ours/global-ets.js'),
    nodeJs(OURS_TCP, 'ours/global-ets-tcp.js'),
    erlang('bench_global_ets', {
      with: ['bench_global_ets_member', 'bench_name_table', 'bench_nodes', 'bench_epmd', 'bench_protocol'],
      flags: distributed(),
    }),
  ],
  figures: [
    ...registrations,
    ...registrationsOf100Callers,
    ...singleNames,
    ...joins,
    ...kills,
    ...memory,
    ...stops,
    ...millions,
    ...processGroups,
  ],
}

/** Where it matters what the nodes speak. */
function all(workload: string, size: number): Readonly<Record<string, Part>> {
  return { ...both(workload, size), [OURS_TCP]: { workload, size } }
}

function both(workload: string, size: number): Readonly<Record<string, Part>> {
  return { ours: { workload, size }, beam: { workload, size } }
}
