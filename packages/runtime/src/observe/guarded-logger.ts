/**
 * The node's logger as the runtime uses it: a line that can't be written must not end what it tells of.
 */
import type { LogFields, Logger } from '../ports.ts'

/** Passes lines on, and swallows what the logger throws: a fault of logging can't be logged. */
export function guardedLogger(logger: Logger): Logger {
  const guarded =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: LogFields, message: string): void => {
      try {
        const outcome: unknown = logger[level](fields, message)
        if (outcome instanceof Promise) outcome.catch(() => undefined)
      } catch {
        // Nobody is left to be told.
      }
    }
  const self: Logger = {
    debug: guarded('debug'),
    info: guarded('info'),
    warn: guarded('warn'),
    error: guarded('error'),
    child: (fields) => {
      try {
        return guardedLogger(logger.child(fields))
      } catch {
        return self
      }
    },
  }
  return self
}
