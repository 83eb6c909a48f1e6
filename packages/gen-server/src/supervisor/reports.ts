/**
 * What supervisors log of their children, in the one shape that docs/observation.md shows: at most 100 lines a second of each kind and supervisor. Telemetry is
 * told all of it.
 */
import { formatReason, isErrorReason, RateLimitedLog, type Context, type ExitReason } from '@pidmesh/runtime'
import { tellSupervision } from '../observed.ts'
import type { SupervisionReport } from './effects.ts'

const TEXTS: Record<SupervisionReport['event'], string> = {
  progress: 'has started',
  child_terminated: 'has ended',
  start_error: 'could not be started',
  shutdown_error: 'was stopped, and ended otherwise than it should',
  shutdown: 'was to be restarted once too often: the supervisor gives up',
}

export class SupervisionReports {
  private readonly self: Context
  private readonly supervisor: string
  private readonly logs: Partial<Record<SupervisionReport['event'], RateLimitedLog>> = {}

  constructor(self: Context, name: string | undefined) {
    this.self = self
    this.supervisor = name ?? self.pid.toString()
  }

  write(report: SupervisionReport): void {
    tellSupervision(this.self, this.supervisor, report)
    const { event, child, pid, reason, restarts } = report
    const log = (this.logs[event] ??= new RateLimitedLog(this.self.log, this.self))
    const fields = {
      report: 'supervisor',
      event,
      supervisor: this.supervisor,
      child,
      ...(pid === undefined ? {} : { childPid: pid.toString() }),
      ...(reason === undefined ? {} : { reason: shownReason(reason) }),
      restarts,
    }
    const why = reason === undefined || event === 'shutdown' ? '' : `: ${formatReason(reason)}`
    const text = `child ${child} of ${this.supervisor} ${TEXTS[event]}${why}`
    if (event === 'progress') log.debug(fields, text)
    else log.error(fields, text)
  }
}

/** As crash reports show it: without the `error` around an error. */
function shownReason(reason: ExitReason): unknown {
  return isErrorReason(reason) ? reason.error : reason
}
