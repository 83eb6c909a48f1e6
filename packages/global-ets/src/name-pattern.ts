/**
 * Which names are meant: what `select` and `watch` take.
 */
import type { NameMeta, NodeName } from '@pidmesh/runtime'
import { bad, checkKey } from './checks.ts'
import type { KeyFilter } from './engine/watches.ts'
import type { NameRow } from './names-messages.ts'

/** All that is given must hold. Names are in the order of their code units. */
export interface NamePattern<M extends NameMeta = NameMeta> {
  readonly prefix?: string | undefined
  /** The first name of a range. */
  readonly from?: string | undefined
  /** As `from`, itself left out: to go on after it. `undefined`, as of `rows.at(-1)?.name` before the first page: from the beginning. */
  readonly after?: string | undefined
  /** The end of a range, itself left out. */
  readonly to?: string | undefined
  /** Of whose processes they are. */
  readonly node?: NodeName | undefined
  /** Whatever else a row must be. */
  readonly where?: ((row: NameRow<M>) => boolean) | undefined
  /** @default Infinity */
  readonly limit?: number | undefined
}

/** One name, or all that begin with a text, or all. */
export type WatchPattern =
  | { readonly name: string; readonly prefix?: undefined }
  | { readonly name?: undefined; readonly prefix?: string | undefined }

const TEXTS = ['prefix', 'from', 'after', 'to', 'node'] as const
const FIELDS: ReadonlySet<string> = new Set<keyof NamePattern>([...TEXTS, 'where', 'limit'])

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkPattern<M extends NameMeta>(pattern: NamePattern<M>): NamePattern<M> {
  checkFields(pattern, FIELDS)
  for (const field of TEXTS)
    if (pattern[field] !== undefined && typeof pattern[field] !== 'string') throw bad(`${field} of a pattern is a text`)
  const { where, limit } = pattern
  if (where !== undefined && typeof where !== 'function') throw bad('where of a pattern is a function')
  if (limit !== undefined && !(typeof limit === 'number' && limit >= 0))
    throw bad('limit of a pattern is a number from 0 on')
  return pattern
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function keyFilter(pattern: WatchPattern): KeyFilter {
  checkFields(pattern, new Set(['name', 'prefix']))
  const { name, prefix } = pattern as { readonly name?: unknown; readonly prefix?: unknown }
  if (name !== undefined) {
    checkKey('name', name)
    if (prefix !== undefined) throw bad('a watch is of a name, or of a prefix')
    return { type: 'key', key: name }
  }
  if (prefix === undefined || prefix === '') return { type: 'all' }
  if (typeof prefix !== 'string') throw bad('prefix of a watch is a text')
  return { type: 'prefix', prefix }
}

function checkFields(pattern: object, known: ReadonlySet<string>): void {
  if (typeof pattern !== 'object' || pattern === null) throw bad('a pattern is an object')
  for (const field of Object.keys(pattern))
    if (!known.has(field)) throw bad(`a pattern has no ${JSON.stringify(field)}`)
}
