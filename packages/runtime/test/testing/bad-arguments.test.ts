/**
 * Every method of the test cluster and of its network, given what it can't use: a PidmeshError of the documented code, at the caller, whose text says where, and
 * nothing has happened. A fault that strikes nobody would make a test pass that should fail.
 */
import { PidmeshError, type Node } from '@pidmesh/runtime'
import { MemoryNetwork, TestCluster, VirtualClock } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { untyped } from '../rules/probe.ts'

type Kinds = Readonly<Record<string, unknown>>
type Code = 'ERR_BAD_ARGUMENT' | 'ERR_BAD_OPTION'
type Call = (cluster: TestCluster, bad: never) => unknown

const UNDEFINED: Kinds = { undefined }
const OTHERS: Kinds = { null: null, 'a symbol': Symbol('s'), 'a bigint': 7n, '{}': {}, true: true }
const NO_HOST: Kinds = {
  ...UNDEFINED,
  ...OTHERS,
  7: 7,
  "''": '',
  'a typo': 'zz',
  'the name of the node': 'a@127.0.0.1',
  'a list': ['a'],
}
const NO_HOSTS: Kinds = {
  ...UNDEFINED,
  ...OTHERS,
  'a text': 'a',
  'a list with a typo': ['a', 'zz'],
  'a list of numbers': [7],
}
const NOT_FINITE: Kinds = {
  ...OTHERS,
  "'x'": 'x',
  "'7'": '7',
  NaN: Number.NaN,
  Infinity,
  '-Infinity': -Infinity,
  'a list': [7],
}
const NO_DELAY: Kinds = { ...NOT_FINITE, '-1': -1 }
const NO_FUNCTION: Kinds = { ...OTHERS, 7: 7, "'x'": 'x' }
const NO_FLAG: Kinds = { null: null, 'a symbol': Symbol('s'), '{}': {}, 0: 0, 1: 1, "'x'": 'x' }
const NO_OPTIONS: Kinds = { null: null, 7: 7, "'x'": 'x', true: true, 'an unknown option': { unheardOf: true } }

