/**
 * What a session has of its process: its client, its names, its rooms, and how it reaches others. What its gateway knows of it, too.
 *
 * State: names and rooms, once it has any, and which broadcasts it has had since it moved: all that goes with it to another node, beside what its client has not acknowledged.
 */
import { Pid, PidmeshError, type Context, type NameMeta, type Via } from '@pidmesh/runtime'
import type { RoomMessage } from './room-message.ts'
import { SeenOnce } from './seen-once.ts'
import type { SessionClient } from './session-client.ts'
import type { SessionHub } from './session-hub.ts'
import { FORWARD_MS } from './session-move.ts'
import { SessionNames, type NamePolicy } from './session-names.ts'
import type { SessionOutbox } from './session-outbox.ts'
import type { SessionSnapshot } from './session-protocol.ts'
import { OwnRooms } from './session-rooms.ts'
import type { PushOptions, PushStatus, SessionSeat } from './session.ts'

type Belongings = Pick<SessionSnapshot, 'names' | 'rooms' | 'watched' | 'mark' | 'seen'>

export class Seat implements SessionSeat<unknown> {
  readonly hub: SessionHub
  readonly self: Context
  readonly client: SessionClient
  private readonly outbox: SessionOutbox
  private heldNames: SessionNames | undefined = undefined
  private heldRooms: OwnRooms | undefined = undefined
  /** Broadcasts may come twice to a session that has just moved. */
  private seen: SeenOnce | undefined = undefined

  constructor(hub: SessionHub, self: Context, client: SessionClient) {
    this.hub = hub
    this.self = self
    this.client = client
    this.outbox = client.outbox
  }

  get pid(): Pid {
    return this.self.pid
  }

  get names(): Via {
    return this.hub.components.names
  }

  get principal(): unknown {
    return this.client.identity.principal
  }

  get isConnected(): boolean {
    return this.client.isConnected
  }

  get rooms(): OwnRooms {
    this.heldRooms ??= new OwnRooms({
      self: this.self,
      groups: this.hub.components.groups,
      presence: () => this.hub.presence,
      broadcast: this.hub.broadcast,
      idOf: () => this.client.identity.id,
      random: this.hub.components.random,
    })
    return this.heldRooms
  }

  get ownNames(): SessionNames {
    const { names, groups } = this.hub.components
    this.heldNames ??= new SessionNames(this.self, names, groups)
    return this.heldNames
  }

  push(message: unknown, options: PushOptions | undefined): PushStatus {
    return this.outbox.push(message, options)
  }

  sendTo(name: string, message: unknown): void {
    const failed = (thrown: unknown): void =>
      this.hub.faults.warn(
        { session: this.pid.toString(), name, problem: String(thrown) },
        'a message to a name was not sent',
      )
    try {
      const status = this.hub.send(name, message)
      if (status instanceof Promise) status.catch(failed)
    } catch (thrown) {
      // What can't be sent is the caller's fault; a way of keeping names that fails isn't.
      if (thrown instanceof PidmeshError) throw thrown
      failed(thrown)
    }
  }

  register(name: string, policy: NamePolicy, meta: NameMeta): Promise<'yes' | 'no'> {
    return this.ownNames.register(name, policy, meta)
  }

  setMeta(name: string, meta: NameMeta): Promise<'ok' | 'error'> {
    return this.ownNames.setMeta(name, meta)
  }

  /** The policy by which the session has a name; `undefined` if it is none of its own. */
  policyOf(name: string): NamePolicy | undefined {
    return this.heldNames?.policyOf(name)
  }

  // Rooms.

  /** Whether a broadcast is not for this session, wherever it goes: it was left out, or has left the room. */
  isNotFor({ except, group }: RoomMessage): boolean {
    // What only looks like a broadcast may have anything there.
    return (except instanceof Pid && except.equals(this.pid)) || this.heldRooms?.hasLeft(group) === true
  }

  /** Whether a broadcast has come before, over the session's former place. From now on it has. */
  isAgain({ from, id }: RoomMessage): boolean {
    return this.seen?.isAgain(`${from}#${id}`, this.self.monotonicMs()) === true
  }

  leaveRoom(room: string): Promise<void> | undefined {
    return this.heldRooms?.leave(room)
  }

  /** Who told it who is in its rooms has been started anew. */
  watchAgain(): void {
    this.heldRooms?.watchAgain()
  }

  // To another node, and from one.

  /** What goes with the session. */
  get belongings(): Belongings {
    return {
      names: this.heldNames?.all ?? [],
      ...(this.heldRooms?.snapshot ?? { rooms: [], watched: [], mark: undefined }),
      seen: this.seen?.all(this.self.monotonicMs()) ?? [],
    }
  }

  /** From now on broadcasts come here, and are forwarded from the former place, too. */
  hasSeen(seen: readonly string[]): void {
    this.seen = new SeenOnce(this.self.monotonicMs() + 2 * FORWARD_MS, seen)
  }
}
