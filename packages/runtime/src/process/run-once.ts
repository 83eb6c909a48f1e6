/**
 * Runs a function within one of somebody else's, which is to call it, at once and once, and whose faults must not be ours.
 */

/**
 * Gives what `work` gives, and throws what it throws; it runs exactly once, whatever `around` does: if that hasn't called it, it runs afterwards.
 * `onFault` is told what `around` has thrown, or rejected with.
 */
export function runOnce<T>(around: (run: () => void) => unknown, work: () => T, onFault: (thrown: unknown) => void): T {
  let hasBegun = false
  let value: T | undefined
  let failure: { readonly thrown: unknown } | undefined
  const run = (): void => {
    if (hasBegun) return
    hasBegun = true
    try {
      value = work()
    } catch (thrown) {
      failure = { thrown }
    }
  }
  try {
    const outcome = around(run)
    if (outcome instanceof Promise) outcome.catch(onFault)
  } catch (thrown) {
    onFault(thrown)
  }
  run()
  if (failure !== undefined) throw failure.thrown
  return value as T
}
