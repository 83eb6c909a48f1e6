/**
 * How long a session may be without its client, and without coming to terms with that.
 *
 *   the socket is closed ─▶ watch ─▶ the process has handled it ─▶ begin ─▶ the client is back ─▶ end
 *                             │                                      └── graceMs ─▶ Deadline to the process, which ends
 *                             └── sessionEndTimeoutMs ─▶ killed      └── graceMs + sessionEndTimeoutMs ─▶ killed
 *
 * One that has been told to end has `sessionEndTimeoutMs` for that, whatever its client does meanwhile, and however often it is told.
 *
 * State: whether the session is counted among those that wait; the watchdog, which is one timer outside of the process, as that may hang; whether it is to end.
 */
import type { Context, Ref, TimerHandle } from '@pidmesh/runtime'
import type { SessionHub } from './session-hub.ts'
import { Deadline } from './session-protocol.ts'

export class SessionWait {
  private readonly hub: SessionHub
  private readonly self: Context
  private times = 0
  private waitsFor: string | undefined = undefined
  private watchdog: TimerHandle | undefined = undefined
  private deadline: Ref | undefined = undefined
  /** The process has been told to, and the watchdog is for that. */
  isToEnd = false

  constructor(hub: SessionHub, self: Context) {
    this.hub = hub
    this.self = self
  }

  /** For its client to come back. `false` if too many wait already: none is added, as those that wait have more to lose. */
  begin(principalId: string, graceMs: number): boolean {
    if (!this.hub.wait(principalId)) return false
    this.waitsFor = principalId
    this.watch(graceMs)
    this.deadline = this.self.sendAfter(graceMs, this.self.pid, new Deadline('grace', ++this.times))
    return true
  }

  /** Whether that deadline is of the wait that is under way. */
  isOver(number: number): boolean {
    return this.waitsFor !== undefined && number === this.times
  }

  /** The client is back. */
  end(): void {
    if (!this.isToEnd) this.watchdog?.cancel()
    if (this.waitsFor === undefined) return
    this.hub.endWait(this.waitsFor)
    this.waitsFor = undefined
    // A client that comes and goes all the time would have many of them.
    if (this.deadline !== undefined && this.self.isAlive) this.self.cancelTimer(this.deadline)
  }

  /** The process has so long, and then `sessionEndTimeoutMs`, before it is killed. */
  watch(leftMs: number): void {
    if (this.isToEnd) return
    this.watchdog?.cancel()
    this.watchdog = this.hub.watch(this.self.pid, leftMs)
  }

  /** The process has `sessionEndTimeoutMs` to end, before it is killed, and `before` that something else is to be done. */
  watchEnd(before: () => void): void {
    this.isToEnd = true
    this.watchdog?.cancel()
    this.watchdog = this.hub.watch(this.self.pid, 0, before)
  }

  /** The process has ended. */
  processHasEnded(): void {
    this.watchdog?.cancel()
    this.end()
  }
}
