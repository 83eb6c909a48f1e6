/**
 * The rooms of one session, and how to reach those of others.
 *
 * State: which rooms it is in and which it watches, so that they can go with the session when it moves; and of one that has just moved, which of its rooms it has left since.
 *
 * Its former process is in its rooms for a while yet, so that nothing is lost that others send there. When the session leaves one, that process leaves it, too; and what it has
 * forwarded before that is not for the session any more.
 *
 *   former process ◀── left { room } ── leave(room)
 */
import { cast, type ServerRef } from '@pidmesh/gen-server'
import type { Context, Groups, NameMeta, Pid, Random } from '@pidmesh/runtime'
import { wanted } from './errors.ts'
import type { PresenceCast } from './presence-server.ts'
import { RoomPresence, type MemberMeta, type Present, type SessionMark } from './presence.ts'
import type { NameFor } from './name-for.ts'
import { groupOfRoom } from './room-message.ts'
import { FORWARD_MS } from './session-move.ts'
import type { LeftCast, SessionSnapshot } from './session-protocol.ts'

/** Sends to a group, in place of the session. */
export type Broadcast = (group: string, message: unknown, except: Pid | undefined) => 'ok' | 'busy' | 'noconnection'

export interface BroadcastOptions {
  /** Not to this session, which is the sender's own, usually. */
  readonly except?: Pid | undefined
}

/** The rooms of a session, for its author. `Info` is what is broadcast there, if a room's name doesn't say more: see `NameFor`. */
export interface SessionRooms<in Info = unknown> {
  /** The rooms that this session is in. */
  readonly all: readonly string[]

  /**
   * Enters a room, with what others may know of the session there. In a room that it is in already only the metadata changes. It leaves when it ends.
   * @throws GatewayError `ERR_NOT_SUPPORTED` if the gateway was started without `groups`; PidmeshError `ERR_BAD_ARGUMENT`
   */
  join(room: string, meta?: NameMeta): Promise<void>

  /** After it nothing of the room comes to the session, and nobody sees it there. */
  leave(room: string): Promise<void>

  /**
   * Sends a message to all sessions of a room, on whatever node: it is one message to each node, and is encoded once on each. The session that sends it gets it too, if it is
   * in the room, unless it is left out.
   * @returns `busy` if a connection between nodes is, `noconnection` if a node couldn't be reached
   */
  broadcast<Message = Info>(
    room: NameFor<Message>,
    message: NoInfer<Message>,
    options?: BroadcastOptions,
  ): 'ok' | 'busy' | 'noconnection'

  /** Who is in a room, as this node knows. */
  present(room: string): readonly Present[]

  /** From now on the session's `handlePresence` is told who is in a room: first all, then what changes. By default the client is. */
  watch(room: string): void

  /** `handlePresence` is told no more of a room. */
  unwatch(room: string): void
}

export interface RoomsComponents {
  readonly self: Context
  readonly groups: Groups | undefined
  readonly presence: () => ServerRef<never, PresenceCast> | undefined
  readonly broadcast: Broadcast
  readonly idOf: () => string
  readonly random: Random
}

/** Of a session that has moved. */
interface FormerPlace {
  readonly pid: Pid
  /** Nothing comes from there any more. */
  readonly untilMs: number
  /** Groups of the rooms that the session has left since. */
  readonly left: Set<string>
}

type RoomsSnapshot = Pick<SessionSnapshot, 'rooms' | 'watched' | 'mark'>

const MARK_BYTES = 9

export class OwnRooms implements SessionRooms {
  private readonly components: RoomsComponents
  private readonly joined = new Map<string, NameMeta>()
  private readonly watched = new Set<string>()
  private mark: SessionMark
  private former: FormerPlace | undefined = undefined

  constructor(components: RoomsComponents) {
    this.components = components
    this.mark = { session: Buffer.from(components.random.bytes(MARK_BYTES)).toString('base64url'), moves: 0 }
  }

  get all(): readonly string[] {
    return [...this.joined.keys()]
  }

  async join(room: string, meta: NameMeta = {}): Promise<void> {
    const { self, idOf } = this.components
    const groups = wanted(this.components.groups)
    const member: MemberMeta = { id: idOf(), ...this.mark, meta }
    const entered = this.joined.has(room)
      ? groups.setMeta(groupOfRoom(room), self.pid, member)
      : groups.join(groupOfRoom(room), self.pid, member)
    // Before that is waited for: who enters twice at once would be in the group twice, and who leaves meanwhile would stay.
    this.joined.set(room, meta)
    this.former?.left.delete(groupOfRoom(room))
    await entered
  }

  async leave(room: string): Promise<void> {
    if (!this.joined.delete(room)) return
    const { groups, self } = this.components
    this.leaveFormer(room)
    await wanted(groups).leave(groupOfRoom(room), self.pid)
  }

  /** Whether what comes of a group is forwarded, and of a room that the session has left meanwhile. */
  hasLeft(group: string): boolean {
    return this.livingFormer()?.left.has(group) === true
  }

  broadcast(room: string, message: unknown, { except }: BroadcastOptions = {}): 'ok' | 'busy' | 'noconnection' {
    wanted(this.components.groups)
    return this.components.broadcast(groupOfRoom(room), message, except)
  }

  present(room: string): readonly Present[] {
    return new RoomPresence(room, wanted(this.components.groups).presence(groupOfRoom(room))).present
  }

  watch(room: string): void {
    wanted(this.components.groups)
    if (this.watched.has(room)) return
    this.watched.add(room)
    this.tell('watch', room)
  }

  unwatch(room: string): void {
    if (this.watched.delete(room)) this.tell('unwatch', room)
  }

  /** Whoever tells has been started anew. */
  watchAgain(): void {
    for (const room of this.watched) this.tell('watch', room)
  }

  private tell(type: PresenceCast['type'], room: string): void {
    const { self, presence } = this.components
    const server = presence()
    // There is none for a moment after a crash: it is told all again when there is.
    if (server !== undefined) cast<PresenceCast>(self, server, { type, room, session: self.pid })
  }

  /** For a session that moves. */
  get snapshot(): RoomsSnapshot {
    const { mark } = this
    return { rooms: [...this.joined].map(([room, meta]) => ({ room, meta })), watched: [...this.watched], mark }
  }

  /** The rooms of a session that has moved here. */
  async adopt({ rooms, watched, mark }: RoomsSnapshot, former: Pid): Promise<void> {
    if (mark !== undefined) this.mark = { session: mark.session, moves: mark.moves + 1 }
    const untilMs = this.components.self.monotonicMs() + 2 * FORWARD_MS
    if (rooms.length > 0) this.former = { pid: former, untilMs, left: new Set() }
    for (const { room, meta } of rooms) await this.join(room, meta)
    for (const room of watched) this.watch(room)
  }

  private leaveFormer(room: string): void {
    const former = this.livingFormer()
    if (former === undefined) return
    former.left.add(groupOfRoom(room))
    cast<LeftCast>(this.components.self, former.pid, { type: 'left', room })
  }

  private livingFormer(): FormerPlace | undefined {
    if (this.former !== undefined && this.components.self.monotonicMs() >= this.former.untilMs) this.former = undefined
    return this.former
  }
}
