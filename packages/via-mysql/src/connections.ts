/**
 * A few sessions, and who waits for one.
 *
 *   use ─▶ a place, of `size` ─▶ an idle session, or a new one ─▶ the task ─▶ idle again
 *    │         ▲                                                      │
 *    └─ waits ─┘ in turn, MAX_WAITING at most, until its deadline      └─ failed ─▶ destroyed
 *
 * - A session is one task's at a time. One whose task has failed isn't used again: nobody knows what is left in it.
 * - Nothing is opened unless a task wants it: a server that is away is asked as often as there are calls, and found again by the next one. One that is there and doesn't greet is asked with pauses, by one at a time (dial-pause.ts).
 */
import { StoreError } from '@pidmesh/via-kit'
import type { DialPause } from './dial-pause.ts'
import type { Session } from './session.ts'

/** Calls that wait for a session. Each is a batch: this is thousands of names. */
export const MAX_WAITING = 256

interface Waiting {
  readonly grant: () => void
  readonly refuse: (error: StoreError) => void
}

export interface ConnectionsInit {
  readonly size: number
  /** Makes a session, which need not be connected yet. */
  readonly open: () => Session
  /** The first that is said in a session. */
  readonly prepare: (session: Session, untilMs: number) => Promise<unknown>
  /** Before it is dialed again. It outlives a start that has failed, and the next one is wary, too. */
  readonly pause: DialPause
}

export class Connections {
  private readonly init: ConnectionsInit
  private readonly idle: Session[] = []
  private readonly busy = new Set<Session>()
  private readonly waiting = new Set<Waiting>()
  private readonly pause: DialPause
  /** Settles with the handshake that was begun last. */
  private dialing: Promise<unknown> = Promise.resolve()
  private places: number
  private isStopped = false

  constructor(init: ConnectionsInit) {
    this.init = init
    this.pause = init.pause
    this.places = init.size
  }

  /** Rejects with what the task does, or with StoreError. Nothing of it lasts much longer than `untilMs`, if the task passes it on. */
  async use<Result>(untilMs: number, task: (session: Session) => Promise<Result>): Promise<Result> {
    await this.place(untilMs)
    try {
      return await this.inSession(untilMs, task)
    } finally {
      this.leave()
    }
  }

  /** What is under way, or waits, fails. */
  async stop(): Promise<void> {
    this.isStopped = true
    for (const { refuse } of this.waiting) refuse(stopped())
    for (const session of this.busy) session.destroy(stopped())
    await Promise.all(this.idle.splice(0).map((session) => session.end()))
  }

  private async inSession<Result>(untilMs: number, task: (session: Session) => Promise<Result>): Promise<Result> {
    if (this.isStopped) throw stopped()
    let session = this.idle.pop()
    // One that was lost while it was idle is passed over.
    while (session !== undefined && !session.isUsable) session = this.idle.pop()
    session ??= await this.dial(untilMs)
    this.busy.add(session)
    try {
      const result = await task(session)
      if (this.isStopped) session.destroy()
      else this.idle.push(session)
      return result
    } catch (error) {
      session.destroy()
      throw error
    } finally {
      this.busy.delete(session)
    }
  }

  /** A new session, prepared. */
  private async dial(untilMs: number): Promise<Session> {
    while (this.pause.isWary) {
      const { dialing } = this
      await settled(dialing, untilMs)
      if (performance.now() >= untilMs) break
      // Somebody else who has waited for it dials now.
      if (dialing === this.dialing) break
    }
    if (this.isStopped) throw stopped()
    const nowMs = performance.now()
    this.pause.check(nowMs)
    // A handshake that is bound to be broken off is not begun: it would be counted.
    if (nowMs >= untilMs)
      throw new StoreError('ERR_STORE_UNAVAILABLE', 'the database server has not taken another connection in time')
    const session = this.init.open()
    const prepared = this.prepare(session, untilMs)
    this.dialing = prepared.catch(() => undefined)
    await prepared
    return session
  }

  private async prepare(session: Session, untilMs: number): Promise<void> {
    const begunMs = performance.now()
    this.busy.add(session)
    try {
      await this.init.prepare(session, untilMs)
      this.pause.succeeded()
    } catch (error) {
      if (session.isBrokenOff) this.pause.brokenOff(performance.now(), begunMs)
      session.destroy()
      throw error
    } finally {
      this.busy.delete(session)
    }
  }

  private place(untilMs: number): Promise<void> {
    if (this.isStopped) return Promise.reject(stopped())
    if (this.places > 0) {
      this.places -= 1
      return Promise.resolve()
    }
    if (this.waiting.size >= MAX_WAITING)
      return Promise.reject(new StoreError('ERR_STORE_OVERLOADED', `${MAX_WAITING} calls wait for the database server`))
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.waiting.delete(waiting)
      }
      const waiting: Waiting = {
        grant: () => {
          settle()
          resolve()
        },
        refuse: (error) => {
          settle()
          reject(error)
        },
      }
      const timer = setTimeout(
        () =>
          waiting.refuse(
            new StoreError('ERR_STORE_UNAVAILABLE', 'no connection to the database server was free in time'),
          ),
        Math.max(0, untilMs - performance.now()),
      )
      this.waiting.add(waiting)
    })
  }

  /** The place goes to who has waited longest. */
  private leave(): void {
    const [next] = this.waiting
    if (next === undefined) this.places += 1
    else next.grant()
  }
}

/** Or it is late. */
async function settled(promise: Promise<unknown>, untilMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, untilMs - performance.now()))
  })
  await Promise.race([promise, late])
  clearTimeout(timer)
}

function stopped(): StoreError {
  return new StoreError('ERR_STORE_UNAVAILABLE', 'the way to the database server has been stopped')
}
