import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import { Metrics, type GatewayStats } from '@pidmesh/metrics'
import { startNode, type Node } from '@pidmesh/runtime'
import { CLOSE, Gateway, SocketSession, type DropReason, type ResumeResult } from '@pidmesh/ws-gateway'
import { Counter, Registry, type OpenMetricsContentType } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { seriesOf } from './exposition.ts'

let node: Node
let names: GlobalEts
let groups: ProcessGroups

beforeEach(async () => {
  node = await startNode({ name: 'm@127.0.0.1', cookie: 'a cookie of tests', logLevel: 'silent' })
  names = await GlobalEts.start(node)
  groups = await ProcessGroups.start(node)
})

afterEach(() => node.stop())

const none: GatewayStats = { connections: 0, messagesIn: 0, messagesOut: 0, refused: new Map(), closed: new Map() }

/** The series of a gateway that counts so. */
async function ofGateway(stats: Partial<GatewayStats>): Promise<ReadonlyMap<string, number>> {
  return seriesOf(await new Metrics({ node, gateway: { stats: { ...none, ...stats } } }).text())
}

it('the counters of a node are there, and who it is', async () => {
  const metrics = new Metrics({ node })
  const before = seriesOf(await metrics.text())
  const pid = node.spawn(() => new Promise<void>(() => undefined))
  const after = seriesOf(await metrics.text())
  expect(node.isProcessAlive(pid)).toBe(true)
  expect(after.get('pidmesh_node_info{node="m@127.0.0.1"}')).toBe(1)
  expect(after.get('pidmesh_processes')).toBe((before.get('pidmesh_processes') ?? 0) + 1)
  expect(after.get('pidmesh_processes_spawned_total')).toBe(node.counters().processesSpawned)
  expect(metrics.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
})

it('each counter has a metric of its own', async () => {
  const counters = node.counters()
  const keys = Object.keys(counters) as (keyof typeof counters)[]
  keys.forEach((key, at) => Object.assign(counters, { [key]: 1_000 + at }))
  const series = seriesOf(await new Metrics({ node: { name: 'm@127.0.0.1', counters: () => counters } }).text())
  const values = [...series.values()].filter((value) => value >= 1_000)
  expect(values.toSorted((a, b) => a - b)).toEqual(keys.map((_, at) => 1_000 + at))
  expect(series.get('pidmesh_processes')).toBe(counters.processes)
  expect(series.get('pidmesh_signals_sent_total')).toBe(counters.signalsSent)
  expect(series.get('pidmesh_distribution_buffered_bytes')).toBe(counters.bufferedBytes)
})

it('each number of a gateway has the metric that is named for it', async () => {
  const of = (count: number) => ({ bounds: [1], counts: [count, 0], sum: count / 2, count })
  const series = await ofGateway({
    connections: 1_001,
    unauthenticated: 1_002,
    messagesIn: 1_003,
    messagesOut: 1_004,
    bytesIn: 1_005,
    bytesOut: 1_006,
    pushLatencySeconds: of(1_007),
    mailboxMessages: of(1_008),
    bufferedBytes: of(1_009),
  })
  for (const [name, value] of Object.entries({
    sockets: 1_001,
    unauthenticated: 1_002,
    messages_received_total: 1_003,
    messages_sent_total: 1_004,
    received_bytes_total: 1_005,
    sent_bytes_total: 1_006,
    push_latency_seconds_count: 1_007,
    mailbox_messages_count: 1_008,
    buffered_bytes_count: 1_009,
  }))
    expect(series.get(`pidmesh_gateway_${name}`), name).toBe(value)
})

it('each table is there by its label, and its nodes by their state', async () => {
  names.registerName('alice', node.self.pid)
  groups.join('room', node.self.pid)
  groups.join('other', node.self.pid)
  const series = seriesOf(await new Metrics({ node, names, groups }).text())
  expect(series.get('pidmesh_table_rows{table="names"}')).toBe(1)
  expect(series.get('pidmesh_table_own_rows{table="groups"}')).toBe(2)
  expect(series.get('pidmesh_table_nodes{table="names",state="live"}')).toBe(0)

  const stats = {
    ...names.stats,
    nodes: [
      { state: 'live', isBusy: true },
      { state: 'live', isBusy: false },
      { state: 'stale', isBusy: false },
    ],
  }
  const of = seriesOf(await new Metrics({ node, names: { stats } }).text())
  expect(of.get('pidmesh_table_nodes{table="names",state="live"}')).toBe(2)
  expect(of.get('pidmesh_table_nodes{table="names",state="stale"}')).toBe(1)
  expect(of.get('pidmesh_table_busy_nodes{table="names"}')).toBe(1)
  expect([...of.keys()].some((key) => key.includes('groups'))).toBe(false)
})

it('each state that the copy of a node may be in has a series, at 0 while none is in it', async () => {
  type State = GlobalEts['stats']['nodes'][number]['state']
  const counts: Readonly<Record<State, number>> = { absent: 0, syncing: 1, live: 2, stale: 3, hidden: 4, refused: 5 }
  const nodes = Object.entries(counts).flatMap(([state, count]) =>
    Array.from({ length: count }, () => ({ state, isBusy: false })),
  )
  const series = seriesOf(await new Metrics({ node, names: { stats: { ...names.stats, nodes } } }).text())
  expect([...series].filter(([key]) => key.startsWith('pidmesh_table_nodes'))).toEqual(
    Object.entries(counts).map(([state, count]) => [`pidmesh_table_nodes{table="names",state="${state}"}`, count]),
  )
})

it('each number of a table has the metric that is named for it', async () => {
  const stats = { size: 11, own: 12, rowsHeld: 13, logBytes: 14, watches: 15, restarts: 16, nodes: [] }
  const series = seriesOf(await new Metrics({ node, groups: { stats } }).text())
  const shown = [...series].filter(([key]) => key.startsWith('pidmesh_table_') && !key.includes('nodes'))
  expect(shown.map(([key, value]) => [key.replace('{table="groups"}', ''), value])).toEqual([
    ['pidmesh_table_rows', 11],
    ['pidmesh_table_own_rows', 12],
    ['pidmesh_table_held_rows', 13],
    ['pidmesh_table_log_bytes', 14],
    ['pidmesh_table_watches', 15],
    ['pidmesh_table_restarts_total', 16],
  ])
})

it('a gateway is there with what it counts', async () => {
  class Echo extends SocketSession<string, string, string> {
    override handleMessage(message: string) {
      this.push(message)
    }
  }
  const gateway = await Gateway.start(node, {
    port: 0,
    names,
    session: Echo,
    authenticate: ({ url }) => (url.search === '' ? 'anybody' : new Promise(() => undefined)),
  })
  const metrics = new Metrics({ node, names, groups, gateway })
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws`)
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send('"hello"')
  await new Promise((resolve) => socket.once('message', resolve))
  const series = seriesOf(await metrics.text())
  expect(series.get('pidmesh_gateway_sockets')).toBe(1)
  expect(series.get('pidmesh_gateway_messages_received_total')).toBe(1)
  expect(series.get('pidmesh_gateway_messages_sent_total')).toBe(1)
  // Of what is in a frame, without its head.
  expect(series.get('pidmesh_gateway_received_bytes_total')).toBe('"hello"'.length)
  expect(series.get('pidmesh_gateway_sent_bytes_total')).toBe('"hello"'.length)
  expect(series.get('pidmesh_gateway_ready')).toBe(1)
  expect(series.get('pidmesh_gateway_unauthenticated')).toBe(0)
  const unknown = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws?user=nobody`).on('error', () => undefined)
  await expect.poll(async () => seriesOf(await metrics.text()).get('pidmesh_gateway_unauthenticated')).toBe(1)
  unknown.terminate()
  await gateway.stop()
  const stopped = seriesOf(await metrics.text())
  expect(stopped.get('pidmesh_gateway_sockets_closed_total{code="1012"}')).toBe(1)
  expect(stopped.get('pidmesh_gateway_ready')).toBe(0)
})

