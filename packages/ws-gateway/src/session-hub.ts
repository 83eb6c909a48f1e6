/**
 * What all sessions of a gateway share.
 */
import type { ServerPid } from '@pidmesh/gen-server'
import {
  PidmeshError,
  RateLimitedLog,
  type Awaitable,
  type Clock,
  type Groups,
  type Logger,
  type Pid,
  type Random,
  type SendStatus,
  type TimerHandle,
  type Via,
} from '@pidmesh/runtime'
import type { Counters } from './counters.ts'
import { Outgoing } from './outgoing.ts'
import type { PresenceCast } from './presence-server.ts'
import type { RingLimits } from './replay-ring.ts'
import { groupOfName, roomMessage, type RoomMessage } from './room-message.ts'
import type { AnySession } from './session.ts'
import type { Seat } from './session-seat.ts'
import { Whereabouts } from './whereabouts.ts'

export interface ResumeOptions extends RingLimits {
  /** How long a session waits for its client. */
  readonly graceMs: number
  /** How many sessions may wait. */
  readonly maxDetached: number
  /** And how many of one principal. */
  readonly maxDetachedPerPrincipal: number
}

export interface HubComponents {
  /** The class of sessions, whatever its types: what is given to it is what its gateway's types say. */
  readonly session: new () => AnySession
  readonly names: Via
  readonly groups: Groups | undefined
  /** `undefined`: sessions end with their sockets. */
  readonly resume: ResumeOptions | undefined
  readonly keys: readonly Uint8Array[]
  readonly random: Random
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Logger
  /** A session whose time is over has so long to end. */
  readonly sessionEndTimeoutMs: number
  readonly kill: (session: Pid) => void
}

export class SessionHub {
  readonly components: HubComponents
  /** By the number of its process. */
  readonly sessions: Map<number, Seat> = new Map()
  /** Those that have not begun yet: by the number of their process, too. */
  readonly beginning: Map<number, Seat> = new Map()
  /** Sessions that are being started: one that comes from another node may be nowhere else any more. */
  starting = 0
  /** How many of them have no socket, and how many of each principal. */
  detached = 0
  /** And how many have gone to another node: their former process is there for a while, and forwards. */
  gone = 0
  /** For what goes wrong in sessions: one message may be for all of them, and a store that is away is so for each message. */
  readonly faults: Pick<Logger, 'warn' | 'error'>
  readonly whereabouts: Whereabouts = new Whereabouts()
  private readonly detachedOf = new Map<string, number>()
  /** The gateway's own process. */
  gateway: Pid | undefined = undefined
  presence: ServerPid<never, PresenceCast> | undefined = undefined
  private broadcasts = 0
  private readonly encoded = new WeakMap<RoomMessage, Outgoing>()

  constructor(components: HubComponents) {
    this.components = components
    this.faults = new RateLimitedLog(components.log, components.clock)
  }

  /** With a socket, or on their way to one; and without. */
  get counts(): { readonly attached: number; readonly detached: number } {
    const { sessions, detached, gone } = this
    return { attached: sessions.size - detached - gone, detached }
  }

  /** There is no session, and none is on its way here. */
  get isEmpty(): boolean {
    return this.sessions.size === 0 && this.starting === 0
  }

  /** The session of this gateway that has the pid. */
  sessionOf(pid: Pid): Seat | undefined {
    const session = this.sessions.get(pid.id)
    // Of another node, perhaps, with the same number.
    return session?.pid.equals(pid) === true ? session : undefined
  }

  /** As `sessionOf`, and one that is just beginning, or coming from another node. */
  seatOf(pid: Pid): Seat | undefined {
    const beginning = this.beginning.get(pid.id)
    return beginning?.pid.equals(pid) === true ? beginning : this.sessionOf(pid)
  }

  /** Whether one more session of a principal may wait for its client; then it is counted. */
  wait(principalId: string): boolean {
    const { resume } = this.components
    const own = this.detachedOf.get(principalId) ?? 0
    if (resume === undefined || this.detached >= resume.maxDetached || own >= resume.maxDetachedPerPrincipal)
      return false
    this.detached++
    this.detachedOf.set(principalId, own + 1)
    return true
  }

  /** A session that is at something that never ends doesn't see that its time is over, and would hold its names for ever: it is killed somewhat later, unless the timer is cancelled. */
  watch(session: Pid, leftMs: number, before?: () => void): TimerHandle {
    const { clock, sessionEndTimeoutMs, kill } = this.components
    return clock.setTimer(leftMs + sessionEndTimeoutMs, () => {
      before?.()
      kill(session)
    })
  }

  /** One that has waited does so no more. */
  endWait(principalId: string): void {
    const own = this.detachedOf.get(principalId) ?? 0
    this.detached--
    if (own > 1) this.detachedOf.set(principalId, own - 1)
    else this.detachedOf.delete(principalId)
  }

  /** A session has gone to another node. */
  hasGone(pid: Pid): void {
    if (this.sessionOf(pid) !== undefined) this.gone++
  }

  /** The process of a session has ended. */
  delete({ pid, client }: Seat): void {
    this.sessions.delete(pid.id)
    if (client.state?.phase === 'moved') this.gone--
  }

  /** All sessions have ended. */
  clear(): void {
    for (const session of this.sessions.values()) session.client.sessionHasEnded()
    this.sessions.clear()
    this.detachedOf.clear()
    this.detached = 0
    this.gone = 0
  }

  /** Sends to whoever has a name: to one, or to all sessions that have it together, but for `except`. `noproc` if nobody is known to have it. */
  send(name: string, message: unknown, except?: Pid): Awaitable<SendStatus | 'noproc'> {
    const { names } = this.components
    if (names.capabilities.holders === 'many') {
      if (except === undefined) return names.send(name, message)
      return this.gateway === undefined
        ? 'noconnection'
        : names.send(name, this.roomMessage(this.gateway, { group: groupOfName(name), message, except }))
    }
    const sentToOne = names.send(name, message)
    const orToAll = (status: SendStatus | 'noproc'): SendStatus | 'noproc' =>
      status !== 'noproc' || this.membersOf(name).length === 0
        ? status
        : this.broadcast(groupOfName(name), message, except)
    return sentToOne instanceof Promise ? sentToOne.then(orToAll) : orToAll(sentToOne)
  }

  /** The sessions that have a name together (`multi`). What can be nobody's name is nobody's. */
  membersOf(name: string): readonly Pid[] {
    try {
      return this.components.groups?.members(groupOfName(name)) ?? []
    } catch (thrown) {
      if (thrown instanceof PidmeshError && thrown.code === 'ERR_BAD_ARGUMENT') return []
      throw thrown
    }
  }

  /** Sends to all of a group; a session gets it but for `except`. */
  readonly broadcast = (group: string, message: unknown, except: Pid | undefined): 'ok' | 'busy' | 'noconnection' => {
    const { groups } = this.components
    if (groups === undefined || this.gateway === undefined) return 'noconnection'
    return groups.broadcast(group, this.roomMessage(this.gateway, { group, message, except }))
  }

  private roomMessage(
    from: Pid,
    { group, message, except }: Pick<RoomMessage, 'group' | 'message' | 'except'>,
  ): RoomMessage {
    return roomMessage(message, { id: ++this.broadcasts, from, group, except })
  }

  /** What is broadcast is one object for all sessions of a node, and is encoded once. */
  outgoingOf(message: RoomMessage): Outgoing {
    const known = this.encoded.get(message)
    if (known !== undefined) return known
    const outgoing = new Outgoing(message.message)
    this.encoded.set(message, outgoing)
    return outgoing
  }
}
