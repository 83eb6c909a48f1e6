/**
 * Lines of one kind, at most `LINES` a second: what comes again and again must not fill a disk. The first line of a second says how many were left out before
 * it.
 */
import type { Clock, LogFields, Logger } from '../ports.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'

const LINES = 100
const WINDOW_MS = 1_000

export class RateLimitedLog {
  private readonly log: Logger
  private readonly clock: Pick<Clock, 'monotonicMs'>
  private startMs = -Infinity
  private lines = 0
  private omitted = 0

  constructor(log: Logger, clock: Pick<Clock, 'monotonicMs'>) {
    this.log = log
    this.clock = clock
  }

  debug(fields: LogFields, message: string): void {
    this.write('debug', fields, message)
  }

  info(fields: LogFields, message: string): void {
    this.write('info', fields, message)
  }

  warn(fields: LogFields, message: string): void {
    this.write('warn', fields, message)
  }

  error(fields: LogFields, message: string): void {
    this.write('error', fields, message)
  }

  private write(level: Level, fields: LogFields, message: string): void {
    const nowMs = this.clock.monotonicMs()
    if (nowMs - this.startMs >= WINDOW_MS) {
      if (this.omitted > 0) fields = { ...fields, omittedBefore: this.omitted }
      this.startMs = nowMs
      this.lines = 0
      this.omitted = 0
    }
    if (++this.lines > LINES) this.omitted++
    else this.log[level](fields, message)
  }
}
