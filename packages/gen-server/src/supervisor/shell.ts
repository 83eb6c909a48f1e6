/**
 * Carries out what a supervisor's core has decided: starts and stops processes, one at a time unless they are stopped together, and writes reports.
 * While it waits the supervisor handles no message.
 *
 *   shutdown:  exit(pid, shutdown) ─▶ ends in time ─▶ done
 *                                  └─▶ doesn't ─────▶ exit(pid, kill) ─▶ done
 *
 * Invariants: a child is linked to its supervisor from its start to its end, so that it dies with one that is killed; it is watched before it is
 * told to stop, so that one that has unlinked itself is waited for too. What user code throws in a start is why it has failed, and nothing else.
 */
import { turn } from '../behaviour/turn.ts'
import { assertNever, Pid, reasonOfThrown, type Context, type ExitReason } from '@pidmesh/runtime'
import { StartError } from '../errors.ts'
import type { CheckedChildSpec, Shutdown } from './child-spec.ts'
import type { Child, Core, Effect } from './effects.ts'
import type { StartResult } from './protocol.ts'
import { SupervisionReports } from './reports.ts'

export type StartOutcome =
  | { readonly type: 'started'; readonly pid: Pid | undefined }
  | { readonly type: 'failed'; readonly reason: ExitReason; readonly alreadyStarted?: Pid | undefined }

/** To itself: a child is to be tried again. A class, so that nothing that comes from elsewhere is taken for one. */
export class Retry {
  readonly type = '$supervisor_retry'
  readonly child: Child

  constructor(child: Child) {
    this.child = child
  }
}

/** Children that are told to stop before others get a turn. */
const SLICE = 100

export class Shell {
  private readonly self: Context
  private readonly core: Core
  private readonly reports: SupervisionReports

  constructor(self: Context, core: Core, name: string | undefined) {
    this.self = self
    this.core = core
    this.reports = new SupervisionReports(self, name)
  }

  /** Resolves when all has been done, with the reason if the supervisor is to end. */
  async execute(effects: readonly Effect[]): Promise<ExitReason | undefined> {
    for (const effect of effects) {
      switch (effect.type) {
        case 'report':
          this.reports.write(effect.report)
          break
        case 'start': {
          const { child } = effect
          const outcome = await this.start(child.spec)
          // What was to come after it would have built on it.
          if (outcome.type === 'failed') return this.execute(this.core.onStartFailed(child, outcome.reason))
          await this.execute(this.core.onStarted(child, outcome.pid))
          break
        }
        case 'stop':
          await this.stop(effect.child)
          break
        case 'stop_all':
          await this.stopAll(effect.children)
          break
        case 'retry':
          this.self.send(this.self.pid, new Retry(effect.child))
          break
        case 'end':
          return effect.reason
        default:
          assertNever(effect)
      }
    }
    return undefined
  }

  async start(spec: CheckedChildSpec): Promise<StartOutcome> {
    const { self } = this
    try {
      const pid: unknown = await spec.start(self)
      if (pid === undefined) return { type: 'started', pid }
      if (!(pid instanceof Pid)) return { type: 'failed', reason: { bad_return_value: typeof pid } }
      if (pid.equals(self.pid) || this.core.childOf(pid) !== undefined)
        return { type: 'failed', reason: { already_started: pid }, alreadyStarted: pid }
      self.link(pid)
      return { type: 'started', pid }
    } catch (thrown) {
      // Killed while it waited: nothing is to be done in its name.
      if (!self.isAlive) throw thrown
      if (!(thrown instanceof StartError)) return { type: 'failed', reason: reasonOfThrown(thrown) }
      if (thrown.code !== 'ERR_ALREADY_STARTED') return { type: 'failed', reason: thrown.reason }
      return { type: 'failed', reason: { already_started: thrown.pid }, alreadyStarted: thrown.pid }
    }
  }

  private async stop(child: Child): Promise<void> {
    const { pid, spec } = child
    if (pid === undefined) return
    const reason = await stopProcess(this.self, pid, spec.shutdown)
    await this.execute(this.core.onStopped(child, reason))
  }

  private async stopAll(children: readonly Child[]): Promise<void> {
    const ends: Promise<void>[] = []
    for (const [index, child] of children.entries()) {
      const end = this.stop(child)
      // The supervisor may be killed before it comes to wait for them.
      end.catch(() => undefined)
      ends.push(end)
      if (index % SLICE === SLICE - 1) await turn(this.self)
    }
    await Promise.all(ends)
  }
}

/** What is answered to who wanted the start. */
export function resultOf(outcome: StartOutcome): StartResult {
  if (outcome.type === 'started') return { type: 'ok', pid: outcome.pid }
  const { alreadyStarted, reason } = outcome
  return alreadyStarted === undefined
    ? { type: 'start_failed', reason }
    : { type: 'already_started', pid: alreadyStarted }
}

/**
 * Ends a process and waits for its end.
 * @returns the reason with which it ended; `noproc` if it had ended before
 * @throws ProcessExited by rejection, if the caller ends first
 */
export async function stopProcess(self: Context, pid: Pid, shutdown: Shutdown): Promise<ExitReason> {
  if (shutdown !== 'brutal_kill') {
    const ended = self.awaitDown(pid, shutdown)
    self.exit(pid, 'shutdown')
    const reason = await ended
    if (reason !== undefined) return reason
  }
  const killed = self.awaitDown(pid, Infinity)
  self.exit(pid, 'kill')
  return (await killed) ?? 'killed'
}
