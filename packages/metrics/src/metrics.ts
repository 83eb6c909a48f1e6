/**
 * Metrics: what a node, its tables and its gateway count, as Prometheus reads it.
 *
 *   scrape ─▶ text() ─▶ each source is read once ─▶ lines
 *
 * Nothing is kept here but the settings: between two scrapes it costs nothing. docs/metrics.md lists the metrics.
 */
import { PidmeshError, shown } from '@pidmesh/runtime'
import { Registry } from 'prom-client'
import { register, type AnyRegistry } from './collectors.ts'
import { GATEWAY_METRICS, type GatewaySource, type GatewayStats } from './gateway-metrics.ts'
import { NODE_METRICS, readNode, type NodeSource, type NodeStats } from './node-metrics.ts'
import { TABLE_METRICS, type TableName, type TableSource, type TablesStats } from './table-metrics.ts'
import { WAY_METRICS, type WaySource, type WayStats } from './way-metrics.ts'

export interface MetricsOptions {
  readonly node: NodeSource
  /** What keeps names: what `GlobalEts.start`, `LocationVia.start` or `BroadcastVia.start` has resolved with. */
  readonly names?: TableSource | WaySource | undefined
  /** The table of groups: what `ProcessGroups.start` has resolved with. */
  readonly groups?: TableSource | undefined
  readonly gateway?: GatewaySource | undefined
  /** Before the name of each metric. @default 'pidmesh_' */
  readonly prefix?: string | undefined
  /** Where the metrics are registered, beside others of yours. Two nodes, or two gateways, in one registry need two prefixes. @default one of its own */
  readonly registry?: AnyRegistry | undefined
}

const KNOWN: ReadonlySet<string> = new Set<keyof MetricsOptions>([
  'node',
  'names',
  'groups',
  'gateway',
  'prefix',
  'registry',
])

export class Metrics {
  private readonly registry: AnyRegistry
  private names: readonly string[]

  /**
   * @throws PidmeshError `ERR_BAD_OPTION`: also if the registry has a metric of one of the names
   *
   * @example
   *   const metrics = new Metrics({ node, names, groups, gateway })
   *   createServer((_request, response) => {
   *     metrics.text().then(
   *       (text) => response.setHeader('Content-Type', metrics.contentType).end(text),
   *       (error) => response.writeHead(500).end(String(error)),
   *     )
   *   }).listen(9_464, '127.0.0.1')
   */
  constructor(options: MetricsOptions) {
    const { node, names, groups, gateway, prefix = 'pidmesh_', registry = new Registry() } = check(options)
    this.registry = registry
    const tables = Object.entries({ names, groups }).filter((entry): entry is [TableName, TableSource] =>
      isTable(entry[1]),
    )
    let before: ReadonlySet<string> | undefined
    const added = (): string[] => {
      const others = before
      return others === undefined ? [] : [...namesIn(registry)].filter((name) => !others.has(name))
    }
    try {
      before = namesIn(registry)
      register(NODE_METRICS, { registry, prefix, stats: atOnce((): NodeStats => readNode(node)) })
      if (tables.length > 0) {
        const stats = atOnce((): TablesStats => tables.map(([table, source]) => [table, source.stats]))
        register(TABLE_METRICS, { registry, prefix, stats })
      }
      if (names !== undefined && !isTable(names))
        register(WAY_METRICS, { registry, prefix, stats: atOnce((): WayStats => names.stats) })
      if (gateway !== undefined) {
        register(GATEWAY_METRICS, { registry, prefix, stats: atOnce((): GatewayStats => gateway.stats) })
      }
    } catch (error) {
      // Those that it has taken would be in the way of a second try.
      for (const name of added()) registry.removeSingleMetric(name)
      throw new PidmeshError('ERR_BAD_OPTION', `the registry did not take the metrics: ${String(error)}`, {
        cause: error,
      })
    }
    this.names = added()
  }

  /** The `Content-Type` of `text`. */
  get contentType(): string {
    return this.registry.contentType
  }

  /** Takes the metrics out of the registry again: of a gateway that has stopped, say, where another one is to have their names. Those of others stay. */
  unregister(): void {
    for (const name of this.names) this.registry.removeSingleMetric(name)
    this.names = []
  }

  /** All metrics of the registry, as a scrape wants them. Rejects with what a source throws. */
  text(): Promise<string> {
    return this.registry.metrics()
  }
}

function namesIn(registry: AnyRegistry): ReadonlySet<string> {
  return new Set(registry.getMetricsAsArray().map(({ name }) => name))
}

function isTable(source: TableSource | WaySource | undefined): source is TableSource {
  return source !== undefined && 'rowsHeld' in source.stats
}

/** Reads once for all who ask at the same moment: a registry asks each metric by itself, in one go. */
function atOnce<Stats>(read: () => Stats): () => Stats {
  let last: { readonly stats: Stats } | undefined
  return () => {
    if (last === undefined) {
      last = { stats: read() }
      queueMicrotask(() => (last = undefined))
    }
    return last.stats
  }
}

function check(options: MetricsOptions): MetricsOptions {
  if (typeof options !== 'object' || options === null) throw bad(`options must be an object, not ${shown(options)}`)
  for (const name of Object.keys(options)) if (!KNOWN.has(name)) throw bad(`unknown option ${shown(name)}`)
  const { node, prefix } = options
  if (typeof node?.counters !== 'function' || typeof node.name !== 'string')
    throw bad(`node must be a node, not ${shown(node)}`)
  for (const name of ['names', 'groups', 'gateway'] as const) {
    const source: { readonly stats: unknown } | undefined = options[name]
    if (source !== undefined && (typeof source?.stats !== 'object' || source.stats === null))
      throw bad(`${name} must have stats, as what its start has resolved with, not ${shown(source)}`)
  }
  if (prefix !== undefined && (typeof prefix !== 'string' || !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(prefix)))
    throw bad(`prefix must be the beginning of a metric's name, not ${shown(prefix)}`)
  return options
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
