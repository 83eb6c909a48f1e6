/**
 * The options of a table, and what may be said of its heir.
 */
import { Pid, type Context } from '@pidmesh/runtime'
import { badOption } from '../checks.ts'
import type { EtsKey } from './key.ts'
import type { EtsType } from './rows.ts'

/** The fields of a row that can be its key: those that are always there, and hold nothing but keys. */
export type KeyField<Row> = {
  [Field in keyof Row & string]-?: Row[Field] extends EtsKey ? Field : never
}[keyof Row & string]

/** The keys of a table. */
export type KeyOf<Row, Key extends keyof Row> = Extract<Row[Key], EtsKey>

export type EtsProtection = 'public' | 'protected' | 'private'

/** Who gets a table when its owner ends, and the `data` of the message that says so. */
export interface EtsHeir {
  readonly pid: Pid
  readonly data: unknown
}

export interface EtsOptions<Key extends string, Type extends EtsType> {
  /** The field that is the key of a row. */
  readonly key: Key
  /** @default 'set' */
  readonly type?: Type | undefined
  /** Who may read and write: all processes of the node; all read, and the owner writes; the owner only. @default 'protected' */
  readonly protection?: EtsProtection | undefined
  /** Makes the table found by its name: see `Ets.whereis`. @default false */
  readonly named?: boolean | undefined
  /** @default nobody: the table ends with its owner */
  readonly heir?: EtsHeir | undefined
  /** Rows at most: one more is refused, with `ERR_TABLE_FULL`. @default no limit */
  readonly maxRows?: number | undefined
}

export interface CheckedEtsOptions {
  readonly key: string
  readonly type: EtsType
  readonly protection: EtsProtection
  readonly named: boolean
  readonly heir: EtsHeir | undefined
  readonly maxRows: number
}

const KNOWN: ReadonlySet<string> = new Set<keyof CheckedEtsOptions>([
  'key',
  'type',
  'protection',
  'named',
  'heir',
  'maxRows',
])
const TYPES: ReadonlySet<unknown> = new Set<EtsType>(['set', 'ordered_set', 'bag', 'duplicate_bag'])
const PROTECTIONS: ReadonlySet<unknown> = new Set<EtsProtection>(['public', 'protected', 'private'])

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkEtsOptions(self: Context, options: EtsOptions<string, EtsType>): CheckedEtsOptions {
  if (typeof options !== 'object' || options === null) throw badOption('the options of a table must be an object')
  const { key, type = 'set', protection = 'protected', named = false, heir, maxRows = Infinity, ...others } = options
  const unknown = Object.keys(others).find((name) => !KNOWN.has(name))
  if (unknown !== undefined) throw badOption(`a table has no option ${JSON.stringify(unknown)}`)
  if (typeof key !== 'string' || key === '') throw badOption('key must be the name of a field')
  if (!TYPES.has(type)) throw badOption(`type must be one of ${[...TYPES].join(', ')}`)
  if (!PROTECTIONS.has(protection)) throw badOption(`protection must be one of ${[...PROTECTIONS].join(', ')}`)
  if (typeof named !== 'boolean') throw badOption('named must be true or false')
  if (typeof maxRows !== 'number' || !(maxRows >= 1)) throw badOption('maxRows must be a number, 1 or more')
  return { key, type, protection, named, heir: checkHeir(self, heir), maxRows }
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkHeir(self: Context, heir: EtsHeir | undefined): EtsHeir | undefined {
  if (heir === undefined) return undefined
  if (typeof heir !== 'object' || heir === null || !(heir.pid instanceof Pid))
    throw badOption('heir must be { pid, data }')
  if (!isOfSameNode(heir.pid, self.pid)) throw badOption(`an heir is a process of the same node, not ${heir.pid}`)
  // One that has ended already is none, as in Erlang; one that ends later is still shown.
  return self.isProcessAlive(heir.pid) ? { pid: heir.pid, data: heir.data } : undefined
}

export function isOfSameNode(a: Pid, b: Pid): boolean {
  return a.node === b.node && a.incarnation === b.incarnation
}
