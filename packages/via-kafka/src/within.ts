/**
 * Time for what is asked of brokers: nothing waits for ever, and what waits ends when its owner does.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerFault } from './broker-fault.ts'

/**
 * What the promise gives, if it does so in time. What it gives later is nobody's.
 * @throws BrokerFault `away` by rejection
 */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new BrokerFault('away', 'no answer in time')), Math.max(ms, 0))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves after that time, or at once when the signal comes. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch {
    // The signal has come.
  }
}
