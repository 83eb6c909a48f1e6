/**
 * Lines of one kind, at most a hundred a second if nothing else is said: what comes again and again must not fill a disk. The first line of a window says how many
 * were left out before it.
 */
import type { Clock, LogFields, Logger } from '../ports.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'

/** Where its lines go: a logger, or another of these. */
type Lines = Pick<Logger, Level>

export interface LogRate {
  readonly lines: number
  readonly windowMs: number
}

const RATE: LogRate = { lines: 100, windowMs: 1_000 }

export class RateLimitedLog {
  private readonly log: Lines
  private readonly clock: Pick<Clock, 'monotonicMs'>
  private readonly rate: LogRate
  private startMs = -Infinity
  private lines = 0
  private omitted = 0

  constructor(log: Lines, clock: Pick<Clock, 'monotonicMs'>, rate: LogRate = RATE) {
    this.log = log
    this.clock = clock
    this.rate = rate
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
    if (nowMs - this.startMs >= this.rate.windowMs) {
      if (this.omitted > 0) fields = { ...fields, omittedBefore: this.omitted }
      this.startMs = nowMs
      this.lines = 0
      this.omitted = 0
    }
    if (++this.lines > this.rate.lines) this.omitted++
    else this.log[level](fields, message)
  }
}