describe('of what a gateway counts', () => {
  it('reasons, statuses, codes and results are labels', async () => {
    const series = await ofGateway({
      sessions: { attached: 3, detached: 2 },
      bytesIn: 10,
      unencodable: 4,
      dropped: new Map([['slow', 5]]),
      refused: new Map([[401, 6]]),
      closed: new Map([[4008, 7]]),
      resumes: new Map([['gap', 8]]),
    })
    expect(series.get('pidmesh_gateway_sessions{state="detached"}')).toBe(2)
    expect(series.get('pidmesh_gateway_received_bytes_total')).toBe(10)
    expect(series.get('pidmesh_gateway_messages_dropped_total{reason="unencodable"}')).toBe(4)
    expect(series.get('pidmesh_gateway_messages_dropped_total{reason="slow"}')).toBe(5)
    expect(series.get('pidmesh_gateway_upgrades_refused_total{status="401"}')).toBe(6)
    expect(series.get('pidmesh_gateway_sockets_closed_total{code="4008"}')).toBe(7)
    expect(series.get('pidmesh_gateway_resumes_total{result="gap"}')).toBe(8)
  })

  it('each reason and each result is there before the first is counted, at 0; the others come with their first', async () => {
    type Reasons = Readonly<Record<DropReason, 0>>
    type Results = Readonly<Record<ResumeResult, 0>>
    const reasons: Reasons = { droppable: 0, coalesced: 0, unencodable: 0, no_socket: 0 }
    const results: Results = { resumed: 0, moved: 0, gap: 0, gone: 0, refused: 0, busy: 0 }
    const series = await ofGateway({ dropped: new Map([['coalesced', 2]]), resumes: new Map() })
    const of = (metric: string): unknown[] => [...series].filter(([key]) => key.startsWith(`pidmesh_gateway_${metric}`))
    expect(of('messages_dropped')).toEqual(
      Object.entries({ ...reasons, coalesced: 2 }).map(([reason, count]) => [
        `pidmesh_gateway_messages_dropped_total{reason="${reason}"}`,
        count,
      ]),
    )
    expect(of('resumes')).toEqual(
      Object.keys(results).map((result) => [`pidmesh_gateway_resumes_total{result="${result}"}`, 0]),
    )
    expect([...of('upgrades_refused'), ...of('sockets_closed')]).toEqual([])
  })

  it('what is not there is not shown', async () => {
    const series = await ofGateway({})
    expect([...series.keys()].filter((key) => key.startsWith('pidmesh_gateway_'))).toEqual([
      'pidmesh_gateway_sockets',
      'pidmesh_gateway_messages_received_total',
      'pidmesh_gateway_messages_sent_total',
    ])
  })

  it('distributions are histograms, whose buckets count all up to their bound', async () => {
    const series = await ofGateway({
      pushLatencySeconds: { bounds: [0.001, 0.5], counts: [3, 2, 1], sum: 4.25, count: 6 },
    })
    expect([...series].filter(([key]) => key.includes('latency'))).toEqual([
      ['pidmesh_gateway_push_latency_seconds_bucket{le="0.001"}', 3],
      ['pidmesh_gateway_push_latency_seconds_bucket{le="0.5"}', 5],
      ['pidmesh_gateway_push_latency_seconds_bucket{le="+Inf"}', 6],
      ['pidmesh_gateway_push_latency_seconds_sum', 4.25],
      ['pidmesh_gateway_push_latency_seconds_count', 6],
    ])
  })

  it('close codes that clients invent share one series, and those that are known keep theirs; no count goes back', async () => {
    const closed = new Map<number, number>()
    const metrics = new Metrics({ node, gateway: { stats: { ...none, closed } } })
    const codes = async () => [...seriesOf(await metrics.text())].filter(([key]) => key.includes('closed'))
    for (let code = 3_000; code < 4_000; code++) closed.set(code, 1)
    const many = await codes()
    expect(many).toHaveLength(65)
    expect(many.reduce((all, [, count]) => all + count, 0)).toBe(1_000)
    closed.set(4_999, 50)
    const known = [1_000, 1_006, 1_009, ...Object.values(CLOSE).map(({ code }) => code)]
    for (const code of known) closed.set(code, 2)
    const more = new Map(await codes())
    for (const [key, count] of many) expect(more.get(key)).toBeGreaterThanOrEqual(count)
    for (const code of known) expect(more.get(`pidmesh_gateway_sockets_closed_total{code="${code}"}`)).toBe(2)
    expect(more.get('pidmesh_gateway_sockets_closed_total{code="other"}')).toBe(936 + 50)
  })
})