/** `says`: what is wrong, as the text has it. */
const TABLE: readonly (readonly [says: string, code: Code, kinds: Kinds, call: Call])[] = [
  [
    'TestCluster',
    'ERR_BAD_OPTION',
    { ...NO_OPTIONS, 'a misspelt option': { sed: 1 } },
    (_, bad) => new TestCluster(bad),
  ],
  ['seed of TestCluster', 'ERR_BAD_OPTION', { ...NOT_FINITE, 1.5: 1.5 }, (_, seed) => new TestCluster({ seed })],
  [
    'latencyMs of TestCluster',
    'ERR_BAD_OPTION',
    {
      ...NO_DELAY,
      'the higher first': [2, 1],
      'three of them': [1, 2, 3],
      texts: ['1', '2'],
      'one without an end': [1, Infinity],
    },
    (_, latencyMs) => new TestCluster({ latencyMs }),
  ],
  [
    'socketBytes of TestCluster',
    'ERR_BAD_OPTION',
    { ...OTHERS, '-1': -1, NaN: Number.NaN, "'7'": '7' },
    (_, socketBytes) => new TestCluster({ socketBytes }),
  ],
  [
    'maxTurns of TestCluster',
    'ERR_BAD_OPTION',
    { ...OTHERS, 0: 0, '-1': -1, NaN: Number.NaN, "'7'": '7' },
    (_, maxTurns) => new TestCluster({ maxTurns }),
  ],

  ...(['start', 'begin'] as const).flatMap((method): (typeof TABLE)[number][] => [
    [
      'start(name)',
      'ERR_BAD_ARGUMENT',
      { ...UNDEFINED, ...OTHERS, 7: 7, "''": '' },
      (cluster, bad) => cluster[method](bad),
    ],
    [
      'start',
      'ERR_BAD_OPTION',
      { ...NO_OPTIONS, 'a misspelt option': { hots: 'c' } },
      (cluster, bad) => cluster[method]('c', bad),
    ],
    [
      'host of start',
      'ERR_BAD_OPTION',
      { ...OTHERS, 7: 7, "''": '' },
      (cluster, host) => cluster[method]('c', { host }),
    ],
  ]),
  [
    'run(promise)',
    'ERR_BAD_ARGUMENT',
    { ...UNDEFINED, ...OTHERS, 'a function': () => 1 },
    (cluster, bad) => cluster.run(bad),
  ],
  ['advance(ms)', 'ERR_BAD_ARGUMENT', { ...UNDEFINED, ...NO_DELAY }, (cluster, bad) => cluster.advance(bad)],

  ['partition(side)', 'ERR_BAD_ARGUMENT', NO_HOSTS, (cluster, bad) => cluster.partition(bad, ['b'])],
  ['partition(otherSide)', 'ERR_BAD_ARGUMENT', NO_HOSTS, (cluster, bad) => cluster.partition(['b'], bad)],
  ['crash(name)', 'ERR_BAD_ARGUMENT', NO_HOST, (cluster, bad) => cluster.crash(bad)],
  ['crash', 'ERR_BAD_OPTION', NO_OPTIONS, (cluster, bad) => cluster.crash('a', bad)],
  ['isTold of crash', 'ERR_BAD_OPTION', NO_FLAG, (cluster, isTold) => cluster.crash('a', { isTold })],
  [
    'stall(name)',
    'ERR_BAD_ARGUMENT',
    { ...NO_HOST, 'a host without a node': 'c' },
    (cluster, bad) => cluster.stall(bad, 1),
  ],
  ['stall(ms)', 'ERR_BAD_ARGUMENT', { ...UNDEFINED, ...NO_DELAY }, (cluster, bad) => cluster.stall('a', bad)],
  [
    'jumpWallClock(name)',
    'ERR_BAD_ARGUMENT',
    { ...NO_HOST, 'a host without a node': 'c' },
    (cluster, bad) => cluster.jumpWallClock(bad, 1),
  ],
  [
    'jumpWallClock(byMs)',
    'ERR_BAD_ARGUMENT',
    { ...UNDEFINED, ...NOT_FINITE },
    (cluster, bad) => cluster.jumpWallClock('a', bad),
  ],

  // The cluster's, and the network's own.
  ...(
    [(cluster) => cluster, ({ network }) => network] as ((cluster: TestCluster) => Pick<TestCluster, 'break'>)[]
  ).flatMap((of): (typeof TABLE)[number][] => [
    ['break(a)', 'ERR_BAD_ARGUMENT', NO_HOST, (cluster, bad) => of(cluster).break(bad, 'b')],
    ['break(b)', 'ERR_BAD_ARGUMENT', NO_HOST, (cluster, bad) => of(cluster).break('a', bad)],
    [
      'break',
      'ERR_BAD_OPTION',
      { ...NO_OPTIONS, 'a misspelt option': { tell: 1 } },
      (cluster, bad) => of(cluster).break('a', 'b', bad),
    ],
    [
      'arriving of break',
      'ERR_BAD_OPTION',
      NO_FUNCTION,
      (cluster, arriving) => of(cluster).break('a', 'b', { arriving }),
    ],
    [
      'arriving of break',
      'ERR_BAD_OPTION',
      { ...UNDEFINED, ...OTHERS, NaN: Number.NaN, "'1'": '1' },
      (cluster, bad) => of(cluster).break('a', 'b', { arriving: () => bad }),
    ],
    [
      'tellMs of break',
      'ERR_BAD_OPTION',
      { null: null, 7: 7, "'x'": 'x', 'a typo': { zz: 1 }, 'a third host': { c: 1 } },
      (cluster, tellMs) => of(cluster).break('a', 'b', { tellMs }),
    ],
    [
      'tellMs.b of break',
      'ERR_BAD_OPTION',
      { ...UNDEFINED, ...OTHERS, '-1': -1, NaN: Number.NaN, "'1'": '1' },
      (cluster, b) => of(cluster).break('a', 'b', { tellMs: { b } }),
    ],
  ]),

  ['drawLatencyMs', 'ERR_BAD_ARGUMENT', NO_FUNCTION, (_, bad) => new MemoryNetwork(new VirtualClock(), bad)],
  [
    'socketBytes',
    'ERR_BAD_ARGUMENT',
    { ...OTHERS, '-1': -1, NaN: Number.NaN, "'7'": '7' },
    (_, bad) => new MemoryNetwork(new VirtualClock(), () => 1, bad),
  ],
  [
    'transport(hostName)',
    'ERR_BAD_ARGUMENT',
    { ...UNDEFINED, ...OTHERS, 7: 7, "''": '' },
    ({ network }, bad) => network.transport(bad),
  ],
  [
    'observe(listener)',
    'ERR_BAD_ARGUMENT',
    { ...UNDEFINED, ...NO_FUNCTION },
    ({ network }, bad) => network.observe(bad),
  ],
  ...(['cut', 'heal', 'unread'] as const).flatMap((method): (typeof TABLE)[number][] => [
    [`${method}(from)`, 'ERR_BAD_ARGUMENT', NO_HOST, ({ network }, bad) => network[method](bad, 'b')],
    [`${method}(to)`, 'ERR_BAD_ARGUMENT', NO_HOST, ({ network }, bad) => network[method]('a', bad)],
  ]),
  ...(['setLatency', 'setRate'] as const).flatMap((method): (typeof TABLE)[number][] => [
    [`${method}(from)`, 'ERR_BAD_ARGUMENT', NO_HOST, ({ network }, bad) => network[method](bad, 'b', 1)],
    [`${method}(to)`, 'ERR_BAD_ARGUMENT', NO_HOST, ({ network }, bad) => network[method]('a', bad, undefined)],
  ]),
  ['setLatency(latencyMs)', 'ERR_BAD_ARGUMENT', NO_DELAY, ({ network }, bad) => network.setLatency('a', 'b', bad)],
  [
    'setRate(bytesPerSecond)',
    'ERR_BAD_ARGUMENT',
    { ...OTHERS, 0: 0, '-1': -1, NaN: Number.NaN, "'7'": '7' },
    ({ network }, bad) => network.setRate('a', 'b', bad),
  ],
  ['openLinks(a)', 'ERR_BAD_ARGUMENT', NO_HOST, ({ network }, bad) => network.openLinks(bad, 'b')],
  ['openLinks(b)', 'ERR_BAD_ARGUMENT', NO_HOST, ({ network }, bad) => network.openLinks('a', bad)],
  ['crash(hostName)', 'ERR_BAD_ARGUMENT', NO_HOST, ({ network }, bad) => network.crash(bad)],
  ['crash', 'ERR_BAD_OPTION', NO_OPTIONS, ({ network }, bad) => network.crash('a', bad)],
  ['isTold of crash', 'ERR_BAD_OPTION', NO_FLAG, ({ network }, isTold) => network.crash('a', { isTold })],
  ['stall(hostName)', 'ERR_BAD_ARGUMENT', NO_HOST, ({ network }, bad) => network.stall(bad)],
  ['resume(hostName)', 'ERR_BAD_ARGUMENT', NO_HOST, ({ network }, bad) => network.resume(bad)],
]

