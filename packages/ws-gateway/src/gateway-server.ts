/**
 * The gateway's process: all sessions are linked with it, so that it hears of their ends, and they end with it. Gateways of other nodes ask it where a session has gone.
 */
import { GenServer, type Call, type CallResult } from '@pidmesh/gen-server'
import { hasType, Pid, type Context, type ExitReason } from '@pidmesh/runtime'

/** Which session here has a token, as it has moved here, and its client may not know it? */
export type WhereIs = Call<{ readonly type: 'where_is'; readonly nonce: Uint8Array }, Pid | undefined>

export interface GatewayServerOwner {
  readonly onReady: (self: Context) => void
  readonly onSessionEnd: (session: Pid, reason: ExitReason) => void
  readonly whereIs: (nonce: Uint8Array) => Pid | undefined
}

export class GatewayServer extends GenServer<WhereIs> {
  #owner!: GatewayServerOwner

  override init(owner: GatewayServerOwner): void {
    this.#owner = owner
    owner.onReady(this.self)
  }

  /** It must not end of a call that comes astray, nor of a cast. */
  override handleCall(request: WhereIs): CallResult {
    if (request?.type !== 'where_is' || !(request.nonce instanceof Uint8Array)) return this.noreply()
    return this.reply(request, this.#owner.whereIs(request.nonce))
  }

  override handleCast(): void {}

  override handleInfo(message: unknown): void {
    // Anybody can send something that looks like one.
    if (!hasType(message, 'EXIT') || !(message.from instanceof Pid)) return
    this.#owner.onSessionEnd(message.from, message.reason)
  }
}
