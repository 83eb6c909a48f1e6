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
 * In its default form it behaves as simple_global does (rows, return values, order), and converges where that doesn't. How it is kept the same everywhere stands in
 * engine/; here is what is asked of it.
 *
 * When the table, or its node, has been stopped, who reads finds nothing, who gives up (`unregisterName`, `unwatch`) learns that there is nothing, and all else that
 * changes or watches it is `ERR_NODE_STOPPED`.
 */
import {
  RateLimitedLog,
  type NameMeta,
  type Node,
  type NodeName,
  type Pid,
  type Ref,
  type SendStatus,
  type Via,
  type ViaCapabilities,
} from '@pidmesh/runtime'
import { bad, checkKey, checkMeta, checkPid, checkRef, checkTakeover, checkTimeout, isList } from './checks.ts'
import type { Claim } from './engine/claim.ts'
import { policyName } from './engine/conflict.ts'
import type { EncodedMeta } from './engine/ops.ts'
import { ReplicatedTable, type TableStats } from './engine/replicated-table.ts'
import { NONE } from './engine/rows.ts'
import { checkNamesOptions, type CheckedOptions, type GlobalEtsOptions } from './names-options.ts'
import type { ReadableTable } from './ets/readable-table.ts'
import { changeOf, NamesReader } from './names-reader.ts'
import { NamesTable } from './names-table.ts'
import { keyFilter, type NamePattern, type WatchPattern } from './name-pattern.ts'
import type {
  MetaField,
  NameChange,
  NameConflict,
  NameEntry,
  NameLostMessage,
  NameRow,
  NamesMessage,
  NamesWatch,
  NewName,
  Registered,
} from './names-messages.ts'

/** Metadata must be given where its type has fields that must be there. */
type MetaArgument<M> = {} extends M ? [meta?: M] : [meta: M]

/** See `takeover`. */
export type TakeoverOptions<M extends NameMeta = NameMeta> = MetaField<M> & {
  readonly expectedEpoch?: number | undefined
}

export class GlobalEts<M extends NameMeta = NameMeta> implements Via {
  private readonly owner: Node
  private readonly table: ReplicatedTable<NameChange<M>>
  private readonly options: CheckedOptions
  private readonly reader: NamesReader<M>
  /** After a cut there may be as many of them as names. */
  private readonly clashes: RateLimitedLog

  private constructor(owner: Node, table: ReplicatedTable<NameChange<M>>, options: CheckedOptions) {
    this.owner = owner
    this.table = table
    this.options = options
    this.reader = new NamesReader(owner, table)
    this.clashes = new RateLimitedLog(owner.log, owner.clock)
  }

  /**
   * Starts a node's copy of a table. It fills as the nodes that are connected send theirs: `filled` waits for that.
   * @throws PidmeshError `ERR_BAD_OPTION` by rejection; StartError `ERR_ALREADY_STARTED` if the node has a table of that scope
   */
  static async start<M extends NameMeta = NameMeta>(
    node: Node,
    options: GlobalEtsOptions<M> = {},
  ): Promise<GlobalEts<M>> {
    const checked = checkNamesOptions(options)
    const { scope, policy, countedPrefixes: prefixes, ordered: isOrdered, quota } = checked
    if (!node.connectsAll)
      node.log.warn(
        { scope },
        'a table of names on a node that is not connected with all: it knows only the names of those it is connected with',
      )
    const table: ReplicatedTable<NameChange<M>> = await ReplicatedTable.start<NameChange<M>>(node, {
      kind: 'names',
      name: `pidmesh_global_ets:${scope}`,
      policy,
      prefixes,
      isOrdered,
      quota,
      changeOf: (type, slot) => changeOf<M>(table, type, slot),
      messagesOf: (ref, changes): NamesMessage<M>[] => [{ type: 'names', scope, ref, changes }],
      onDefeat: (loser, winner) => names.giveUp(loser, winner),
    })
    const names: GlobalEts<M> = new GlobalEts<M>(node, table, checked)
    return names
  }

  /** What the table is like now, as plain numbers for a metrics library. */
  get stats(): TableStats {
    return this.table.stats
  }

  /** Ends this node's part in the table: its names are gone everywhere, and the processes that had them live on. */
  stop(): Promise<void> {
    return this.table.stop()
  }

  /** Names that this node knows of, its own among them. O(nodes). A name that two nodes have, until one gives it up, may count twice for some turns. */
  get size(): number {
    return this.table.replica.table.size
  }