it('a scrape reads each source once, and the next one again', async () => {
  let reads = 0
  const gateway = {
    get stats() {
      reads++
      return none
    },
  }
  const metrics = new Metrics({ node, gateway })
  reads = 0
  await metrics.text()
  expect(reads).toBe(1)
  await metrics.text()
  expect(reads).toBe(2)
})

it('a source that fails is an error of the scrape, and the next one is as it should be', async () => {
  let fails = true
  const broken = {
    name: 'm@127.0.0.1',
    counters: () => {
      if (fails) throw new RangeError('mine')
      return node.counters()
    },
  }
  const metrics = new Metrics({ node: broken })
  await expect(metrics.text()).rejects.toThrow('mine')
  fails = false
  expect(seriesOf(await metrics.text()).get('pidmesh_processes')).toBeGreaterThan(0)
})

it('metrics may stand in a registry of yours, under a prefix of yours, and in the form of OpenMetrics', async () => {
  const registry = new Registry()
  new Counter({ name: 'mine_total', help: 'mine', registers: [registry] }).inc(3)
  const a = new Metrics({ node, registry })
  const b = new Metrics({ node, registry, prefix: 'b_' })
  const series = seriesOf(await b.text())
  expect(await a.text()).toContain('mine_total 3')
  expect(series.get('b_processes')).toBe(series.get('pidmesh_processes'))
  const open = new Registry<OpenMetricsContentType>()
  open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const text = await new Metrics({ node, registry: open }).text()
  expect(text).toContain('\npidmesh_processes_spawned_total ')
  expect(text).toContain('# TYPE pidmesh_processes_spawned counter')
  expect(text).toMatch(/# EOF\n$/)
})

it('a bad option is told at once', () => {
  const bad = expect.objectContaining({ code: 'ERR_BAD_OPTION' })
  const wrong: readonly Record<string, unknown>[] = [
    { node: undefined },
    { node: {} },
    { node: { counters: () => undefined } },
    { names: {} },
    { names: { stats: null } },
    { gateway: null },
    { prefix: '' },
    { prefix: 'a b' },
    { prefix: 7 },
    { more: 1 },
    { registry: 'mine' },
  ]
  for (const one of wrong) {
    expect(() => new Metrics({ node, ...one })).toThrow(bad)
  }
  const registry = new Registry()
  expect(new Metrics({ node, registry })).toBeDefined()
  expect(() => new Metrics({ node, registry })).toThrow(bad)
})

it('metrics that are not all taken leave none in the registry', () => {
  const registry = new Registry()
  const taken = new Counter({ name: 'pidmesh_gateway_sockets', help: 'mine', registers: [registry] })
  const bad = expect.objectContaining({ code: 'ERR_BAD_OPTION' })
  expect(() => new Metrics({ node, groups, gateway: { stats: none }, registry })).toThrow(bad)
  expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual(['pidmesh_gateway_sockets'])
  expect(registry.getSingleMetric('pidmesh_gateway_sockets')).toBe(taken)
})

it('metrics that are unregistered leave their names to others, and what else the registry has stays', async () => {
  const registry = new Registry()
  new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] }).inc()
  const former = new Metrics({ node, gateway: { stats: none }, registry })
  former.unregister()
  expect([...seriesOf(await former.text()).keys()]).toEqual(['orders_total'])
  const metrics = new Metrics({ node, gateway: { stats: { ...none, connections: 7 } }, registry })
  former.unregister()
  expect(seriesOf(await metrics.text()).get('pidmesh_gateway_sockets')).toBe(7)
})

