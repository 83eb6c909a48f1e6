// The command line of `pnpm demo`.

import { parseArgs } from 'node:util'

import { OptionError, toInteger, toOptionError } from './option-error.ts'

export const HELP = `Usage: pnpm demo [options]

Starts a cluster of chat nodes on this machine, each a process of its own, and prints the address of each node's page.

  --nodes N      how many nodes, 1 to 9 (default 3)
  --port P       port of the first page; the next nodes take the next ports (default 8081; 0: any free ports)
  --mesh-port P  port on which the first node talks to the others, likewise (default 7001; 0: any free ports)
  --help         show this

Ctrl-C ends every process, and so does the end of standard input, if that is a terminal (Ctrl-D) or a pipe.
To run it without a terminal: pnpm demo < /dev/null

Exit code: 0 ended as asked · 1 could not start, or no node is left · 2 bad option · 130 forced by a second Ctrl-C`

export type ClusterOptions = {
  nodes: number
  /** 0: any free ports. */
  firstPort: number
  /** 0: any free ports. */
  firstMeshPort: number
}

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
  return { do: 'start', options: { nodes, firstPort, firstMeshPort } }
}

function parse(args: readonly string[]): { nodes: string; port: string; 'mesh-port': string; help: boolean } {
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
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw toOptionError(error)
  }
}
