/**
 * The options of a table of names, checked.
 */
import type { NameMeta } from '@pidmesh/runtime'
import { badOption, checkOptionNames, HALF_PAIR } from './checks.ts'
import type { ConflictPolicy } from './engine/conflict.ts'
import { QUOTA, type Quota } from './engine/quota.ts'

export interface GlobalEtsOptions<M extends NameMeta = NameMeta> {
  /** The table's name, the same on all nodes. Tables of different scopes know nothing of each other. @default 'default' */
  readonly scope?: string | undefined
  /** Who keeps a name that two nodes claim. The same on all nodes, which compare its name: tables that differ don't see each other. @default 'smaller_node' */
  readonly policy?: ConflictPolicy | undefined
  /**
   * What becomes of a process that has lost a name in a clash: `exit`: it ends with `{ name_conflict: { name, winner, policy } }`, and is killed if it hasn't ended
   * 5 s later; `tell`: it gets a `NameLostMessage`, and lives on. @default 'exit'
   */
  readonly loser?: 'exit' | 'tell' | undefined
  /** Recognises the metadata of the table's names, and gives it its type: what it refuses can't be registered here. @default any sendable object */
  readonly metadata?: ((meta: NameMeta) => meta is M) | undefined
  /** Names that begin with one of these are counted all the time: see `count`. 16 at most. @default none */
  readonly countedPrefixes?: readonly string[] | undefined
  /**
   * Keeps the names in order, for `select` with a prefix or a range: it takes as long as what it finds. Otherwise it looks at all names. The order takes
   * about 10 bytes a name, and half a microsecond a registration. @default false
   */
  readonly ordered?: boolean | undefined
  /** What is taken of one other node. @default 1,000,000 names, 100,000 operations a second (and 10 s worth of them at once) */
  readonly quota?:
    | { readonly maxNamesPerNode?: number | undefined; readonly maxOpsPerSecond?: number | undefined }
    | undefined
}

export interface CheckedOptions {
  readonly scope: string
  readonly policy: ConflictPolicy
  readonly loser: 'exit' | 'tell'
  readonly metadata: ((meta: NameMeta) => boolean) | undefined
  readonly countedPrefixes: readonly string[]
  readonly ordered: boolean
  readonly quota: Quota
}

const OPTIONS: ReadonlySet<string> = new Set<keyof GlobalEtsOptions>([
  'scope',
  'policy',
  'loser',
  'metadata',
  'countedPrefixes',
  'ordered',
  'quota',
])
const QUOTAS: ReadonlySet<string> = new Set(['maxNamesPerNode', 'maxOpsPerSecond'])
const MAX_COUNTED_PREFIXES = 16

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkNamesOptions<M extends NameMeta>(options: GlobalEtsOptions<M>): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw badOption('options are an object')
  checkOptionNames(options, OPTIONS)
  const { loser = 'exit', metadata, ordered = false, quota = {} } = options
  if (loser !== 'exit' && loser !== 'tell') throw badOption("loser must be 'exit' or 'tell'")
  if (metadata !== undefined && typeof metadata !== 'function') throw badOption('metadata must be a function')
  if (typeof ordered !== 'boolean') throw badOption('ordered must be true or false')
  if (typeof quota !== 'object' || quota === null) throw badOption('quota must be an object')
  checkOptionNames(quota, QUOTAS)
  return {
    scope: checkScope(options.scope),
    policy: checkPolicy(options.policy),
    loser,
    metadata,
    countedPrefixes: checkPrefixes(options.countedPrefixes),
    ordered,
    quota: {
      maxRowsPerNode: checkCount('maxNamesPerNode', quota.maxNamesPerNode, QUOTA.maxRowsPerNode),
      maxOpsPerSecond: checkCount('maxOpsPerSecond', quota.maxOpsPerSecond, QUOTA.maxOpsPerSecond),
    },
  }
}

export function checkScope(scope: unknown = 'default'): string {
  if (typeof scope !== 'string' || scope === '' || scope.length > 100 || HALF_PAIR.test(scope))
    throw badOption('scope must be a well-formed text of 1 to 100 characters')
  return scope
}

export function checkCount(name: string, value: unknown, standard: number): number {
  if (value === undefined) return standard
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
    throw badOption(`${name} must be a whole number from 1 on`)
  return value
}

function checkPolicy(policy: unknown = 'smaller_node'): ConflictPolicy {
  if (policy === 'smaller_node' || policy === 'newest') return policy
  if (typeof policy === 'object' && policy !== null) {
    const { name, sortKey } = policy as { readonly name?: unknown; readonly sortKey?: unknown }
    if (name === 'smaller_node' || name === 'newest') throw badOption(`a sort key can't be named ${name}`)
    if (typeof name === 'string' && name !== '' && typeof sortKey === 'function')
      return { name, sortKey: sortKey as (claimant: unknown) => number }
  }
  throw badOption("policy must be 'smaller_node', 'newest', or { name, sortKey }")
}

function checkPrefixes(prefixes: unknown = []): readonly string[] {
  if (!Array.isArray(prefixes) || !prefixes.every((prefix) => typeof prefix === 'string' && prefix !== ''))
    throw badOption('countedPrefixes must be texts that are not empty')
  if (prefixes.length > MAX_COUNTED_PREFIXES) throw badOption(`countedPrefixes are ${MAX_COUNTED_PREFIXES} at most`)
  return [...new Set(prefixes as string[])]
}
