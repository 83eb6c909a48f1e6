// The command line of one chat node. The cookie and the store's address, which may have a password in it, are not on it: every user of a machine can read command lines.

import { parseArgs } from 'node:util'

import type { NamesPlace } from './chat-names.ts'
import type { ChatNode } from './messages.ts'
import { OptionError, toInteger, toOptionError } from './option-error.ts'
import { toStorePlace, toWay, WAYS } from './ways.ts'

export const HELP: string = `Usage: PIDMESH_COOKIE=secret chat-node --name NAME --port P --mesh-port P [--seed HOST:PORT]… [--url-of NAME=URL]…

  --name NAME        the node's name: chat1@127.0.0.1
  --port P           port of its page and its sockets
  --mesh-port P      port on which it talks to other nodes
  --seed HOST:PORT   a mesh address to begin with; may be its own; repeatable
  --url-of NAME=URL  where a node serves its page, for pages that look for another node; repeatable
  --via WAY          how names are kept, the same on all nodes: ${WAYS.join(', ')} (default global-ets)
  --help             show this

PIDMESH_COOKIE is the cluster's shared secret. PIDMESH_STORE is the address of the store, unless names are kept by global-ets. The node ends on SIGTERM, SIGINT or SIGHUP, when standard input ends (a pipe or a terminal),
and, if it was started with an IPC channel, when that closes or says {type: 'stop'}.`

export type ChatNodeOptions = {
  name: string
  host: string
  port: number
  meshPort: number
  seeds: readonly string[]
  cookie: string
  names: NamesPlace
  /** Every node of which the page's address is known, this one included. */
  urls: readonly ChatNode[]
}

export type ChatNodeCommand = { do: 'help' } | { do: 'start'; options: ChatNodeOptions }

type Values = ReturnType<typeof parse>

/** @throws OptionError */
export function parseChatNodeOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ChatNodeCommand {
  const values = parse(args)
  if (values.help) return { do: 'help' }
  const name = required(values, 'name')
  const host = hostOf(name)
  const port = toInteger('port', required(values, 'port'), { min: 1, max: 65_535 })
  const meshPort = toInteger('mesh-port', required(values, 'mesh-port'), { min: 1, max: 65_535 })
  const seeds = values.seed.map(toSeed)
  const cookie = env['PIDMESH_COOKIE']
  if (cookie === undefined || cookie === '') {
    throw new OptionError("the environment variable PIDMESH_COOKIE must hold the cluster's cookie")
  }
  const names = toNamesPlace(values.via, env['PIDMESH_STORE'] ?? '')
  const urls = values['url-of'].map(toChatNode)
  if (!urls.some((node) => node.name === name)) urls.unshift({ name, url: `http://${host}:${port}` })
  return { do: 'start', options: { name, host, port, meshPort, seeds, cookie, names, urls } }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        name: { type: 'string' },
        port: { type: 'string' },
        'mesh-port': { type: 'string' },
        seed: { type: 'string', multiple: true, default: [] },
        via: { type: 'string', default: 'global-ets' },
        'url-of': { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw toOptionError(error)
  }
}

function required(values: Values, option: 'name' | 'port' | 'mesh-port'): string {
  const value = values[option]
  if (value === undefined) throw new OptionError(`--${option} is missing`)
  return value
}

function toNamesPlace(value: string, store: string): NamesPlace {
  const via = toWay(value)
  if (via === 'global-ets') return { via }
  return { via, store: toStorePlace(via, store, 'the environment variable PIDMESH_STORE').address }
}

function hostOf(name: string): string {
  const host = /^[A-Za-z0-9_-]+@([A-Za-z0-9.-]+)$/.exec(name)?.[1]
  if (host === undefined) throw new OptionError(`--name takes a name like chat1@127.0.0.1, not ${JSON.stringify(name)}`)
  return host
}

function toSeed(seed: string): string {
  const port = Number(/^[^\s:]+:(\d{1,5})$/.exec(seed)?.[1])
  if (port >= 1 && port <= 65_535) return seed
  throw new OptionError(`--seed takes an address like 127.0.0.1:7001, not ${JSON.stringify(seed)}`)
}

function toChatNode(pair: string): ChatNode {
  const at = pair.indexOf('=')
  const url = pair.slice(at + 1)
  if (at < 1 || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new OptionError(
      `--url-of takes a pair like chat1@127.0.0.1=http://127.0.0.1:8081, not ${JSON.stringify(pair)}`,
    )
  }
  return { name: pair.slice(0, at), url: new URL(url).origin }
}
