/**
 * The idle timeout of one server: `receive … after` of OTP's gen_server, by a timer and a note to oneself.
 *
 *   start(timeoutMs) ──▶ timer ──▶ a note in the mailbox ──▶ isDue(note)
 *                  0 ────────────▶ (behind what is in it)
 *   stop() ◀── any message but those of sys (which in OTP begin it anew)
 *
 * Invariant: a note that has been overtaken by a message, or by a later start, is not due: it bears which start it is of.
 */
import { hasType, type Context, type Ref } from '@pidmesh/runtime'
import { isInstance } from './is-instance.ts'

/** Can't be made by others: it is an instance, and stays on its node. */
export class IdleNote {
  readonly type: string = NOTE
}

const NOTE = '$idle'

export function isIdleNote(message: unknown): message is IdleNote {
  return hasType(message, NOTE) && isInstance(message, IdleNote)
}

export class IdleTimeout {
  private readonly self: Context
  private note: IdleNote | undefined = undefined
  private timer: Ref | undefined = undefined

  constructor(self: Context) {
    this.self = self
  }

  /** @param timeoutMs a finite number of milliseconds, 0 or more */
  start(timeoutMs: number): void {
    const { self } = this
    this.note = new IdleNote()
    if (timeoutMs === 0) self.send(self.pid, this.note)
    else this.timer = self.sendAfter(timeoutMs, self.pid, this.note)
  }

  stop(): void {
    if (this.note === undefined) return
    this.note = undefined
    if (this.timer !== undefined) this.self.cancelTimer(this.timer)
    this.timer = undefined
  }

  isDue(note: IdleNote): boolean {
    return note === this.note
  }
}
