/**
 * The tables of a node: which there are, what they are called, whose they are.
 *
 *   owner ends ─▶ its tables ─ heir lives ─▶ ETS-TRANSFER to the heir, whose they are now
 *                             └ no heir ───▶ gone, before anybody gets the owner's DOWN
 *
 * State: the tables, the names of those that are found by one, the tables of each process that has any. There is one object of it for each node
 * (`Context.perNode`).
 *
 * Invariants: each table that isn't gone has an owner that lives; a table that is gone has no rows and no name.
 */
import { PidmeshError, type AttachedTable, type Context, type Pid } from '@pidmesh/runtime'
import type { CheckedEtsOptions, EtsHeir, EtsProtection } from './options.ts'
import { Rows } from './rows.ts'
import { Tid } from './tid.ts'

/** A table, without regard to who asks, and to what its rows are: its handles know. */
export class Table {
  /** A positive integer, unique within one life of the node. */
  readonly id: number
  readonly isNamed: boolean
  readonly protection: EtsProtection
  readonly maxRows: number
  readonly rows: Rows<object>
  name: string
  owner: Pid
  heir: EtsHeir | undefined
  isGone = false

  constructor(id: number, name: string, owner: Pid, options: CheckedEtsOptions) {
    this.id = id
    this.name = name
    this.owner = owner
    this.isNamed = options.named
    this.protection = options.protection
    this.maxRows = options.maxRows
    this.heir = options.heir
    this.rows = new Rows(options.type, options.key, options.maxRows)
  }
}

export class Tables {
  private readonly main: Context
  private readonly tables = new Map<number, Table>()
  private readonly named = new Map<string, Table>()
  /** By the id of the pid. */
  private readonly owned = new Map<number, Set<Table>>()
  private readonly attached: AttachedTable
  private lastId = 0

  constructor(main: Context) {
    this.main = main
    this.attached = main.attachTable({ onProcessEnd: (pid) => this.ownerEnded(pid), onNodeDown: () => undefined })
  }

  /** @throws PidmeshError `ERR_NAME_TAKEN` */
  create(owner: Pid, name: string, options: CheckedEtsOptions): Table {
    if (options.named) this.checkFree(name)
    const table = new Table(++this.lastId, name, owner, options)
    this.assign(table, owner)
    this.tables.set(table.id, table)
    if (options.named) this.named.set(name, table)
    return table
  }

  whereis(name: string): Table | undefined {
    return this.named.get(name)
  }

  all(): Table[] {
    return [...this.tables.values()]
  }

  /** @throws PidmeshError `ERR_NAME_TAKEN` */
  rename(table: Table, name: string): void {
    if (table.isNamed && table.name !== name) {
      this.checkFree(name)
      this.named.delete(table.name)
      this.named.set(name, table)
    }
    table.name = name
  }

  remove(table: Table): void {
    table.isGone = true
    table.rows.clear()
    this.tables.delete(table.id)
    if (table.isNamed) this.named.delete(table.name)
    this.release(table)
  }

  /** Makes a living process of this node the owner, and tells it. */
  give(table: Table, to: Pid, data: unknown): void {
    const from = table.owner
    this.release(table)
    this.assign(table, to)
    this.attached.tell(to, { type: 'ETS-TRANSFER', table: new Tid(table), from, data })
  }

  isAlive(pid: Pid): boolean {
    return this.main.isAlive && this.main.isProcessAlive(pid)
  }

  private assign(table: Table, pid: Pid): void {
    table.owner = pid
    this.attached.watch(pid)
    const known = this.owned.get(pid.id) ?? new Set()
    this.owned.set(pid.id, known.add(table))
  }

  private release(table: Table): void {
    const owned = this.owned.get(table.owner.id)
    owned?.delete(table)
    if (owned?.size === 0) this.owned.delete(table.owner.id)
  }

  private ownerEnded(pid: Pid): void {
    for (const table of [...(this.owned.get(pid.id) ?? [])]) {
      const { heir } = table
      if (heir !== undefined && this.isAlive(heir.pid)) this.give(table, heir.pid, heir.data)
      else this.remove(table)
    }
  }

  private checkFree(name: string): void {
    if (this.named.has(name)) throw new PidmeshError('ERR_NAME_TAKEN', `there is a table named ${JSON.stringify(name)}`)
  }
}
