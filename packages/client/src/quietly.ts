/** What `run` gives; `undefined` if it throws, which is all that is to be known of it. */
export function quietly<Result>(run: () => Result): Result | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
