/**
 * Log lines through pino: one root logger, a child per node and process. Lines are JSON on standard error unless a pino logger is given.
 */
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino'
import type { Logger } from '../ports.ts'

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'

export interface PinoLoggerOptions {
  /** @default 'info' */
  readonly level?: LogLevel | undefined
}

/** A net under mistakes, of two meshes: what stands at the top of a line, or in one of its fields, and nothing deeper. The runtime itself logs none of these. */
const REDACTED = ['cookie', '*.cookie', 'token', '*.token', 'password', '*.password']

/** That wait for room on a disk that is full: what is more is lost, in place of being kept until the memory is full as well. */
const MAX_WAITING_BYTES = 4 * 1_024 * 1_024

export function pinoLogger(options: PinoLoggerOptions = {}): Logger {
  return wrapPino(pino({ level: options.level ?? 'info', redact: REDACTED, base: null }, standardError()))
}

function standardError(): DestinationStream {
  // Synchronous, so that the line which says why a process of the OS ends is not lost with it.
  const stream = pino.destination({ dest: 2, sync: true, maxLength: MAX_WAITING_BYTES })
  // A fault of logging can't be logged.
  stream.on('error', () => undefined)
  // A line that is lost is not tried, and so would never find that there is room for the others again: an empty one, which takes none, does.
  stream.on('drop', () => stream.write(''))
  return stream
}

/** Makes a pidmesh logger of a pino logger that the application has already. */
export function wrapPino(logger: PinoLogger): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields) => wrapPino(logger.child(fields)),
  }
}
