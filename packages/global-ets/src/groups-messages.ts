/**
 * What groups give and send.
 */
import type { NameMeta, Pid, Ref } from '@pidmesh/runtime'
import type { ChangeType } from './engine/watches.ts'

export interface GroupMember<M extends NameMeta = NameMeta> {
  readonly pid: Pid
  readonly meta: M
}

/** A member has come, is gone, or has other metadata. */
export interface GroupChange<M extends NameMeta = NameMeta> extends GroupMember<M> {
  readonly type: ChangeType
  readonly group: string
}

/** What there is when a monitor of all groups begins. */
export interface GroupsMonitor<M extends NameMeta = NameMeta> {
  readonly ref: Ref
  readonly groups: ReadonlyMap<string, readonly GroupMember<M>[]>
}

/** To a process that monitors. `pids` and `members` are those that have joined, left or changed one after the other, with nothing in between. */
export type GroupMessage<M extends NameMeta = NameMeta> =
  | {
      readonly type: 'join'
      readonly ref: Ref
      readonly group: string
      readonly pids: readonly Pid[]
      readonly members: readonly GroupMember<M>[]
    }
  | { readonly type: 'leave'; readonly ref: Ref; readonly group: string; readonly pids: readonly Pid[] }
  | { readonly type: 'meta'; readonly ref: Ref; readonly group: string; readonly members: readonly GroupMember<M>[] }

/** Changes as messages: what follows each other and is alike in one. */
export function groupMessages<M extends NameMeta>(ref: Ref, changes: readonly GroupChange<M>[]): GroupMessage<M>[] {
  const messages: GroupMessage<M>[] = []
  for (let start = 0, end = 0; start < changes.length; start = end) {
    const { type, group } = changes[start] as GroupChange<M>
    while (end < changes.length && changes[end]?.type === type && changes[end]?.group === group) end++
    messages.push(messageOf(type, { ref, group }, changes.slice(start, end)))
  }
  return messages
}

function messageOf<M extends NameMeta>(
  type: ChangeType,
  of: { readonly ref: Ref; readonly group: string },
  changes: readonly GroupChange<M>[],
): GroupMessage<M> {
  const members = changes.map(({ pid, meta }) => ({ pid, meta }))
  const pids = changes.map(({ pid }) => pid)
  if (type === 'joined') return { type: 'join', ...of, pids, members }
  return type === 'left' ? { type: 'leave', ...of, pids } : { type: 'meta', ...of, members }
}
