// The ways in which the chat can keep its names, as `--via` has them. Nothing is loaded here of what only one of them needs.

import { OptionError } from './option-error.ts'

export const WAYS = ['global-ets', 'redis', 'mysql', 'kafka', 'redis-pubsub'] as const

export type Way = (typeof WAYS)[number]

/** The ways that ask somebody: a store or a broker. */
export type StoreWay = Exclude<Way, 'global-ets'>

/** A store that runs. Kafka has `host:port`, the others a URL, which may have a password in it: for the environment, not for command lines or messages. */
export type StorePlace = { address: string; host: string; port: number }

/** What the page says of its way. */
export const WAY_TEXT: Readonly<Record<Way, string>> = {
  'global-ets': 'a table on every node',
  redis: 'Redis, location database',
  mysql: 'MySQL or MariaDB, location database',
  kafka: 'Kafka, pub-sub',
  'redis-pubsub': 'Redis, pub-sub',
}

type Form = { protocols: readonly string[]; port: number; example: string }

const REDIS: Form = { protocols: ['redis:', 'rediss:'], port: 6379, example: 'redis://127.0.0.1:6379' }

const FORMS: Readonly<Record<Exclude<StoreWay, 'kafka'>, Form>> = {
  redis: REDIS,
  'redis-pubsub': REDIS,
  mysql: { protocols: ['mysql:', 'mariadb:'], port: 3306, example: 'mysql://user:password@127.0.0.1:3306/database' },
}

/** @throws OptionError */
export function toWay(value: string): Way {
  const way = WAYS.find((one) => one === value)
  if (way === undefined) throw new OptionError(`--via takes one of ${WAYS.join(', ')}, not ${JSON.stringify(value)}`)
  return way
}

/**
 * @param source where the address was written, for the message; which does not repeat it
 * @throws OptionError
 */
export function toStorePlace(way: StoreWay, address: string, source: string): StorePlace {
  if (way === 'kafka') return toBroker(address, source)
  const { protocols, port, example } = FORMS[way]
  const url = URL.canParse(address) ? new URL(address) : undefined
  const isComplete = way !== 'mysql' || (url !== undefined && url.username !== '' && url.pathname.length > 1)
  if (url === undefined || url.hostname === '' || !protocols.includes(url.protocol) || !isComplete)
    throw new OptionError(`${source} takes, with --via ${way}, an address like ${example}`)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return { address, host, port: url.port === '' ? port : Number(url.port) }
}

function toBroker(address: string, source: string): StorePlace {
  const [, host = '', digits] = /^([^\s:/@]+|\[[\da-fA-F:]+\]):(\d{1,5})$/.exec(address) ?? []
  const port = Number(digits)
  if (!(port >= 1 && port <= 65_535))
    throw new OptionError(`${source} takes, with --via kafka, an address like 127.0.0.1:9092`)
  return { address, host: host.replace(/^\[(.*)\]$/, '$1'), port }
}
