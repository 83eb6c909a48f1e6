/**
 * ProcessGroups: OTP's `pg`. Groups of processes that every node of the cluster holds in memory: who is in a group is known without asking anyone.
 *
 *   const groups = await ProcessGroups.start(node)
 *   groups.join('room:lobby', pid, { nick: 'alice' })       // known on every node from now on
 *   groups.broadcast('room:lobby', { type: 'said' })        // one message a node, and from there to each member
 *
 * A process may be in many groups, and several times in one: then it is as many times among the members, and has to leave as often. It is in no group any more when
 * it has ended; those of a node that dies are gone as soon as its death is noticed. There are no clashes: a node speaks for its own processes only.
 *
 * The same engine as that of names (engine/): a membership is a row, of which a group has many.
 *
 * When the groups, or their node, have been stopped, who reads finds nobody, who gives up (`leave`, `demonitor`) learns that there is nothing, and all else is
 * `ERR_NODE_STOPPED`.
 */
import {
  PidmeshError,
  type Groups,
  type NameMeta,
  type Node,
  type NodeName,
  type Pid,
  type Ref,
} from '@pidmesh/runtime'
import {
  bad,
  badOption,
  checkKey,
  checkMeta,
  checkOptionNames,
  checkPid,
  checkRef,
  checkTimeout,
  isList,
} from './checks.ts'
import type { MemberPids } from './engine/member-pids.ts'
import { QUOTA } from './engine/quota.ts'
import { ReplicatedTable, type TableStats } from './engine/replicated-table.ts'
import { NONE } from './engine/rows.ts'
import type { ChangeType } from './engine/watches.ts'
import { groupMessages, type GroupChange, type GroupMember, type GroupsMonitor } from './groups-messages.ts'
import { checkCount, checkScope } from './names-options.ts'

export interface ProcessGroupsOptions<M extends NameMeta = NameMeta> {
  /** The same on all nodes. Groups of different scopes know nothing of each other. @default 'default' */
  readonly scope?: string | undefined
  /** Recognises the metadata of members, and gives it its type: what it refuses can't join here. @default any sendable object */
  readonly metadata?: ((meta: NameMeta) => meta is M) | undefined
  /** What is taken of one other node. @default 1,000,000 memberships, 100,000 operations a second (and 10 s worth of them at once) */
  readonly quota?:
    | { readonly maxMembersPerNode?: number | undefined; readonly maxOpsPerSecond?: number | undefined }
    | undefined
}

const OPTIONS: ReadonlySet<string> = new Set<keyof ProcessGroupsOptions>(['scope', 'metadata', 'quota'])
const QUOTAS: ReadonlySet<string> = new Set(['maxMembersPerNode', 'maxOpsPerSecond'])

type MetaArgument<M> = {} extends M ? [meta?: M] : [meta: M]

export class ProcessGroups<M extends NameMeta = NameMeta> implements Groups {
  private readonly owner: Node
  private readonly table: ReplicatedTable<GroupChange<M>>
  private readonly name: string
  private readonly metadata: ((meta: NameMeta) => boolean) | undefined

  private constructor(
    owner: Node,
    table: ReplicatedTable<GroupChange<M>>,
    { name, metadata }: { readonly name: string; readonly metadata: ((meta: NameMeta) => boolean) | undefined },
  ) {
    this.owner = owner
    this.table = table
    this.name = name
    this.metadata = metadata
  }

  /**
   * Starts a node's copy of the groups of a scope.
   * @throws PidmeshError `ERR_BAD_OPTION` by rejection; StartError `ERR_ALREADY_STARTED` if the node has groups of that scope
   */
  static async start<M extends NameMeta = NameMeta>(
    node: Node,
    options: ProcessGroupsOptions<M> = {},
  ): Promise<ProcessGroups<M>> {
    if (typeof options !== 'object' || options === null) throw badOption('options are an object')
    checkOptionNames(options, OPTIONS)
    const { metadata, quota = {} } = options
    if (metadata !== undefined && typeof metadata !== 'function') throw badOption('metadata must be a function')
    if (typeof quota !== 'object' || quota === null) throw badOption('quota must be an object')
    checkOptionNames(quota, QUOTAS)
    const name = `pidmesh_groups:${checkScope(options.scope)}`
    const table: ReplicatedTable<GroupChange<M>> = await ReplicatedTable.start<GroupChange<M>>(node, {
      kind: 'groups',
      name,
      // All are seen; the name is for the comparison alone.
      policy: 'smaller_node',
      quota: {
        maxRowsPerNode: checkCount('maxMembersPerNode', quota.maxMembersPerNode, QUOTA.maxRowsPerNode),
        maxOpsPerSecond: checkCount('maxOpsPerSecond', quota.maxOpsPerSecond, QUOTA.maxOpsPerSecond),
      },
      changeOf: (type, slot) => changeOf<M>(table, type, slot),
      messagesOf: groupMessages,
      onBroadcast: (group, message) => groups.sendLocal(group, message),
    })
    const groups: ProcessGroups<M> = new ProcessGroups<M>(node, table, { name, metadata })
    return groups
  }

