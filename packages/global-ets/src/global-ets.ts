/**
 * GlobalEts: a table of names that every node of the cluster holds in memory. What a node asks it, it answers without asking anyone.
 *
 *   const names = await GlobalEts.start(node)
 *   names.registerName('user:alice', pid)               // known on every node from now on
 *   names.send('user:alice', { type: 'notice' })        // from any node
 *
 * A name ends with its process; the names of a node that dies are gone as soon as its death is noticed. When two parts of a cluster that were apart
 * meet, each name that both have goes to one of the two by the table's policy, and the process that loses it ends with `{ name_conflict: … }`.
 *
 * In its default form it behaves as simple_global does (rows, return values, order), and converges where that doesn't.
 */
import { start } from '@pidmesh/gen-server'
import {
  encodedBytes,
  PidmeshError,
  Pid,
  Ref,
  type Context,
  type NameMeta,
  type Node,
  type NodeName,
  type SendStatus,
  type Via,
} from '@pidmesh/runtime'
import type { Claim } from './claim.ts'
import { compareCodeUnits, type ConflictPolicy } from './conflict.ts'
import { serverName, TableServer } from './server.ts'
import { Table } from './table.ts'

export interface GlobalEtsOptions {
  /** The table's name, the same on all nodes. Tables of different scopes know nothing of each other. @default 'default' */
  readonly scope?: string
  /** Who keeps a name that two nodes claim. The same on all nodes. @default 'smaller_node' */
  readonly policy?: ConflictPolicy
}

/** A row as simple_global shows it. */
export type NameRow =
  | { readonly name: string; readonly pid: Pid; readonly node: 'local'; readonly ref: Ref; readonly meta: NameMeta }
  | {
      readonly name: string
      readonly pid: Pid
      readonly node: NodeName
      readonly ref: undefined
      readonly meta: NameMeta
    }

/** UTF-8 bytes of a name at most. */
const MAX_NAME_BYTES = 256
/** Bytes of metadata, as it is sent, at most. */
const MAX_META_BYTES = 1_024

/** A table server that ends is started again, later and later if it ends again and again. */
const RESTART_FIRST_MS = 10
const RESTART_MOST_MS = 5_000

const POLICIES: ReadonlySet<string> = new Set<ConflictPolicy>(['smaller_node', 'newest'])

export class GlobalEts implements Via {
  private readonly owner: Node
  private readonly table: Table
  private readonly watchers = new Map<string, Pid>()
  private server: TableServer | undefined = undefined

  private readonly settings: Required<GlobalEtsOptions>
  private restarts = 0

  private constructor(owner: Node, table: Table, settings: Required<GlobalEtsOptions>) {
    this.owner = owner
    this.table = table
    this.settings = settings
  }

  /**
   * Starts a node's copy of a table. It fills as the nodes that are connected send theirs.
   * @throws PidmeshError `ERR_BAD_OPTION`; StartError `ERR_ALREADY_STARTED` if the node has a table of that scope
   */
  static async start(node: Node, options: GlobalEtsOptions = {}): Promise<GlobalEts> {
    for (const key of Object.keys(options)) {
      if (key !== 'scope' && key !== 'policy')
        throw new PidmeshError('ERR_BAD_OPTION', `unknown option ${JSON.stringify(key)}`)
    }
    const { scope = 'default', policy = 'smaller_node' } = options
    if (typeof scope !== 'string' || scope === '')
      throw new PidmeshError('ERR_BAD_OPTION', 'scope must be a text that is not empty')
    if (!POLICIES.has(policy))
      throw new PidmeshError('ERR_BAD_OPTION', `policy must be one of ${[...POLICIES].join(', ')}`)
    if (!node.connectsAll)
      node.log.warn(
        { scope },
        'a table of names on a node that is not connected with all: it knows only the names of those it is connected with',
      )
    const names = new GlobalEts(node, new Table(policy), { scope, policy })
    await names.startServer()
    return names
  }

  /** Names that this node knows of, its own among them. */
  get size(): number {
    return this.table.size
  }

  /**
   * Registers a process of this node under a name; it may have many. Known here at once, and elsewhere as soon as the message is there.
   * @returns `no` if the name is taken, by the same process as well, or the process is dead or not of this node
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no name, pid or metadata: a text of 1 to 256 bytes, metadata of up to 1 KiB
   */
  registerName(name: string, pid: Pid, meta: NameMeta = {}): 'yes' | 'no' {
    checkName(name)
    if (!(pid instanceof Pid)) throw bad(`not a pid: ${String(pid)}`)
    const kept = checkMeta(meta)
    const server = this.living()
    if (!this.isLivingHere(pid)) return 'no'
    // Its holder has ended, and the table is only about to be told.
    const holder = this.table.own(name)?.pid
    if (holder !== undefined && !this.isLivingHere(holder)) this.table.releaseProcess(holder)
    const answer = this.table.register(name, pid, kept)
    if (answer === 'yes') {
      server.monitorProcess(pid)
      server.requestFlush()
    }
    return answer
  }

  /** Gives up a name of this node. A name that isn't this node's is left as it is. */
  unregisterName(name: string): 'ok' {
    const gone = this.table.unregister(name)
    if (gone !== undefined) {
      const server = this.living()
      if (gone.wasLast) server.forgetProcess(gone.pid)
      server.requestFlush()
    }
    return 'ok'
  }

  whereisName(name: string): Pid | undefined {
    const pid = this.table.visible(name)?.pid
    // The end of a process here is known before the table has been told of it.
    return pid !== undefined && pid.node === this.owner.name && !this.isLivingHere(pid) ? undefined : pid
  }

