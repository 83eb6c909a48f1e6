/**
 * Whether tests with a server are skipped: with one line that says how to get it; never where `PIDMESH_NO_SKIP` is 1.
 */

/**
 * @param missing Why there can't be one, if there can't
 * @throws Error if nothing may be skipped
 */
export function mustSkip(missing: string | undefined): boolean {
  if (missing === undefined) return false
  if (process.env['PIDMESH_NO_SKIP'] === '1') throw new Error(missing)
  process.stderr.write(`tests are skipped: ${missing}\n`)
  return true
}
