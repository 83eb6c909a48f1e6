// Who is online: presence over process groups, told over the mesh, whatever way names are kept. Each session is in one group, with who it is and in which room.
//
// A session that moves to another node is in the group twice for a while, as is a user who comes back before the loss of his node was noticed: of both the latest counts.
// Which that is needs no clock: who enters takes a number above all that it sees of that user.

import type { ProcessGroups } from '@pidmesh/global-ets'
import type { NameMeta, Node, Pid } from '@pidmesh/runtime'

import type { OnlineUser } from './messages.ts'

/** What is known of a session. */
export type Seat = {
  user: string
  room: string
  /** The same on whatever node it is. */
  session: string
}

type NumberedSeat = Seat & { turn: number }

type Seated = NumberedSeat & { pid: Pid }

/** Rooms are the groups `room:…`. */
const GROUP = 'everyone'

export class Everyone {
  private readonly node: Node
  private readonly groups: ProcessGroups
  private readonly keyOf: (seat: Seat) => string

  /** @param isOnePerUser no user has two sessions: of two that are seen one is over */
  constructor(node: Node, groups: ProcessGroups, isOnePerUser: boolean) {
    this.node = node
    this.groups = groups
    this.keyOf = isOnePerUser ? ({ user }) => user : ({ session }) => session
  }

  /** A session of this node has begun, or has come here. */
  enter(pid: Pid, seat: Seat): void {
    const turns = this.seated()
      .filter(({ user }) => user === seat.user)
      .map(({ turn }) => turn)
    this.groups.join(GROUP, pid, { ...seat, turn: Math.max(0, ...turns) + 1 })
  }

  goTo(pid: Pid, room: string): void {
    const seat = this.seated().find((seated) => seated.pid.equals(pid))
    if (seat === undefined) return
    const { user, session, turn } = seat
    this.groups.setMeta(GROUP, pid, { user, session, turn, room })
  }

  /** Tells a process of this node when somebody comes, goes, or goes to another room. */
  watch(pid: Pid): void {
    this.groups.monitorGroup(pid, GROUP)
  }

  has(user: string): boolean {
    return this.seated().some((seat) => seat.user === user)
  }

  /** Sorted by user, and then by node. */
  get users(): OnlineUser[] {
    return this.latest()
      .map(({ user, pid, room }) => ({ user, node: pid.node, room }))
      .sort((a, b) => compare(a.user, b.user) || compare(a.node, b.node))
  }

  /** The sessions of this node. */
  get here(): Pid[] {
    return this.latest()
      .map(({ pid }) => pid)
      .filter((pid) => pid.node === this.node.name)
  }

  private latest(): Seated[] {
    const latest = new Map<string, Seated>()
    for (const seat of this.seated()) {
      const key = this.keyOf(seat)
      if (seat.turn > (latest.get(key)?.turn ?? 0)) latest.set(key, seat)
    }
    return [...latest.values()]
  }

  private seated(): Seated[] {
    return this.groups.presence(GROUP).flatMap(({ pid, meta }) => (isSeat(meta) ? [{ ...meta, pid }] : []))
  }
}

/** What other nodes say comes from outside. */
function isSeat(meta: NameMeta): meta is NumberedSeat {
  const { user, room, session, turn } = meta
  return typeof user === 'string' && typeof room === 'string' && typeof session === 'string' && typeof turn === 'number'
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