  /**
   * Names that begin with one of the `countedPrefixes`. O(nodes).
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for another prefix
   */
  count(prefix: string): number {
    const at = this.options.countedPrefixes.indexOf(prefix)
    if (at === -1)
      throw bad(`${typeof prefix === 'string' ? JSON.stringify(prefix) : typeof prefix} is none of the countedPrefixes`)
    return this.table.replica.table.countOfPrefix(at)
  }

  /** Names of the processes of a node, this one included. O(1) */
  countOn(node: NodeName): number {
    const { table, views } = this.table.replica
    const copy = node === this.owner.name ? table.own : views.get(node)?.copy
    return copy === undefined ? 0 : table.countOfCopy(copy)
  }

  /**
   * Registers a process of this node under a name; it may have many. Known here at once, and elsewhere as soon as the message is there.
   * @returns `no` if the name is taken, by the same process as well, or the process is dead or not of this node
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no name, pid or metadata: a text of 1 to 256 bytes, an object of up to 1 KiB that can be sent;
   * `ERR_NODE_STOPPED`
   */
  registerName(name: string, pid: Pid, ...[meta]: MetaArgument<M>): 'yes' | 'no' {
    return this.register(name, pid, this.checkedMeta(meta))
  }

  /**
   * Registers many names at once. All are looked at before the first is registered.
   * @returns what `registerName` says of each
   * @throws PidmeshError as `registerName`; then none is registered
   */
  registerNames(names: readonly NewName<M>[]): ('yes' | 'no')[] {
    if (!isList(names)) throw bad('names are a list')
    // A copy: no place of it is left out.
    const checked = [...names].map((entry: NewName<M>) => {
      if (typeof entry !== 'object' || entry === null) throw bad('names are a list of { name, pid, meta }')
      const { name, pid, meta } = entry
      checkKey('name', name)
      checkPid(pid)
      return { name, pid, meta: this.checkedMeta(meta) }
    })
    this.table.checkRunning()
    return checked.map(({ name, pid, meta }) => this.register(name, pid, meta))
  }

  /**
   * Registers a process, or finds who has the name.
   * @returns whoever has it now, and whether that is by this call. `undefined` if nobody has it, as the process is dead or not of this node
   * @throws PidmeshError as `registerName`
   */
  registerOrFind(name: string, pid: Pid, ...[meta]: MetaArgument<M>): Registered | undefined {
    const isNew = this.register(name, pid, this.checkedMeta(meta)) === 'yes'
    const holder = this.whereisName(name)
    return holder === undefined ? undefined : { pid: holder, isNew }
  }

  /**
   * Registers a process under a name whether or not another one has it. Who had it loses it as in a clash, here at once, on another node as soon as the message is
   * there. Of two that take a name over at the same time on two nodes one loses it, by the policy.
   *
   * The name's epoch grows with each takeover: who acts for a name elsewhere, on a database say, shows it there, and one with a lesser epoch is refused ("fencing"). Parts of a
   * cluster that are apart can give the same epoch, and epochs begin anew when all nodes have been started anew.
   * @param expectedEpoch takes the name only if its epoch is still this one (0: nobody has it)
   * @returns the name's new epoch; or `undefined` if the process is dead or not of this node, the epoch another one, or this node's claim wouldn't win by the
   * policy: a table of the policy `newest` always lets the later one win
   * @throws PidmeshError as `registerName`
   */
  takeover(
    name: string,
    pid: Pid,
    ...[options]: {} extends M ? [options?: TakeoverOptions<M>] : [options: TakeoverOptions<M>]
  ): number | undefined {
    checkKey('name', name)
    checkPid(pid)
    checkTakeover(options)
    this.table.checkRunning()
    const { meta, expectedEpoch }: { readonly meta?: M | undefined; readonly expectedEpoch?: number | undefined } =
      options ?? {}
    const kept = this.checkedMeta(meta)
    const { table } = this.table.replica
    const holder = table.visible(name)
    if (expectedEpoch !== undefined && expectedEpoch !== (holder === NONE ? 0 : table.rows.epochOf(holder)))
      return undefined
    if (!this.table.watchEnd(pid)) return undefined
    if (holder !== NONE && !this.table.isOwn(holder)) {
      const claim: Claim = { key: name, owner: pid.origin, id: pid.id, epoch: table.epoch + 1, meta: kept.meta }
      if (!table.precedes(claim, table.claimOf(holder))) return undefined
    }
    // The row of ours may stand behind the holder's: a clash whose loser hasn't been told yet, and wouldn't be any more.
    const own = table.find(table.own, name)
    const loser = own === NONE || table.rows.idOf(own) === pid.id ? undefined : this.table.pidOf(own)
    if (loser !== undefined) this.table.remove(own)
    const epoch = this.table.put(name, pid, kept) ? table.epoch : undefined
    // When the name is taken: who is ended may register what he finds free.
    if (loser !== undefined) this.endLoser(name, loser, pid)
    return epoch
  }

