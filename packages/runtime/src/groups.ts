/**
 * `Groups`: the one seam for groups of processes, after OTP's `pg`. Every node knows the members; whoever sends to a group knows none of them.
 */
import type { Pid, Ref } from './ids.ts'
import type { Awaitable, NameMeta } from './via.ts'

export interface MemberOfGroup {
  readonly pid: Pid
  readonly meta: NameMeta
}

/**
 * What a process gets that monitors a group. The members of `join` and `meta` have come, or have other metadata, one after the other; `pids` have left.
 */
export type GroupEvent =
  | {
      readonly type: 'join' | 'meta'
      readonly ref: Ref
      readonly group: string
      readonly members: readonly MemberOfGroup[]
    }
  | { readonly type: 'leave'; readonly ref: Ref; readonly group: string; readonly pids: readonly Pid[] }

export interface Groups {
  /** Puts a process of this node into a group, until it leaves or ends. */
  join(group: string, pid: Pid, meta?: NameMeta): Awaitable<'ok'>
  leave(group: string, pid: Pid): Awaitable<'ok' | 'not_joined'>
  /** Replaces what is known of a member of this node: `error` if it is none. */
  setMeta(group: string, pid: Pid, meta: NameMeta): Awaitable<'ok' | 'error'>
  /** The members on all nodes, as far as this node knows without asking anyone. */
  members(group: string): readonly Pid[]
  /** The members on all nodes, and what is known of each. */
  presence(group: string): readonly MemberOfGroup[]
  /** Sends a message to all members: one message to each node that has some, and from there to each. */
  broadcast(group: string, message: unknown): 'ok' | 'busy' | 'noconnection'
  /** Tells a process of this node of joins, leaves and metadata (`GroupEvent`), with no gap after the members that are returned. */
  monitorGroup(pid: Pid, group: string): { readonly ref: Ref; readonly members: readonly MemberOfGroup[] }
  demonitor(ref: Ref): boolean
}