describe('a test cluster', () => {
  let cluster: TestCluster
  let a: Node
  let b: Node

  beforeEach(async () => {
    cluster = new TestCluster()
    a = await cluster.start('a')
    b = await cluster.start('b')
    cluster.network.transport('c')
    await cluster.advance(100)
  })

  afterEach(() => cluster.stop())

  it.each(
    TABLE.flatMap(([says, code, kinds, call]) =>
      Object.keys(kinds).map((kind) => ({ says, code, kind, bad: kinds[kind], call })),
    ),
  )('$says: $kind is $code', async ({ says, code, bad, call }) => {
    const startedMs = cluster.clock.monotonicMs()
    const outcome = await Promise.resolve()
      .then(() => call(cluster, untyped(bad)))
      .then(
        () => 'nothing thrown',
        (error: unknown) => error,
      )
    expect(outcome).toBeInstanceOf(PidmeshError)
    expect(outcome).toMatchObject({ code, message: expect.stringContaining(says) })
    // Nothing has happened: both go on as before, and hear each other at once.
    const wallMs = a.clock.wallMs()
    expect([cluster.clock.monotonicMs(), [...cluster.network.hostNames]]).toEqual([startedMs, ['a', 'b', 'c']])
    expect(wallMs).toBe(b.clock.wallMs())
    const got: unknown[] = []
    const pid = b.spawn(async (self) => void got.push(await self.receive()))
    a.send(pid, 'hello')
    await cluster.advance(1)
    expect([got, a.nodes(), b.nodes()]).toEqual([['hello'], [b.name], [a.name]])
  })

  it('what is allowed at the edge: no latency, no end, less than none, a clock that goes back, nobody on a side', async () => {
    const { network } = cluster
    new TestCluster({ seed: -1, latencyMs: 0, socketBytes: 0, maxTurns: Infinity })
    new TestCluster({ latencyMs: [0, 0] })
    network.setLatency('a', 'b', 0)
    network.setLatency('a', 'b', undefined)
    network.setRate('a', 'b', Infinity)
    network.setRate('a', 'b', undefined)
    cluster.jumpWallClock('a', -1)
    cluster.partition([], ['a'])
    cluster.stall('a', 0)
    await cluster.advance(0)
    expect(a.nodes()).toEqual([b.name])
    cluster.break('a', 'b', { arriving: (inFlight) => inFlight - 1, tellMs: { a: Infinity, b: 0 } })
    await cluster.advance(1)
    expect([a.nodes(), b.nodes()]).toEqual([[b.name], []])
  })

  it('a host that only has a transport can be cut, broken, healed and crashed as any other', async () => {
    cluster.partition(['a'], ['c'])
    cluster.break('a', 'c', { tellMs: { c: 5 } })
    cluster.heal()
    cluster.crash('c', { isTold: false })
    await cluster.advance(1)
    expect(a.nodes()).toEqual([b.name])
  })

  it('a host stays known when it is gone, and one that could not start was never there', async () => {
    cluster.crash('b')
    cluster.partition(['a'], ['b'])
    cluster.crash('b')
    await expect(cluster.start('d', { port: -1 })).rejects.toMatchObject({ code: 'ERR_BAD_OPTION' })
    expect(() => cluster.crash('d')).toThrow(
      'crash(name): there is no host "d"; there are "a", "b", "c", called by what start, or transport, was given',
    )
  })

  it('`heal` ends what a host without a node was cut off with, too', async () => {
    const { network } = cluster
    const got: number[] = []
    network.cut('c', 'a')
    const events = { onFrame: () => undefined, onEnd: () => got.push(cluster.clock.monotonicMs()) }
    network.transport('c').dial('127.0.0.1:1', events)
    network.setLatency('c', 'a', 50)
    cluster.heal()
    network.transport('c').dial(a.address, events).send(Uint8Array.of(0))
    await cluster.advance(10)
    // The node has refused what no node sends, so it has come.
    expect(got).toHaveLength(2)
  })
})