  /** What the gateway and other users of a `Via` may ask of it. `newestWins`: with the policy `newest`. */
  get capabilities(): ViaCapabilities {
    return {
      resolve: 'memory',
      holders: 'one',
      newestWins: this.options.policy === 'newest',
      order: 'unless_moved',
      purge: 'noticed',
      knowsAbsence: true,
      reachesPids: true,
    }
  }

  /**
   * Gives up a name of this node; if a process is given, only if that has it. A name that isn't this node's is left as it is; when the table was stopped none is.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no name or pid
   */
  unregisterName(name: string, pid?: Pid): 'ok' {
    if (pid !== undefined) checkPid(pid)
    const slot = this.ownRow(name)
    if (slot === NONE || !this.table.isRunning) return 'ok'
    // Processes of two nodes may have the same id.
    if (pid === undefined || pid.equals(this.table.pidOf(slot))) this.table.remove(slot)
    return 'ok'
  }

  /** The process that has the name, from memory. */
  whereisName(name: string): Pid | undefined {
    const slot = this.visible(name)
    return slot === NONE ? undefined : this.table.pidOf(slot)
  }

  /**
   * The process that has the name. If nobody is known to have it, and the names of a node that is connected are still on their way, it waits for them.
   * @param timeoutMs milliseconds, or `Infinity`. @default 5000
   * @throws PidmeshError `ERR_BAD_ARGUMENT` by rejection
   */
  async resolveName(name: string, timeoutMs: number = 5_000): Promise<Pid | undefined> {
    checkTimeout(timeoutMs)
    const known = this.whereisName(name)
    if (known !== undefined) return known
    await this.table.filled(timeoutMs)
    return this.whereisName(name)
  }

  /** Resolves when the names of all nodes that are connected are there, or after `timeoutMs`. @throws PidmeshError `ERR_BAD_ARGUMENT` by rejection */
  async filled(timeoutMs: number = Infinity): Promise<void> {
    checkTimeout(timeoutMs)
    await this.table.filled(timeoutMs)
  }

  /** Sends to whoever has the name. `noproc` if nobody has. */
  send(name: string, message: unknown): SendStatus | 'noproc' {
    const slot = this.visible(name)
    return slot === NONE ? 'noproc' : this.owner.send(this.table.pidOf(slot), message)
  }

  /**
   * Replaces the metadata of a name of this node: `error` if it isn't this node's.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no name or metadata; `ERR_NODE_STOPPED`
   */
  setMeta(name: string, meta: M): 'ok' | 'error' {
    const kept = this.checkedMeta(meta)
    const slot = this.ownRow(name)
    this.table.checkRunning()
    if (slot === NONE) return 'error'
    this.table.change([slot], kept)
    return 'ok'
  }

  /** What is known with a name: frozen. */
  metaOf(name: string): M | undefined {
    const slot = this.visible(name)
    return slot === NONE ? undefined : (this.table.replica.table.rows.metaOf(slot) as M)
  }

  /** The epoch of a name: larger for each later claim to it. 0 if nobody has it. See `takeover`. */
  epochOf(name: string): number {
    const slot = this.visible(name)
    return slot === NONE ? 0 : this.table.replica.table.rows.epochOf(slot)
  }

  /** The names of this node's processes, in key order. */
  localRegisteredNames(): string[] {
    return this.reader.ownSlots().map((slot) => this.nameOf(slot))
  }

  /** All names, in key order. */
  registeredNames(): string[] {
    return [...this.reader.rowsInOrder({})].map((slot) => this.nameOf(slot))
  }

  /** The rows of this node's names, in key order. */
  localRegisteredInfo(): NameRow<M>[] {
    return this.reader.ownSlots().map((slot) => this.reader.rowOf(slot))
  }

