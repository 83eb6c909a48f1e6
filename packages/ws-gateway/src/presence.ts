/**
 * Who is in a room: members by the id of their principals, and what changes. Pure.
 *
 * One who is there with two devices is there once, with the metadata of each: he has joined with the first and left with the last. A session that is just moving to another node has two
 * processes there for a while, which are one device: what the later one has is true.
 */
import { isDeepStrictEqual } from 'node:util'
import type { MemberOfGroup, NameMeta, Pid } from '@pidmesh/runtime'

/** One who is in a room. */
export interface Present {
  readonly id: string
  /** Of each of his sessions in the room, the oldest first. */
  readonly metas: readonly NameMeta[]
}

/** To a session that watches a room: first who is there, then what changes. */
export type PresenceMessage =
  | { readonly type: 'presence_state'; readonly room: string; readonly present: readonly Present[] }
  | {
      readonly type: 'presence_diff'
      readonly room: string
      /** Those who have come, or have other metadata. */
      readonly joined: readonly Present[]
      /** Those who have gone. */
      readonly left: readonly string[]
    }

/** What tells the processes of one session from those of others. */
export interface SessionMark {
  /** The same wherever the session goes. */
  readonly session: string
  /** So often it has moved. */
  readonly moves: number
}

/** What is known of a session in a room, beside the user's metadata. */
export interface MemberMeta extends NameMeta, SessionMark {
  readonly id: string
  readonly meta: NameMeta
}

export class RoomPresence {
  private readonly room: string
  /** By the id of the principal, then by session, then by process. */
  private readonly sessions = new Map<string, Map<string, Map<string, MemberMeta>>>()
  private readonly memberOf = new Map<string, MemberMeta>()

  constructor(room: string, members: readonly MemberOfGroup[]) {
    this.room = room
    for (const { pid, meta } of members) if (isMemberMeta(meta)) this.put(pid.toString(), meta)
  }

  /** By their ids, in order. */
  get present(): readonly Present[] {
    return [...this.sessions.keys()].sort().map((id) => ({ id, metas: this.metasOf(id) }))
  }

  get state(): PresenceMessage {
    return { type: 'presence_state', room: this.room, present: this.present }
  }

  /** Members have come, or have other metadata. Others may be in the group that are no sessions: they are passed over. */
  joined(members: readonly MemberOfGroup[]): PresenceMessage | undefined {
    const known = members.flatMap(({ pid, meta }) => (isMemberMeta(meta) ? [{ process: pid.toString(), meta }] : []))
    const ids = known.flatMap(({ process, meta }) => [meta.id, this.memberOf.get(process)?.id ?? meta.id])
    return this.diff(ids, () => known.forEach(({ process, meta }) => this.put(process, meta)))
  }

  left(pids: readonly Pid[]): PresenceMessage | undefined {
    const known = pids.map(String).filter((process) => this.memberOf.has(process))
    const ids = known.map((process) => this.memberOf.get(process)?.id ?? '')
    return this.diff(ids, () => known.forEach((process) => this.remove(process)))
  }

  /** What of these is other than before; `undefined` if nothing is. */
  private diff(ids: readonly string[], change: () => void): PresenceMessage | undefined {
    const before = [...new Set(ids)].map((id) => ({ id, metas: this.metasOf(id) }))
    change()
    const changed = before
      .map(({ id, metas }) => ({ id, metas: this.metasOf(id), former: metas }))
      .filter(({ metas, former }) => !isDeepStrictEqual(metas, former))
    if (changed.length === 0) return undefined
    const joined = changed.filter(({ metas }) => metas.length > 0).map(({ id, metas }) => ({ id, metas }))
    const left = changed.filter(({ metas }) => metas.length === 0).map(({ id }) => id)
    return { type: 'presence_diff', room: this.room, joined, left }
  }

  private metasOf(id: string): readonly NameMeta[] {
    return [...(this.sessions.get(id)?.values() ?? [])].map((processes) => latest([...processes.values()]).meta)
  }

  private put(process: string, member: MemberMeta): void {
    const former = this.memberOf.get(process)
    if (former !== undefined && (former.id !== member.id || former.session !== member.session)) this.remove(process)
    const sessions = this.sessions.get(member.id) ?? new Map<string, Map<string, MemberMeta>>()
    this.sessions.set(member.id, sessions)
    const processes = sessions.get(member.session) ?? new Map<string, MemberMeta>()
    sessions.set(member.session, processes)
    processes.set(process, member)
    this.memberOf.set(process, member)
  }

  private remove(process: string): void {
    const member = this.memberOf.get(process)
    if (member === undefined) return
    this.memberOf.delete(process)
    const sessions = this.sessions.get(member.id)
    const processes = sessions?.get(member.session)
    processes?.delete(process)
    if (processes?.size === 0) sessions?.delete(member.session)
    if (sessions?.size === 0) this.sessions.delete(member.id)
  }
}

/** There is at least one. */
function latest(processes: readonly MemberMeta[]): MemberMeta {
  return processes.reduce((last, one) => (one.moves > last.moves ? one : last))
}

function isMemberMeta(meta: NameMeta): meta is MemberMeta {
  const { id, session, moves, meta: own } = meta
  const isMarked = typeof session === 'string' && typeof moves === 'number'
  return isMarked && typeof id === 'string' && typeof own === 'object' && own !== null
}
