/**
 * Who is in a room: members by the id of their principals, and what changes. Pure.
 *
 * One who is there with two devices, or is just moving to another node, is there once, with the metadata of each: he has joined with the first and left with the last.
 */
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

/** What is known of a session in a room, beside the user's metadata. */
export interface MemberMeta extends NameMeta {
  readonly id: string
  readonly meta: NameMeta
}

export class RoomPresence {
  private readonly room: string
  /** By the id of the principal, and then by session. */
  private readonly sessions = new Map<string, Map<string, NameMeta>>()
  private readonly idOfSession = new Map<string, string>()

  constructor(room: string, members: readonly MemberOfGroup[]) {
    this.room = room
    for (const member of members) this.put(member)
  }

  /** By their ids, in order. */
  get present(): readonly Present[] {
    return [...this.sessions.keys()].sort().map((id) => this.presentOf(id))
  }

  get state(): PresenceMessage {
    return { type: 'presence_state', room: this.room, present: this.present }
  }

  /** Members have come, or have other metadata. */
  joined(members: readonly MemberOfGroup[]): PresenceMessage | undefined {
    const ids = new Set<string>()
    for (const member of members) {
      const id = this.put(member)
      if (id !== undefined) ids.add(id)
    }
    return this.diff([...ids], [])
  }

  left(pids: readonly Pid[]): PresenceMessage | undefined {
    const [changed, gone] = [new Set<string>(), new Set<string>()]
    for (const pid of pids) {
      const session = pid.toString()
      const id = this.idOfSession.get(session)
      if (id === undefined) continue
      this.idOfSession.delete(session)
      const sessions = this.sessions.get(id)
      sessions?.delete(session)
      if (sessions?.size === 0) {
        this.sessions.delete(id)
        changed.delete(id)
        gone.add(id)
      } else changed.add(id)
    }
    return this.diff([...changed], [...gone])
  }

  private diff(ids: readonly string[], left: readonly string[]): PresenceMessage | undefined {
    if (ids.length === 0 && left.length === 0) return undefined
    return { type: 'presence_diff', room: this.room, joined: ids.map((id) => this.presentOf(id)), left }
  }

  private presentOf(id: string): Present {
    return { id, metas: [...(this.sessions.get(id)?.values() ?? [])] }
  }

  /** Others may be in the group that are no sessions: they are passed over. */
  private put({ pid, meta }: MemberOfGroup): string | undefined {
    if (!isMemberMeta(meta)) return undefined
    const session = pid.toString()
    const sessions = this.sessions.get(meta.id) ?? new Map<string, NameMeta>()
    this.sessions.set(meta.id, sessions)
    sessions.set(session, meta.meta)
    this.idOfSession.set(session, meta.id)
    return meta.id
  }
}

function isMemberMeta(meta: NameMeta): meta is MemberMeta {
  return typeof meta['id'] === 'string' && typeof meta['meta'] === 'object' && meta['meta'] !== null
}
