/**
 * The gateways of a node, of whatever session classes: other nodes reach them all by one name, and each knows the sessions of the others.
 *
 *   a session is told to end, anywhere ─▶ pidmesh_gateways, on the session's node ─▶ the session's own gateway watches that it does
 *   where is a session?                ─▶ pidmesh_gateway:<class> ─▶ all gateways of that class
 *
 * State: which gateways there are, and the process with the name of them all. There is one object of it for each node (`Context.perNode`).
 *
 * Invariants: as long as there is a gateway there is that process, unless somebody ends it, and one gateway of each class has the name of its class. When the last one is gone nothing is left.
 */
import { handler, hasType, Pid, type Context } from '@pidmesh/runtime'
import { isCloseCause, type CloseCause } from './close-codes.ts'
import type { Seat } from './session-seat.ts'
import type { SessionHub } from './session-hub.ts'

/** Under which name all gateways of a node are told that a session is to end. */
const GATEWAYS = 'pidmesh_gateways'

/** Under which name one of the gateways of a class of sessions is on its node. */
export function gatewayName({ name }: { readonly name: string }): string {
  return `pidmesh_gateway:${name}`
}

/** A session has been told to end, so that its client is closed with this cause. It may be at something that never ends, and then it hears of nothing. */
interface Revoked {
  readonly type: 'revoked'
  readonly session: Pid
  readonly cause: CloseCause
}

function isRevoked(message: unknown): message is Revoked {
  if (!hasType(message, 'revoked') || !('session' in message) || !('cause' in message)) return false
  return message.session instanceof Pid && isCloseCause(message.cause)
}

/** Whoever has told a session to end tells its gateway so, whichever that is. */
export function tellGateways(self: Pick<Context, 'send'>, session: Pid, { code, reason }: CloseCause): void {
  const revoked: Revoked = { type: 'revoked', session, cause: { code, reason } }
  self.send({ name: GATEWAYS, node: session.node }, revoked)
}

export class Gateways {
  private readonly main: Context
  private readonly hubs = new Set<SessionHub>()
  private process: Pid | undefined = undefined

  constructor(main: Context) {
    this.main = main
  }

  enter(hub: SessionHub): void {
    this.hubs.add(hub)
    this.nameOneOf(hub)
    if (this.main.whereis(GATEWAYS) !== undefined) return
    const body = handler(() => (message) => {
      if (isRevoked(message)) this.onRevoked(message)
    })
    this.process = this.main.spawn(body, { name: GATEWAYS, label: 'gateways', mailbox: { policy: 'log' } })
  }

  /** Its process has ended. */
  leave(hub: SessionHub): void {
    this.hubs.delete(hub)
    // The node stops, and whatever has a name with it.
    if (!this.main.isAlive) return
    for (const other of this.hubs) if (isSameName(hub, other)) this.nameOneOf(other)
    if (this.hubs.size > 0 || this.process === undefined) return
    this.main.exit(this.process, 'shutdown')
    this.process = undefined
  }

  /** The session of another gateway of the same class, which can be gone on with as one of another node. */
  ofOther(hub: SessionHub, pid: Pid): Seat | undefined {
    for (const other of this.hubs) {
      const isOther = other !== hub && other.components.session === hub.components.session
      const seat = isOther ? other.seatOf(pid) : undefined
      if (seat !== undefined) return seat
    }
    return undefined
  }

  /** Where a session has gone, if it is with a gateway of that name. */
  find(hub: SessionHub, nonce: Uint8Array): Pid | undefined {
    for (const other of this.hubs) {
      const found = isSameName(hub, other) ? other.whereabouts.find(nonce) : undefined
      if (found !== undefined) return found
    }
    return undefined
  }

  private onRevoked({ session, cause }: Revoked): void {
    for (const hub of this.hubs) hub.seatOf(session)?.client.isRevoked(cause)
  }

  /** Gives the name of a class to a gateway of it, if none has it. */
  private nameOneOf(hub: SessionHub): void {
    const { main } = this
    const name = gatewayName(hub.components.session)
    const { gateway } = hub
    if (gateway === undefined || main.whereis(name) !== undefined) return
    if (main.isProcessAlive(gateway)) main.register(name, gateway)
  }
}

function isSameName(one: SessionHub, other: SessionHub): boolean {
  return one.components.session.name === other.components.session.name
}
