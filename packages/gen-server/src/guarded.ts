/**
 * Promises of which several may be under way at once. When their process is killed all of them reject, and nobody comes to wait for any: that is not for the OS
 * process to end of.
 */
export function guarded<T>(work: () => Promise<T>): Promise<T> {
  const promise = begun(work)
  // Whoever waits for it is told all the same.
  promise.catch(() => undefined)
  return promise
}

/** What it throws at once rejects too. */
async function begun<T>(work: () => Promise<T>): Promise<T> {
  return work()
}