  /** All rows, in key order. */
  registeredInfo(): NameRow<M>[] {
    return [...this.reader.rowsInOrder({})].map((slot) => this.reader.rowOf(slot))
  }

  /** The row of a name. */
  lookup(name: string): NameRow<M> | undefined {
    const slot = this.visible(name)
    return slot === NONE ? undefined : this.reader.rowOf(slot)
  }

  /** The rows as a table that can be read as those of `Ets` are. */
  asTable(): ReadableTable<NameRow<M>> {
    return new NamesTable(this)
  }

  /**
   * The rows that a pattern is of, in key order, `limit` at most. Go on with `after: rows.at(-1).name`. It takes as long as there are names, unless the table is
   * `ordered`: then as long as there are between the ends of the range.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  select(pattern: NamePattern<M>): NameRow<M>[] {
    return this.reader.select(pattern)
  }

  /**
   * Tells a process of this node of names that come, go, or have other metadata: `{ type: 'names', ref, changes }`, all changes of a turn in one message, or of a
   * millisecond if there are many, in the order in which they became known. Between `rows`, what there is now, and the first change there is no gap. It ends with the
   * process, or with `unwatch`.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if it is not a living process of this node, or watches 10,000 times, or for what is no pattern; `ERR_NODE_STOPPED`
   */
  watch(pid: Pid, pattern: WatchPattern = {}): NamesWatch<M> {
    checkPid(pid)
    const filter = keyFilter(pattern)
    const ref = this.table.watch(pid, filter)
    const { table } = this.table.replica
    const names =
      filter.type === 'key' ? [filter.key] : this.reader.namesInOrder(filter.type === 'prefix' ? filter : {})
    const rows: NameEntry<M>[] = []
    for (const key of names) {
      // What is told of it, and not what is seen: that may be ahead of what the watcher will be told next.
      const slot = table.toldOf(key)
      if (slot === NONE) continue
      const { name, pid: holder, meta } = changeOf<M>(this.table, 'joined', slot)
      rows.push({ name, pid: holder, meta })
    }
    return { ref, rows }
  }

  /**
   * Ends a watch: nothing of it is sent any more. Says whether there was one.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for what is no reference
   */
  unwatch(ref: Ref): boolean {
    checkRef(ref)
    return this.table.watches.remove(ref)
  }

  private register(name: string, pid: Pid, meta: EncodedMeta): 'yes' | 'no' {
    checkKey('name', name)
    checkPid(pid)
    this.table.checkRunning()
    if (this.visible(name) !== NONE) return 'no'
    return this.table.put(name, pid, meta) ? 'yes' : 'no'
  }

  private checkedMeta(meta: unknown): EncodedMeta {
    const kept = checkMeta(this.table.replica.terms, meta)
    const { metadata } = this.options
    if (metadata !== undefined && !metadata(kept.meta)) throw bad("the metadata is not of the table's type")
    return kept
  }

  /** What can be nobody's name is nobody's: only what is no text is a mistake. */
  private visible(name: string): number {
    if (typeof name !== 'string') checkKey('name', name)
    return this.table.replica.table.visible(name)
  }

  private ownRow(name: string): number {
    checkKey('name', name)
    const { table } = this.table.replica
    return table.find(table.own, name)
  }

  private nameOf(slot: number): string {
    return this.table.replica.table.rows.keyOf(slot)
  }

  /** A row of ours isn't the one that is seen: the name goes at once, and its process is told why. */
  private giveUp(loser: number, winner: number): void {
    const [name, pid, winnerPid] = [this.nameOf(loser), this.table.pidOf(loser), this.table.pidOf(winner)]
    this.table.remove(loser)
    this.endLoser(name, pid, winnerPid)
  }

  private endLoser(name: string, loser: Pid, winner: Pid): void {
    const { scope, policy } = this.options
    const conflict: NameConflict = { name, winner, policy: policyName(policy) }
    const fields = { name, loser: loser.toString(), winner: winner.toString(), policy: conflict.policy }
    // Where the newest has a name by rule it is taken over all day long: that is no news.
    if (policy === 'newest') this.clashes.info(fields, 'a newer process has the name: the one here gives way')
    else this.clashes.warn(fields, 'name clash: the process here gives way')
    if (this.options.loser === 'tell') {
      const lost: NameLostMessage = { type: 'name_lost', scope, ...conflict }
      this.table.tell(loser, lost)
    } else {
      this.table.endLoser(loser, { name_conflict: conflict })
    }
  }
}
