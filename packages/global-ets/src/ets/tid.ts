/**
 * What stands for a table in messages between processes of its node. It says nothing of who acts: `Ets.open(self, tid)` does.
 */
import type { Pid } from '@pidmesh/runtime'
import type { KeyField } from './options.ts'
import type { EtsType } from './rows.ts'
import type { Table } from './tables.ts'

export class Tid<Row extends object, Key extends KeyField<Row>, Type extends EtsType = 'set'> {
  /** For the compiler only. */
  declare private readonly of: readonly [Row, Key, Type]
  // Private in the language: it is the table's handles that look into it.
  readonly #table: Table

  /** Made by tables. */
  constructor(table: Table) {
    this.#table = table
  }

  get name(): string {
    return this.#table.name
  }

  /** The table itself, for `Ets.open`. */
  static tableOf(tid: unknown): Table | undefined {
    return tid instanceof Tid ? tid.#table : undefined
  }

  toString(): string {
    return `table ${this.#table.id} ${this.#table.name}`
  }
}

/** What a process is sent that has got a table: from its former owner, or as its heir. */
export interface EtsTransferMessage<Row extends object, Key extends KeyField<Row>, Type extends EtsType = 'set'> {
  readonly type: 'ETS-TRANSFER'
  readonly table: Tid<Row, Key, Type>
  /** The former owner. */
  readonly from: Pid
  /** What the giver has said, or the heir's data. */
  readonly data: unknown
}