  resolveName(name: string): Pid | undefined {
    return this.whereisName(name)
  }

  /** Sends to whoever has the name. `noproc` if nobody has. */
  send(name: string, message: unknown): SendStatus | 'noproc' {
    const pid = this.whereisName(name)
    return pid === undefined ? 'noproc' : this.owner.send(pid, message)
  }

  /** Replaces the metadata of a name of this node: `error` if it isn't this node's. */
  setMeta(name: string, meta: NameMeta): 'ok' | 'error' {
    const answer = this.table.setMeta(name, checkMeta(meta))
    if (answer === 'ok') this.living().requestFlush()
    return answer
  }

  /** What is known with a name. */
  metaOf(name: string): NameMeta | undefined {
    return this.table.visible(name)?.meta
  }

  /** The names of this node's processes, in key order. */
  localRegisteredNames(): string[] {
    return this.sorted(this.table.log.claims.values()).map((claim) => claim.name)
  }

  /** All names, in key order. */
  registeredNames(): string[] {
    return this.sorted(this.table.visibleClaims()).map((claim) => claim.name)
  }

  /** The rows of this node's names, in key order. */
  localRegisteredInfo(): NameRow[] {
    return this.sorted(this.table.log.claims.values()).flatMap((claim) => this.rowOf(claim))
  }

  /** All rows, in key order. */
  registeredInfo(): NameRow[] {
    return this.sorted(this.table.visibleClaims()).flatMap((claim) => this.rowOf(claim))
  }

  /** Sends `{ type: 'names_changed', scope }` to a process of this node whenever the table has changed; changes of one turn are one message. */
  notifyOfChanges(pid: Pid): void {
    if (!this.isLivingHere(pid)) throw bad(`${pid} is not a living process of this node`)
    this.living().addWatcher(pid)
  }

  private async startServer(): Promise<void> {
    const { owner, table, settings } = this
    const name = serverName(settings.scope)
    await start(
      owner,
      TableServer,
      [
        {
          name,
          table,
          policy: settings.policy,
          watchers: this.watchers,
          nodes: () => owner.nodes(),
          onReady: (server: TableServer) => {
            this.server = server
            server.context.signal.addEventListener('abort', () => this.onServerGone())
          },
        },
      ],
      { name, label: `names ${settings.scope}` },
    )
  }

  /** The table outlives its server, but what others say reaches only a server: without one their names are not to be trusted. */
  private onServerGone(): void {
    for (const server of this.table.servers()) this.table.dropView(server)
    if (this.owner.isStopping) return
    this.restarts++
    this.owner.log.error(
      { scope: this.settings.scope, restarts: this.restarts },
      'the table server has ended and is started again',
    )
    const delayMs = Math.min(RESTART_MOST_MS, RESTART_FIRST_MS * 2 ** Math.min(this.restarts - 1, 10))
    this.owner.clock.setTimer(delayMs, () => {
      if (this.owner.isStopping) return
      this.startServer().catch((error: unknown) => {
        this.owner.log.error(
          { scope: this.settings.scope, problem: String(error) },
          'the table server could not be started',
        )
      })
    })
  }

  private rowOf(claim: Claim): NameRow[] {
    const { name, pid, meta } = claim
    if (pid.node !== this.owner.name) return [{ name, pid, node: pid.node, ref: undefined, meta }]
    const ref = this.server?.monitorOf(pid)
    return ref === undefined ? [] : [{ name, pid, node: 'local', ref, meta }]
  }

  private sorted(claims: Iterable<Claim>): Claim[] {
    return [...claims].sort((a, b) => compareCodeUnits(a.name, b.name))
  }

  private isLivingHere(pid: Pid): boolean {
    return pid.node === this.owner.name && pid.incarnation === this.owner.incarnation && this.owner.isProcessAlive(pid)
  }

  private living(): TableServer {
    const { server } = this
    const self: Context | undefined = server?.context
    if (server === undefined || self === undefined || !self.isAlive) {
      throw new PidmeshError('ERR_NODE_STOPPED', 'the table is not running on this node')
    }
    return server
  }
}

function checkName(name: unknown): void {
  if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw bad(`a name is a text of 1 to ${MAX_NAME_BYTES} bytes, not ${describe(name)}`)
  }
  // Half of a surrogate pair has no form in UTF-8: other nodes would know another name.
  if (Buffer.from(name).toString() !== name) throw bad('a name must be well-formed Unicode')
}

/** The metadata as its own copy: what the caller does with its object later is not the table's. It will be sent: it must be sendable. */
function checkMeta(meta: unknown): NameMeta {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta))
    throw bad(`metadata is an object, not ${describe(meta)}`)
  let bytes: number
  try {
    bytes = encodedBytes(meta)
  } catch (cause) {
    throw new PidmeshError(
      'ERR_BAD_ARGUMENT',
      `metadata can't be sent: ${cause instanceof Error ? cause.message : 'unknown'}`,
      { cause },
    )
  }
  if (bytes > MAX_META_BYTES) throw bad(`metadata has ${bytes} bytes, over ${MAX_META_BYTES}`)
  return copyOf(meta) as NameMeta
}

/** A deep copy of sendable data. Identities are immutable and stay what they are. */
function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Pid || value instanceof Ref) return value
  if (Array.isArray(value)) return value.map(copyOf)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [copyOf(key), copyOf(item)]))
  if (value instanceof Set) return new Set([...value].map(copyOf))
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (value instanceof Date) return new Date(value)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item)]))
}

function describe(value: unknown): string {
  return typeof value === 'string' ? `one of ${Buffer.byteLength(value)} bytes` : typeof value
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', problem)
}
