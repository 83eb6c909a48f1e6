/**
 * A logger that keeps its lines, for tests that ask what was logged.
 */
import type { LogFields, Logger } from '../ports.ts'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

export class MemoryLogger implements Logger {
  readonly lines: LogLine[]
  private readonly bound: LogFields

  constructor(lines: LogLine[] = [], bound: LogFields = {}) {
    this.lines = lines
    this.bound = bound
  }

  debug(fields: LogFields, message: string): void {
    this.add('debug', fields, message)
  }

  info(fields: LogFields, message: string): void {
    this.add('info', fields, message)
  }

  warn(fields: LogFields, message: string): void {
    this.add('warn', fields, message)
  }

  error(fields: LogFields, message: string): void {
    this.add('error', fields, message)
  }

  child(fields: LogFields): Logger {
    return new MemoryLogger(this.lines, { ...this.bound, ...fields })
  }

  private add(level: LogLine['level'], fields: LogFields, message: string): void {
    this.lines.push({ level, message, fields: { ...this.bound, ...fields } })
  }
}
