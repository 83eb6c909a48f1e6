/**
 * Group `ways`: three ways of keeping the names of a gateway's sessions, on three nodes each, with the same clients and the same load: the table that every node
 * has, a location database, pub-sub. No targets: which is right depends on what is wanted. docs/three-ways.md has the figures, and says what each can't do.
 */
import { isInstalled, kafkaMissing, mariadbMissing, redisMissing } from '@pidmesh/dev-services'
import { WAYS, type Way } from '../contestants/ways/way-names.ts'
import { OURS, type ContestantPlan, type Group, type Part } from '../group.ts'
import { nodeJs } from './node-js.ts'
import { ofRun } from './of-run.ts'

/** Why it can't be taken here; `undefined` if it can. */
const missing: Readonly<Record<Way, string | undefined>> = {
  'global-ets': undefined,
  'redis-location': redisMissing(),
  'mysql-location': mariadbMissing(),
  'redis-pubsub': redisMissing(),
  'redis-channel-per-name': redisMissing(),
  kafka: kafkaMissing(),
}

const registrations = ofRun(
  // Such that a run takes about a third of a second.
  {
    [OURS]: { workload: 'register', size: 20_000 },
    'redis-location': { workload: 'register', size: 10_000 },
    'mysql-location': { workload: 'register', size: 5_000 },
    'redis-pubsub': { workload: 'register', size: 20_000 },
    'redis-channel-per-name': { workload: 'register', size: 10_000 },
    kafka: { workload: 'register', size: 20_000 },
  },
  {},
  [
    {
      name: 'register, 100 callers',
      unit: 'names/s',
      kind: 'operationsPerSecond',
      value: 'register',
      higherIsBetter: true,
    },
    {
      name: 'unregister, 100 callers',
      unit: 'names/s',
      kind: 'operationsPerSecond',
      value: 'unregister',
      higherIsBetter: true,
    },
    {
      name: 'register and unregister, CPU of all nodes and the store',
      unit: 'µs a name',
      kind: 'usPerOperation',
      value: 'cpu',
      higherIsBetter: false,
    },
    { name: 'register, one name at a time, p50', unit: 'ms', kind: 'ms', value: 'p50', higherIsBetter: false },
    { name: 'register, one name at a time, p99', unit: 'ms', kind: 'ms', value: 'p99', higherIsBetter: false },
  ],
)

const pushes = ofRun(all('push', 20_000), {}, [
  {
    name: 'push to 1,000 connections of another node',
    unit: 'deliveries/s',
    kind: 'operationsPerSecond',
    value: 'deliveries',
    higherIsBetter: true,
  },
  {
    name: 'a push, CPU of all nodes and the store',
    unit: 'µs',
    kind: 'usPerOperation',
    value: 'cpu',
    higherIsBetter: false,
  },
  {
    name: 'a push to another node, one a millisecond, p50',
    unit: 'ms',
    kind: 'ms',
    value: 'p50',
    higherIsBetter: false,
  },
  {
    name: 'a push to another node, one a millisecond, p99',
    unit: 'ms',
    kind: 'ms',
    value: 'p99',
    higherIsBetter: false,
  },
  ...(isInstalled('ss')
    ? [
        {
          name: 'a push that goes alone, packets between nodes and the store',
          unit: 'packets',
          kind: 'asItIs' as const,
          value: 'packets',
          higherIsBetter: false,
        },
        {
          name: 'a push of many, bytes between nodes and the store',
          unit: 'bytes',
          kind: 'asItIs' as const,
          value: 'bytes',
          higherIsBetter: false,
        },
      ]
    : []),
])

const deploys = ofRun(all('deploy', 1_000), { maxRounds: 2 }, [
  {
    name: 'deploy: 1,000 clients of a node that stops are registered on the others',
    unit: 'ms',
    kind: 'ms',
    value: 'again',
    higherIsBetter: false,
  },
  {
    name: 'deploy: CPU of all nodes and the store, a client',
    unit: 'µs',
    kind: 'usPerOperation',
    value: 'cpu',
    higherIsBetter: false,
  },
])

const memory = ofRun(all('memory', 20_000), { maxRounds: 1, freshChild: true }, [
  {
    name: 'a name on the node that has it, heap',
    unit: 'bytes',
    kind: 'bytesPerOperation',
    value: 'holder',
    higherIsBetter: false,
  },
  {
    name: 'a name on another node, heap',
    unit: 'bytes',
    kind: 'bytesPerOperation',
    value: 'other',
    higherIsBetter: false,
  },
  { name: 'a name in the store', unit: 'bytes', kind: 'bytesPerOperation', value: 'store', higherIsBetter: false },
])

const CUTS = { nodes: 'cut of 3 s between two nodes', store: 'cut of 3 s between the store and all nodes' }
const OUTCOMES = {
  Delivered: 'pushes that come',
  Reported: "pushes that don't come, and are said not to be sent",
  Lost: "pushes that don't come, in silence",
  Late: 'pushes that come, and were said not to be sent',
}

const faults = ofRun(all('faults', 300), { maxRounds: 1, freshChild: true }, [
  ...Object.entries(CUTS).flatMap(([cut, cutName]) =>
    Object.entries(OUTCOMES).map(([outcome, outcomeName]) => ({
      name: `${cutName}: ${outcomeName}`,
      unit: '%',
      kind: 'asItIs' as const,
      value: `${cut}${outcome}`,
      higherIsBetter: outcome === 'Delivered',
    })),
  ),
  ...Object.entries({ kill: 'kill -9', stop: 'SIGSTOP' }).flatMap(([fault, faultName]) => [
    {
      name: `${faultName} of the holder: until a push is said not to be sent`,
      unit: 's',
      kind: 'asItIs' as const,
      value: `${fault}Known`,
      higherIsBetter: false,
    },
    {
      name: `${faultName} of the holder: until its name is nobody's`,
      unit: 's',
      kind: 'asItIs' as const,
      value: `${fault}Gone`,
      higherIsBetter: false,
    },
  ]),
])

export const ways: Group = {
  name: 'ways',
  notes: [
    'placement: three nodes, the clients, and a store where there is one, wherever the operating system likes',
    ...(isInstalled('ss') ? [] : ['left out: packets and bytes: ss (Debian package iproute2) is missing']),
    ...Object.entries(missing).flatMap(([name, why]) => (why === undefined ? [] : [`left out: ${name}: ${why}`])),
  ],
  contestants: WAYS.map(contestantOf),
  figures: [
    ...registrations,
    ...pushes,
    {
      name: 'connect and register',
      unit: 'connections/s',
      kind: 'operationsPerSecond',
      higherIsBetter: true,
      parts: all('connect', 1_000),
    },
    ...deploys,
    ...memory,
    ...faults,
  ],
}

function all(workload: string, size: number): Readonly<Record<string, Part>> {
  const part = { workload, size }
  return Object.fromEntries(WAYS.map((way) => [nameOf(way), part]))
}

function nameOf(way: Way): string {
  return way === 'global-ets' ? OURS : way
}

/** Its last argument is the way; it is left out if its store isn't installed. */
function contestantOf(way: Way): ContestantPlan {
  const { name, prepare } = nodeJs(nameOf(way), 'ways/ways.js')
  return {
    name,
    prepare: (folder) => {
      const command = missing[way] === undefined ? prepare(folder) : undefined
      return command === undefined ? undefined : { file: command.file, args: [...command.args, way] }
    },
  }
}
