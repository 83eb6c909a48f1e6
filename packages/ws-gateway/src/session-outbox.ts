/**
 * What a session sends to its client.
 *
 *   push ─▶ frame ─▶ ring ─▶ socket            enough room
 *                      └──▶ (kept)             no socket: the client may come back
 *                      └──▶ 4008               more than the hard limit: the client may come back, too
 *           droppable, coalescible ─▶ left out, or the latest is held by its key, while there is not enough room or no socket
 *
 * State: the socket, if there is one; the latest messages by key. Invariants: what is numbered is in the ring before it is in the socket, and in the order of its number;
 * what is left out or held has no number.
 */
import type { Context } from '@pidmesh/runtime'
import { CLOSE } from './close-codes.ts'
import type { Codec } from './codec/codec.ts'
import type { Connection } from './connection.ts'
import type { DropReason } from './counters.ts'
import type { Frame } from './frame.ts'
import { encodeFrame, Outgoing } from './outgoing.ts'
import type { ReplayRing } from './replay-ring.ts'
import type { SessionHub } from './session-hub.ts'
import type { PushOptions, PushStatus } from './session.ts'

/** Of those that are held, by key: the oldest make room. */
const MAX_COALESCED = 256
const MAX_COALESCED_BYTES = 256 * 1024

interface Held {
  readonly message: unknown
  readonly bytes: number
}

export interface OutboxComponents {
  readonly hub: Pick<SessionHub, 'components' | 'faults'>
  readonly self: Context
  readonly codec: Codec
  /** `undefined`: the client can't resume. */
  readonly ring: ReplayRing | undefined
}

export class SessionOutbox {
  connection: Connection | undefined = undefined
  readonly codec: Codec
  /** The session is somewhere else, or has ended: what is pushed here reaches nobody. */
  isClosed = false
  private readonly hub: OutboxComponents['hub']
  private readonly self: Context
  private readonly ring: ReplayRing | undefined
  private coalesced: Map<string, Held> | undefined = undefined
  private coalescedBytes = 0
  /** What is being handled, if others get it, too: it is encoded once. */
  private shared: Outgoing | undefined = undefined

  constructor({ hub, self, codec, ring }: OutboxComponents) {
    this.hub = hub
    this.self = self
    this.codec = codec
    this.ring = ring
  }

  push(message: unknown, options: PushOptions | undefined): PushStatus {
    const { shared } = this
    return this.send(shared?.message === message && shared !== undefined ? shared : new Outgoing(message), options)
  }

  /** While `handle` runs, a push of this message takes the frame that is there. */
  sharing<Result>(outgoing: Outgoing, handle: () => Result): Result {
    this.shared = outgoing
    try {
      return handle()
    } finally {
      this.shared = undefined
    }
  }

  /** The client reads again, or is back. */
  flushCoalesced(): void {
    const waiting = this.coalesced
    if (waiting === undefined) return
    this.coalesced = undefined
    this.coalescedBytes = 0
    for (const [key, { message }] of waiting) this.send(new Outgoing(message), { coalesce: key })
  }

  /** The frames of what is held, for a session that moves. */
  get heldFrames(): readonly Frame[] {
    return [...(this.coalesced?.values() ?? [])].flatMap(({ message }) => encodeFrame(this.codec, message) ?? [])
  }

  private send(outgoing: Outgoing, options: PushOptions | undefined): PushStatus {
    const { codec, ring } = this
    if (this.isClosed) return this.drop('no_socket')
    const frame = outgoing.frame(codec)
    if (frame === undefined) {
      this.hub.faults.warn(
        { session: this.self.pid.toString(), codec: codec.name },
        'a message that has no form in the subprotocol was not sent to the client',
      )
      return this.drop('unencodable')
    }
    const { connection } = this
    const room = connection?.roomFor(frame.length) ?? 'none'
    if (options !== undefined) {
      if (room !== 'enough')
        return 'coalesce' in options
          ? this.hold(options.coalesce, { message: outgoing.message, bytes: frame.length })
          : this.drop('droppable')
      if ('coalesce' in options && this.letGo(options.coalesce)) this.drop('coalesced')
    }
    ring?.add(frame)
    if (connection === undefined || room === 'none') return ring === undefined ? this.drop('no_socket') : 'kept'
    if (room === 'full') {
      connection.close(CLOSE.slowConsumer)
      return ring === undefined ? this.drop('no_socket') : 'kept'
    }
    connection.writeMessage(frame)
    return 'sent'
  }

  private drop(reason: DropReason): 'dropped' {
    this.hub.components.counters.countDrop(reason)
    return 'dropped'
  }

  private hold(key: string, held: Held): PushStatus {
    if (this.ring === undefined && this.connection === undefined) return this.drop('no_socket')
    if (this.letGo(key)) this.drop('coalesced')
    this.coalesced ??= new Map()
    this.coalesced.set(key, held)
    this.coalescedBytes += held.bytes
    while (this.coalesced.size > MAX_COALESCED || this.coalescedBytes > MAX_COALESCED_BYTES) {
      const [oldest = key] = this.coalesced.keys()
      this.letGo(oldest)
      this.drop('coalesced')
      if (oldest === key) return 'dropped'
    }
    return 'held'
  }

  private letGo(key: string): boolean {
    const held = this.coalesced?.get(key)
    if (held === undefined) return false
    this.coalesced?.delete(key)
    this.coalescedBytes -= held.bytes
    return true
  }
}
