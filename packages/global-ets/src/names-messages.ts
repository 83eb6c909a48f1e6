/**
 * What a table of names gives and sends: rows, changes, and why a name was lost.
 */
import type { NameMeta, NodeName, Pid, Ref } from '@pidmesh/runtime'
import type { ChangeType } from './engine/watches.ts'

/** A row as simple_global shows it. */
export type NameRow<M extends NameMeta = NameMeta> =
  | { readonly name: string; readonly pid: Pid; readonly node: 'local'; readonly ref: Ref; readonly meta: M }
  | {
      readonly name: string
      readonly pid: Pid
      readonly node: NodeName
      readonly ref: undefined
      readonly meta: M
    }

/** A name to be registered. Metadata must be given where its type has fields that must be there. */
export type NewName<M extends NameMeta = NameMeta> = { readonly name: string; readonly pid: Pid } & MetaField<M>

/** What takes metadata, optional if `{}` is metadata of the table. */
export type MetaField<M extends NameMeta> = {} extends M ? { readonly meta?: M | undefined } : { readonly meta: M }

/** Who has a name, and whether it is by the call that says so. */
export interface Registered {
  readonly pid: Pid
  readonly isNew: boolean
}

export interface NameEntry<M extends NameMeta = NameMeta> {
  readonly name: string
  readonly pid: Pid
  readonly meta: M
}

/** A name has come, is gone, or its process has other metadata for it. When it goes to another process it is gone first. */
export interface NameChange<M extends NameMeta = NameMeta> extends NameEntry<M> {
  readonly type: ChangeType
}

/** What there is when a watch begins. */
export interface NamesWatch<M extends NameMeta = NameMeta> {
  readonly ref: Ref
  /** In key order. */
  readonly rows: readonly NameEntry<M>[]
}

/** To a process that watches: all that has changed in one turn. */
export interface NamesMessage<M extends NameMeta = NameMeta> {
  readonly type: 'names'
  readonly scope: string
  /** Of the watch. */
  readonly ref: Ref
  readonly changes: readonly NameChange<M>[]
}

/** Who has won a name, and by which policy. */
export interface NameConflict {
  readonly name: string
  readonly winner: Pid
  /** `smaller_node`, `newest`, or the name of the table's own. */
  readonly policy: string
  readonly [key: string]: unknown
}

/** The exit reason of a process that has lost its name in a clash, or to a takeover. */
export interface NameConflictReason {
  readonly name_conflict: NameConflict
  readonly [key: string]: unknown
}

/** In place of an exit signal, in a table with `loser: 'tell'`. */
export interface NameLostMessage {
  readonly type: 'name_lost'
  readonly scope: string
  readonly name: string
  readonly winner: Pid
  readonly policy: string
}