  /** What the table is like now, as plain numbers for a metrics library. */
  get stats(): TableStats {
    return this.table.stats
  }

  /** Ends this node's part: its processes are in no groups any more. */
  stop(): Promise<void> {
    return this.table.stop()
  }

  /**
   * Puts processes of this node into a group. One that is there already is there once more.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no group (a text of 1 to 256 bytes), metadata, or living process of this node: then nobody has joined;
   * `ERR_NODE_STOPPED`
   */
  join(group: string, pids: Pid | readonly Pid[], ...[meta]: MetaArgument<M>): 'ok' {
    checkKey('group', group)
    const kept = checkMeta(this.table.replica.terms, meta)
    if (this.metadata?.(kept.meta) === false) throw bad("the metadata is not of the groups' type")
    const list = pidsOf(pids)
    this.table.checkRunning()
    for (const pid of list) if (!this.table.watchEnd(pid)) throw bad(`${pid} is not a living process of this node`)
    for (const pid of list) this.table.put(group, pid, kept)
    return 'ok'
  }

  /**
   * Takes processes out of a group: each of those that are given, once.
   * @returns `not_joined` if none of them was in it; when the groups were stopped none is
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no group or pid
   */
  leave(group: string, pids: Pid | readonly Pid[]): 'ok' | 'not_joined' {
    checkKey('group', group)
    const list = pidsOf(pids)
    if (!this.table.isRunning) return 'not_joined'
    const { table } = this.table.replica
    let left = 0
    for (const pid of list) {
      if (!this.isHere(pid)) continue
      const slot = table.findNewest(table.own, group, pid.id)
      if (slot === NONE) continue
      this.table.remove(slot)
      left++
    }
    return left > 0 ? 'ok' : 'not_joined'
  }

  /**
   * Replaces the metadata of a process of this node in a group, of all its memberships: `error` if it isn't in it.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no group, pid or metadata; `ERR_NODE_STOPPED`
   */
  setMeta(group: string, pid: Pid, meta: M): 'ok' | 'error' {
    checkKey('group', group)
    checkPid(pid)
    const kept = checkMeta(this.table.replica.terms, meta)
    if (this.metadata?.(kept.meta) === false) throw bad("the metadata is not of the groups' type")
    this.table.checkRunning()
    const { table } = this.table.replica
    const slots = this.isHere(pid) ? table.findClaims(table.own, group, pid.id) : []
    if (slots.length === 0) return 'error'
    this.table.change(slots, kept)
    return 'ok'
  }

  /** The members of a group on all nodes, in no certain order: `pg:get_members/2`. */
  members(group: string): Pid[] {
    return [...this.pidsOf(group).all]
  }

  /** Those of this node: `pg:get_local_members/2`. */
  localMembers(group: string): Pid[] {
    return [...this.pidsOf(group).own]
  }

  /** The members of a group on all nodes, and what is known of each: who is present. */
  presence(group: string): GroupMember<M>[] {
    const { rows } = this.table.replica.table
    checkKey('group', group)
    const slots = this.table.replica.table.membersOf(group)
    return slots.map((slot) => ({ pid: this.table.pidOf(slot), meta: rows.metaOf(slot) as M }))
  }

  /** The groups that have members, on whatever node, in key order: `pg:which_groups/1`. It looks at all groups. */
  groups(): string[] {
    const { table } = this.table.replica
    return table
      .keys()
      .filter((group) => table.visible(group) !== -1)
      .sort()
  }

  /** The groups that have members on this node, in key order: `pg:which_local_groups/1`. */
  localGroups(): string[] {
    const { table } = this.table.replica
    return [...new Set([...table.ownRows()].map((slot) => table.rows.keyOf(slot)))].sort()
  }

  /** Memberships that this node knows of. O(nodes). */
  get size(): number {
    return this.table.replica.table.size
  }

  /** Memberships of the processes of a node, this one included. O(1) */
  countOn(node: NodeName): number {
    const { table, views } = this.table.replica
    const copy = node === this.owner.name ? table.own : views.get(node)?.copy
    return copy === undefined ? 0 : table.countOfCopy(copy)
  }

