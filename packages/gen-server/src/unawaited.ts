/**
 * A promise that may be awaited late or never: of those that run side by side one may fail while another is awaited, or all, when the process that waits is
 * killed. That is for the process to see when it comes to them, not for the OS process to end of.
 */
export function unawaited<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

/** What a function that promises gives for bad arguments, which it checks at once. */
export function refused(thrown: unknown): Promise<never> {
  return unawaited(Promise.reject(thrown instanceof Error ? thrown : new Error(String(thrown))))
}

/** As `work`, of a function that checks its arguments: whatever it throws rejects. */
export function promised<T>(work: () => Promise<T>): Promise<T> {
  return unawaited(begun(work))
}

async function begun<T>(work: () => Promise<T>): Promise<T> {
  return work()
}
