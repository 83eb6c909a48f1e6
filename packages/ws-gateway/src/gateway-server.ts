/**
 * The gateway's process: all sessions are linked with it, so that it hears of their ends, and they end with it. Gateways of other nodes ask it where a session has gone.
 */
import { GenServer, type Call, type CallResult } from '@pidmesh/gen-server'
import { hasType, Pid, type Context, type ExitReason } from '@pidmesh/runtime'
import { isCloseCause, type CloseCause } from './close-codes.ts'

/** Which session here has a token, as it has moved here, and its client may not know it? */
export type WhereIs = Call<{ readonly type: 'where_is'; readonly nonce: Uint8Array }, Pid | undefined>

/** A session of this gateway has been told to end, so that its client is closed with this cause. It may be at something that never ends, and then it hears of nothing. */
export interface Revoked {
  readonly type: 'revoked'
  readonly session: Pid
  readonly cause: CloseCause
}

export interface GatewayServerOwner {
  readonly onReady: (self: Context) => void
  readonly onSessionEnd: (session: Pid, reason: ExitReason) => void
  readonly onRevoked: (session: Pid, cause: CloseCause) => void
  readonly whereIs: (nonce: Uint8Array) => Pid | undefined
}

/** Under which name the gateways of a class of sessions are on their nodes. */
export function gatewayName({ name }: { readonly name: string }): string {
  return `pidmesh_gateway:${name}`
}

export class GatewayServer extends GenServer<WhereIs, Revoked> {
  #owner!: GatewayServerOwner

  override init(owner: GatewayServerOwner): void {
    this.#owner = owner
    owner.onReady(this.self)
  }

  /** It must not end of a call that comes astray. */
  override handleCall(request: WhereIs): CallResult {
    if (request?.type !== 'where_is' || !(request.nonce instanceof Uint8Array)) return this.noreply()
    return this.reply(request, this.#owner.whereIs(request.nonce))
  }

  override handleCast(request: Revoked): void {
    if (request?.type !== 'revoked' || !(request.session instanceof Pid) || !isCloseCause(request.cause)) return
    this.#owner.onRevoked(request.session, request.cause)
  }

  override handleInfo(message: unknown): void {
    // Anybody can send something that looks like one.
    if (!hasType(message, 'EXIT') || !(message.from instanceof Pid)) return
    this.#owner.onSessionEnd(message.from, message.reason)
  }
}
