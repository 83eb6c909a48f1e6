/**
 * Tells the sessions of a gateway who is in the rooms that they watch: one monitor for each room, however many watch it, and each change is encoded once.
 *
 *   watch(room, session) ─▶ the first one: monitorGroup ─▶ PresenceChange(state) to the session, the same to all who come before the next change
 *   join, leave, meta    ─▶ RoomPresence ─▶ PresenceChange(diff) to each that watches
 *   unwatch, DOWN        ─▶ the last one: demonitor
 */
import { GenServer } from '@pidmesh/gen-server'
import { hasType, Pid, reasonOfThrown, Ref, type GroupEvent, type Groups } from '@pidmesh/runtime'
import { Outgoing } from './outgoing.ts'
import { RoomPresence, type PresenceMessage } from './presence.ts'
import { groupOfRoom } from './room-message.ts'

/** To a session: only a gateway's own presence server can make one. */
export class PresenceChange {
  readonly outgoing: Outgoing
  readonly message: PresenceMessage

  constructor(message: PresenceMessage) {
    this.message = message
    this.outgoing = new Outgoing(message)
  }
}

export type PresenceCast = { readonly type: 'watch' | 'unwatch'; readonly room: string; readonly session: Pid }

interface WatchedRoom {
  readonly ref: Ref
  readonly presence: RoomPresence
  readonly watchers: Map<string, Pid>
  /** All who are there, unless that has changed since it was last asked for. */
  state: PresenceChange | undefined
}

interface Watcher {
  readonly pid: Pid
  readonly monitor: Ref
  readonly rooms: Set<string>
}

export class PresenceServer extends GenServer<never, PresenceCast> {
  #groups: Groups | undefined = undefined
  readonly #rooms = new Map<string, WatchedRoom>()
  readonly #roomOfRef = new Map<string, string>()
  readonly #watchers = new Map<string, Watcher>()

  override init(groups: Groups): void {
    this.#groups = groups
  }

  override handleCast(cast: PresenceCast): void {
    if (cast.type === 'watch') this.#watch(cast.room, cast.session)
    else this.#unwatch(cast.room, cast.session)
  }

  override handleInfo(message: unknown): void {
    if (hasType(message, 'DOWN')) {
      const watcher = message.pid instanceof Pid ? this.#watchers.get(message.pid.toString()) : undefined
      for (const room of watcher?.rooms ?? []) if (watcher !== undefined) this.#unwatch(room, watcher.pid)
    } else if (isGroupEvent(message)) this.#onGroupEvent(message)
  }

  #watch(room: string, session: Pid): void {
    const watched = this.#rooms.get(room) ?? this.#open(room, session)
    if (watched === undefined) return
    const key = session.toString()
    const watcher = this.#watchers.get(key) ?? { pid: session, monitor: this.self.monitor(session), rooms: new Set() }
    this.#watchers.set(key, watcher)
    watcher.rooms.add(room)
    watched.watchers.set(key, session)
    watched.state ??= new PresenceChange(watched.presence.state)
    this.self.send(session, watched.state)
  }

  /** A room that is none ends the session that watches it: it would watch it again, and all others with it, if this process ended of it. */
  #monitored(room: string, session: Pid): ReturnType<Groups['monitorGroup']> | undefined {
    try {
      return this.#groups?.monitorGroup(this.pid, groupOfRoom(room))
    } catch (thrown) {
      this.self.exit(session, reasonOfThrown(thrown))
      return undefined
    }
  }

  #open(room: string, session: Pid): WatchedRoom | undefined {
    const monitored = this.#monitored(room, session)
    if (monitored === undefined) return undefined
    const watched: WatchedRoom = {
      ref: monitored.ref,
      presence: new RoomPresence(room, monitored.members),
      watchers: new Map(),
      state: undefined,
    }
    this.#rooms.set(room, watched)
    this.#roomOfRef.set(monitored.ref.toString(), room)
    return watched
  }

  #unwatch(room: string, session: Pid): void {
    const key = session.toString()
    const watcher = this.#watchers.get(key)
    watcher?.rooms.delete(room)
    if (watcher?.rooms.size === 0) {
      this.#watchers.delete(key)
      this.self.demonitor(watcher.monitor, { flush: true })
    }
    const watched = this.#rooms.get(room)
    watched?.watchers.delete(key)
    if (watched === undefined || watched.watchers.size > 0) return
    this.#rooms.delete(room)
    this.#roomOfRef.delete(watched.ref.toString())
    this.#groups?.demonitor(watched.ref)
  }

  #onGroupEvent(event: GroupEvent): void {
    const watched = this.#rooms.get(this.#roomOfRef.get(event.ref.toString()) ?? '')
    if (watched === undefined) return
    const { presence } = watched
    const message = event.type === 'leave' ? presence.left(event.pids) : presence.joined(event.members)
    if (message === undefined) return
    watched.state = undefined
    this.self.sendAll([...watched.watchers.values()], new PresenceChange(message))
  }
}

function isGroupEvent(message: unknown): message is GroupEvent {
  return (
    (hasType(message, 'join') || hasType(message, 'leave') || hasType(message, 'meta')) &&
    'ref' in message &&
    message.ref instanceof Ref
  )
}
