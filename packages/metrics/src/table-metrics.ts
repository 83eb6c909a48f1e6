/**
 * The metrics of replicated tables: of names and of groups, by the label `table`.
 */
import type { NumberDefinition, Sample } from './definition.ts'

/** What is read of `GlobalEts` and `ProcessGroups`. */
export interface TableSource {
  readonly stats: TableStats
}

export interface TableStats {
  readonly size: number
  readonly own: number
  readonly rowsHeld: number
  readonly logBytes: number
  readonly watches: number
  readonly restarts: number
  readonly nodes: readonly { readonly state: string; readonly isBusy: boolean }[]
}

export type TableName = 'names' | 'groups'
export type TablesStats = readonly (readonly [table: TableName, stats: TableStats])[]

/** Of a view: see docs/replication.md. */
const STATES = ['absent', 'syncing', 'live', 'stale', 'hidden', 'refused']

export const TABLE_METRICS: readonly NumberDefinition<TablesStats>[] = [
  of('gauge', 'table_rows', 'Names or memberships that are seen.', (stats) => stats.size),
  of('gauge', 'table_own_rows', 'Names or memberships of processes of this node.', (stats) => stats.own),
  of('gauge', 'table_held_rows', 'Rows in memory, seen or not.', (stats) => stats.rowsHeld),
  of('gauge', 'table_log_bytes', 'Changes that are kept for nodes that come back.', (stats) => stats.logBytes),
  of('gauge', 'table_watches', 'Watches and monitors of the table.', (stats) => stats.watches),
  of('counter', 'table_restarts_total', "Times that the table's server was started again.", (stats) => stats.restarts),
  of(
    'gauge',
    'table_busy_nodes',
    'Other nodes that take changes more slowly than there are some.',
    (stats) => stats.nodes.filter(({ isBusy }) => isBusy).length,
  ),
  {
    type: 'gauge',
    name: 'table_nodes',
    help: 'Other nodes, by the state of the copy of their rows.',
    labels: ['table', 'state'],
    read: (tables) => tables.flatMap(([table, { nodes }]) => nodesByState(table, nodes)),
  },
]

function of(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  value: (stats: TableStats) => number,
): NumberDefinition<TablesStats> {
  return {
    type,
    name,
    help,
    labels: ['table'],
    read: (tables) => tables.map(([table, stats]) => ({ labels: { table }, value: value(stats) })),
  }
}

/** All states, so that one that nobody is in is 0 and not gone. */
function nodesByState(table: TableName, nodes: TableStats['nodes']): readonly Sample[] {
  return STATES.map((state) => ({
    labels: { table, state },
    value: nodes.filter((one) => one.state === state).length,
  }))
}
