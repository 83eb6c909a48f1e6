/**
 * What would have ended the OS process: unhandled rejections and uncaught exceptions while something runs.
 */
// By import: see test-cluster.ts.
import { setImmediate } from 'node:timers'

export async function faultsOf(act: () => Promise<void>): Promise<unknown[]> {
  const faults: unknown[] = []
  const note = (fault: unknown): void => void faults.push(fault)
  // The test runner listens too, and would fail whatever the test says.
  const others = {
    rejection: process.listeners('unhandledRejection'),
    exception: process.listeners('uncaughtException'),
  }
  process.removeAllListeners('unhandledRejection').removeAllListeners('uncaughtException')
  process.on('unhandledRejection', note).on('uncaughtException', note)
  try {
    await act()
    // Rejections are told of after the microtasks, exceptions of timers in a later turn.
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', note).off('uncaughtException', note)
    for (const listener of others.rejection) process.on('unhandledRejection', listener)
    for (const listener of others.exception) process.on('uncaughtException', listener)
  }
  return faults
}
