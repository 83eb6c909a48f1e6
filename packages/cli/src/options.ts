/**
 * The command line of `pidmesh`.
 */
import { parseArgs } from 'node:util'
import { isNodeName, type NodeName } from '@pidmesh/runtime'

export const HELP = `Usage: pidmesh certs [options] name@host …
       pidmesh help | --help | --version

Makes a certificate for each node, signed by an authority of your own, for the option tls of startNode:

  ca.pem, ca-key.pem               the authority: made if they aren't there, for ten years; keep the key to yourself
  name@host.pem, name@host-key.pem one pair a node

  --out DIR    where they are, and are written to (default certs)
  --days N     how long the certificates of nodes are good for (default 365), at most as long as their authority
  --force      writes over the certificates of nodes that are there already
  --help, -h   show this
  --version    show the version of the packages

Exit code: 0 all written · 1 could not · 2 bad option`

export interface CertsOptions {
  readonly nodes: readonly NodeName[]
  readonly directory: string
  /** Of the nodes' certificates. */
  readonly days: number
  readonly force: boolean
}

export type Command =
  | { readonly type: 'help' }
  | { readonly type: 'version' }
  | { readonly type: 'certs'; readonly options: CertsOptions }

/** What is wrong with a command line, in one sentence. */
export class UsageError extends Error {}

/** @throws UsageError */
export function readCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args)
  const [command, ...names] = positionals
  if (values.help || args.length === 0 || command === 'help') return { type: 'help' }
  if (values.version) return { type: 'version' }
  if (command === undefined) throw new UsageError('which command? There is certs')
  if (command !== 'certs') throw new UsageError(`there is no command ${JSON.stringify(command)}: there is certs`)
  const days = Number(values.days)
  if (!Number.isInteger(days) || days < 1 || days > 36_500)
    throw new UsageError(`--days takes a number of days from 1 to 36500, not ${values.days}`)
  if (values.out === '') throw new UsageError('--out takes a directory, not an empty text')
  if (names.length === 0) throw new UsageError('which nodes? Name them: pidmesh certs chat1@10.0.0.1 chat2@10.0.0.2')
  const nodes = names.map((name) => {
    if (!isNodeName(name)) throw new UsageError(`a node name has the form name@host, not ${JSON.stringify(name)}`)
    return name
  })
  return { type: 'certs', options: { nodes: [...new Set(nodes)], directory: values.out, days, force: values.force } }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        out: { type: 'string', default: 'certs' },
        days: { type: 'string', default: '365' },
        force: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
