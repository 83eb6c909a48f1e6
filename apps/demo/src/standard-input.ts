// When standard input counts as closed, for the launcher and for a node: a pipe, a socket or a terminal whose end is reached.
//
// /dev/null is at its end from the beginning and means "no input", not "stop": it and plain files are not watched.

import { fstatSync } from 'node:fs'
import { isatty } from 'node:tty'

/** Calls `listener` once, when standard input ends; never, if it is not of a kind that tells. */
export function onStandardInputEnd(listener: () => void): void {
  if (!isWatchable()) return
  let isEnded = false
  function end(): void {
    if (isEnded) return
    isEnded = true
    listener()
  }
  // A terminal that hangs up is an error (EIO), not an end.
  process.stdin.once('end', end).once('close', end).on('error', end).resume()
}

function isWatchable(): boolean {
  try {
    // With bigints: the numbers of another stat stay where Node's `realpath` looks, which then takes every path for the pipe that this was. What is imported after
    // that is loaded by way of symbolic links, as if it were another module.
    const stat = fstatSync(0, { bigint: true })
    return stat.isFIFO() || stat.isSocket() || isatty(0)
  } catch {
    return false
  }
}
