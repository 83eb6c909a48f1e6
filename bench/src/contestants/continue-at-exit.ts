/**
 * Children that may be stopped (SIGSTOP) while a figure is taken.
 */
import type { ChildProcess } from 'node:child_process'
import type { EventEmitter } from 'node:events'

/**
 * A child that is stopped heeds nothing: neither that its stdin ends, nor that its channel is closed. If this process, its `parent`, ends meanwhile, because the bench was interrupted or another
 * contestant failed, it would stay for ever. So it goes on then, and ends of what it finds.
 */
export function continueAtExit(child: ChildProcess, parent: EventEmitter = process): void {
  const goOn = (): void => void child.kill('SIGCONT')
  parent.once('exit', goOn)
  child.once('exit', () => parent.off('exit', goOn))
}
