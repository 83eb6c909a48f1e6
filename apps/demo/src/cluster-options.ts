// The command line of `pnpm demo`.

import { parseArgs } from 'node:util'

import { OptionError, toInteger, toOptionError } from './option-error.ts'
import { toStorePlace, toWay } from './ways.ts'
import type { StorePlace, StoreWay } from './ways.ts'

export const HELP = `Usage: pnpm demo [options]

Starts a cluster of chat nodes on this machine, each a process of its own, and prints the address of each node's page.

  --nodes N      how many nodes, 1 to 9 (default 3)
  --port P       port of the first page; the next nodes take the next ports (default 8081; 0: any free ports)
  --mesh-port P  port on which the first node talks to the others, likewise (default 7001; 0: any free ports)
  --via WAY      how names are kept (default global-ets):
                   global-ets    in a table on every node
                   redis         in Redis, as a location database
                   mysql         in MariaDB or MySQL, as a location database
                   kafka         over Kafka, as pub-sub
                   redis-pubsub  over Redis, as pub-sub
                 Its server is started with the demo, on a free port, in a temporary folder, and ends with it.
  --store URL    a server that runs already, in its place: redis://127.0.0.1:6379,
                 mysql://user:password@127.0.0.1:3306/database, or 127.0.0.1:9092 for Kafka
  --help         show this

Ctrl-C ends every process, and so does the end of standard input, if that is a terminal (Ctrl-D) or a pipe.
To run it without a terminal: pnpm demo < /dev/null

Exit code: 0 ended as asked · 1 could not start, or no node is left · 2 bad option, or the server of --via is not installed · 130 forced by a second Ctrl-C`

export type ClusterOptions = {
  nodes: number
  /** 0: any free ports. */
  firstPort: number
  /** 0: any free ports. */
  firstMeshPort: number
  names: NamesChoice
}

/** `store`: one that is there already; otherwise the demo starts its own. */
export type NamesChoice = { via: 'global-ets' } | { via: StoreWay; store: StorePlace | undefined }

export type ClusterCommand = { do: 'help' } | { do: 'start'; options: ClusterOptions }

/** @throws OptionError */
export function parseClusterOptions(args: readonly string[]): ClusterCommand {
  const values = parse(args)
  if (values.help) return { do: 'help' }
  const nodes = toInteger('nodes', values.nodes, { min: 1, max: 9 })
  const maxPort = 65_536 - nodes
  const firstPort = toInteger('port', values.port, { min: 0, max: maxPort })
  const firstMeshPort = toInteger('mesh-port', values['mesh-port'], { min: 0, max: maxPort })
  if (firstPort !== 0 && firstMeshPort !== 0 && Math.abs(firstPort - firstMeshPort) < nodes) {
    throw new OptionError(
      `--port ${firstPort} and --mesh-port ${firstMeshPort} are too close together: ${nodes} nodes would share ports`,
    )
  }
  return { do: 'start', options: { nodes, firstPort, firstMeshPort, names: toNamesChoice(values.via, values.store) } }
}

function toNamesChoice(value: string, store: string | undefined): NamesChoice {
  const via = toWay(value)
  if (via !== 'global-ets') return { via, store: store === undefined ? undefined : toStorePlace(via, store, '--store') }
  if (store !== undefined) throw new OptionError('--store is for a way that has a store: choose one with --via')
  return { via }
}

type Values = { nodes: string; port: string; 'mesh-port': string; via: string; store?: string; help: boolean }

function parse(args: readonly string[]): Values {
  // `pnpm demo -- --nodes 5` hands the dashes on.
  const own = args[0] === '--' ? args.slice(1) : args
  try {
    return parseArgs({
      args: [...own],
      strict: true,
      allowPositionals: false,
      options: {
        nodes: { type: 'string', default: '3' },
        port: { type: 'string', default: '8081' },
        'mesh-port': { type: 'string', default: '7001' },
        via: { type: 'string', default: 'global-ets' },
        store: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw toOptionError(error)
  }
}
