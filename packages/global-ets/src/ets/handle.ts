/**
 * A table as one process has it: what the process may do with it, and what it can do with the table as a whole. What it does with rows is in ets.ts.
 *
 * Invariant: whatever is done goes through `reading`, `writing` or `owning`, which judge whether the process lives, the table is there, and its protection lets the process
 * do that.
 */
import { PidmeshError, Pid, shown, type Context, type NodeName } from '@pidmesh/runtime'
import { bad } from '../checks.ts'
import { checkHeir, isOfSameNode, type EtsHeir, type EtsProtection, type KeyField } from './options.ts'
import type { EtsType, Rows } from './rows.ts'
import { Tables, type Table } from './tables.ts'
import { Tid } from './tid.ts'

export interface EtsInfo {
  /** Unique within one life of the node. */
  readonly id: number
  readonly name: string
  readonly named: boolean
  readonly type: EtsType
  /** The field that is the key. */
  readonly key: string
  readonly protection: EtsProtection
  readonly owner: Pid
  readonly heir: Pid | undefined
  readonly node: NodeName
  /** Rows. */
  readonly size: number
  readonly maxRows: number
}

export abstract class EtsHandle<Row extends object, Key extends KeyField<Row>, Type extends EtsType> {
  /** What stands for the table in messages. */
  readonly tid: Tid<Row, Key, Type>
  private readonly table: Table
  private readonly self: Context

  constructor(self: Context, table: Table) {
    this.self = self
    this.table = table
    this.tid = new Tid(table)
  }

  get name(): string {
    return this.table.name
  }

  get type(): Type {
    return this.table.rows.type as Type
  }

  get size(): number {
    return this.reading().size
  }

  /** `undefined` if the table is gone. Anybody may ask. */
  info(): EtsInfo | undefined {
    return this.table.isGone ? undefined : infoOf(this.table)
  }

  /**
   * Gives the table to another process of the node, which gets an `EtsTransferMessage`. Only its owner may.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for a process that has ended, is of another node, or owns it already
   */
  giveAway(pid: Pid, data: unknown): true {
    const tables = this.owning()
    if (!(pid instanceof Pid) || !isOfSameNode(pid, this.self.pid) || pid.equals(this.self.pid) || !tables.isAlive(pid))
      throw bad(`a table is given to another living process of its node, not to ${shown(pid)}`)
    tables.give(this.table, pid, data)
    return true
  }

  /** Says who gets the table when its owner ends; `undefined`: nobody. Only its owner may. As `ets:setopts/2`. @throws PidmeshError `ERR_BAD_OPTION` */
  setHeir(heir: EtsHeir | undefined): true {
    this.owning()
    this.table.heir = checkHeir(this.self, heir)
    return true
  }

  /** @throws PidmeshError `ERR_NAME_TAKEN`, `ERR_BAD_ARGUMENT` */
  rename(name: string): string {
    checkName(name)
    this.writing()
    this.self.perNode(Tables).rename(this.table, name)
    return name
  }

  /** Deletes the table itself. As `ets:delete/1`. */
  deleteTable(): true {
    this.writing()
    this.self.perNode(Tables).remove(this.table)
    return true
  }

  protected reading(): Rows<Row> {
    const { table } = this.living()
    return this.allow(table.protection !== 'private', 'read')
  }

  protected writing(): Rows<Row> {
    const { table } = this.living()
    return this.allow(table.protection === 'public', 'write')
  }

  private owning(): Tables {
    this.living()
    this.allow(false, 'give away')
    return this.self.perNode(Tables)
  }

  private living(): this {
    // Throws, and says why.
    if (!this.self.isAlive) this.self.perNode(Tables)
    if (this.table.isGone) throw new PidmeshError('ERR_NO_TABLE', `table ${shown(this.table.name)} is gone`)
    return this
  }

  private allow(isForAll: boolean, what: string): Rows<Row> {
    const { owner, name, protection, rows } = this.table
    if (isForAll || owner === this.self.pid || owner.equals(this.self.pid)) return rows as unknown as Rows<Row>
    throw new PidmeshError(
      'ERR_TABLE_ACCESS',
      `table ${shown(name)} is ${protection} and ${owner}'s: ${this.self.pid} may not ${what} it`,
    )
  }
}

/** What can be seen of a table. */
export function infoOf({ id, name, isNamed, protection, owner, heir, rows, maxRows }: Table): EtsInfo {
  const { type, keyField, size } = rows
  const { node } = owner
  return { id, name, named: isNamed, type, key: keyField, protection, owner, heir: heir?.pid, node, size, maxRows }
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkName(name: unknown): void {
  if (typeof name !== 'string' || name === '') throw bad(`the name of a table is a text, not ${shown(name)}`)
}