it('a way of keeping names that is no table has metrics of its own, and of what it does not count none', async () => {
  const stats = { names: 2, pending: 3, isAvailable: false, storeFailures: 4, sent: 5, failed: 6, lost: 7 }
  const series = seriesOf(await new Metrics({ node, names: { stats }, groups }).text())
  expect([...series].filter(([key]) => key.startsWith('pidmesh_names_'))).toEqual([
    ['pidmesh_names_own', 2],
    ['pidmesh_names_store_up', 0],
    ['pidmesh_names_store_pending', 3],
    ['pidmesh_names_store_failures_total', 4],
    ['pidmesh_names_sends_total', 5],
    ['pidmesh_names_sends_failed_total', 6],
    ['pidmesh_names_lost_total', 7],
  ])
  expect(series.get('pidmesh_table_rows{table="groups"}')).toBe(0)
  expect(series.get('pidmesh_table_rows{table="names"}')).toBeUndefined()

  const more = { unreleased: 8, pendingBytes: 9, received: 10, ignored: 11, malformed: 12 }
  const all = seriesOf(await new Metrics({ node, names: { stats: { ...stats, ...more } } }).text())
  expect([...all].filter(([key]) => key.startsWith('pidmesh_names_') && !series.has(key))).toEqual([
    ['pidmesh_names_store_pending_bytes', 9],
    ['pidmesh_names_unreleased', 8],
    ['pidmesh_names_messages_received_total', 10],
    ['pidmesh_names_messages_ignored_total', 11],
    ['pidmesh_names_messages_malformed_total', 12],
  ])
})
