/**
 * The gateway's process: all sessions are linked with it, so that it hears of their ends, and they end with it.
 */
import { GenServer, type NoReplyResult } from '@pidmesh/gen-server'
import { hasType, Pid, type Context, type ExitReason } from '@pidmesh/runtime'

export class GatewayServer extends GenServer {
  #onSessionEnd: (session: Pid, reason: ExitReason) => void = () => undefined

  override init(onReady: (self: Context) => void, onSessionEnd: (session: Pid, reason: ExitReason) => void): void {
    this.#onSessionEnd = onSessionEnd
    onReady(this.self)
  }

  /** It takes no calls and no casts, and must not end of one that comes astray. */
  override handleCall(): NoReplyResult {
    return this.noreply()
  }

  override handleCast(): void {}

  override handleInfo(message: unknown): void {
    // Anybody can send something that looks like one.
    if (!hasType(message, 'EXIT') || !(message.from instanceof Pid)) return
    this.#onSessionEnd(message.from, message.reason)
  }
}