  /**
   * Sends a message to all members of a group: one message to each node that has some, and from there to each. It reaches those that are members there when it
   * arrives. Of two broadcasts of one sender the first comes first; what the sender sends to a member directly may overtake one.
   * @returns `busy` if a connection that it went over is, `noconnection` if one couldn't be reached
   * @throws PidmeshError `ERR_BAD_ARGUMENT`; `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` if it can't be sent to another node: then nobody gets it;
   * `ERR_NODE_STOPPED`
   */
  broadcast(group: string, message: unknown): 'ok' | 'busy' | 'noconnection' {
    const pids = this.pidsOf(group)
    this.table.checkRunning()
    const { views } = this.table.replica
    const servers = pids.others.flatMap((node) => views.get(node)?.server ?? [])
    const status = servers.length === 0 ? 'ok' : this.sendToNodes(servers, group, message)
    this.owner.sendAll(pids.own, message)
    return status
  }

  /**
   * Tells a process of this node of all joins and leaves: `pg:monitor_scope/1`. Messages are `{ type: 'join' | 'leave', ref, group, pids }`, and `{ type: 'meta', ref,
   * group, members }`; between the groups that are returned, in key order, and the first message there is no gap.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if it is not a living process of this node, or has 10,000 monitors; `ERR_NODE_STOPPED`
   */
  monitorScope(pid: Pid): GroupsMonitor<M> {
    checkPid(pid)
    const ref = this.table.watch(pid, { type: 'all' })
    const groups = new Map<string, GroupMember<M>[]>()
    // In key order: that of the table follows from its secret.
    for (const group of this.table.replica.table.keys().sort()) {
      const members = this.toldMembers(group)
      if (members.length > 0) groups.set(group, members)
    }
    return { ref, groups }
  }

  /**
   * As `monitorScope`, of one group: `pg:monitor/2`.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_NODE_STOPPED`
   */
  monitorGroup(pid: Pid, group: string): { readonly ref: Ref; readonly members: readonly GroupMember<M>[] } {
    checkPid(pid)
    checkKey('group', group)
    return { ref: this.table.watch(pid, { type: 'key', key: group }), members: this.toldMembers(group) }
  }

  /**
   * Ends a monitor: nothing of it is sent any more. Says whether there was one.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no reference
   */
  demonitor(ref: Ref): boolean {
    checkRef(ref)
    return this.table.watches.remove(ref)
  }

  /** Resolves when the groups of all nodes that are connected are there, or after `timeoutMs`. @throws PidmeshError `ERR_BAD_ARGUMENT` by rejection */
  async filled(timeoutMs: number = Infinity): Promise<void> {
    checkTimeout(timeoutMs)
    await this.table.filled(timeoutMs)
  }

  private isHere(pid: Pid): boolean {
    return pid.node === this.owner.name && pid.incarnation === this.owner.incarnation
  }

  private pidsOf(group: string): MemberPids {
    checkKey('group', group)
    return this.table.replica.table.pidsOf(group)
  }

  private toldMembers(group: string): GroupMember<M>[] {
    const { table } = this.table.replica
    return [...table.rowsOf(group)]
      .filter((slot) => table.rows.isTold(slot))
      .map((slot) => ({ pid: this.table.pidOf(slot), meta: table.rows.metaOf(slot) as M }))
  }

  private sendToNodes(servers: readonly Pid[], group: string, message: unknown): 'ok' | 'busy' | 'noconnection' {
    const from = this.owner.whereis(this.name)
    if (from === undefined) throw new PidmeshError('ERR_NODE_STOPPED', 'the groups are not running on this node')
    return this.owner.sendAll(servers, { type: 'broadcast', from, group, message })
  }

  /** Another node may name what is no group: it has no members. */
  private sendLocal(group: string, message: unknown): void {
    this.owner.sendAll(this.table.replica.table.pidsOf(group).own, message)
  }
}

function pidsOf(pids: unknown): Pid[] {
  const list: readonly unknown[] = isList(pids) ? [...pids] : [pids]
  return list.map((pid) => {
    checkPid(pid)
    return pid
  })
}

function changeOf<M extends NameMeta>(
  table: ReplicatedTable<GroupChange<M>>,
  type: ChangeType,
  slot: number,
): GroupChange<M> {
  const { rows } = table.replica.table
  return { type, group: rows.keyOf(slot), pid: table.pidOf(slot), meta: rows.metaOf(slot) as M }
}
