/**
 * The watches of one process, in the order in which they were added: a ring through the watches themselves. A `Set` whose items come and go, as with the calls of a
 * hundred callers, makes itself a new table every few of them; that was a twentieth of what such a call takes.
 *
 *   process.watches ─▶ first ⇄ second ⇄ … ⇄ last ⇄ first
 *
 * Invariant: a watch is in one ring at most, that of its target; outside of one it has no neighbours.
 */
import type { Process } from '../process/process.ts'
import type { Watch } from './monitors.ts'

/** What a watch is in its ring by. */
export interface InRing {
  previous: Watch | undefined
  next: Watch | undefined
}

/** It must be in no ring. */
export function addWatch(process: Process, watch: Watch): void {
  const first = process.watches
  if (first === undefined) {
    watch.previous = watch
    watch.next = watch
    process.watches = watch
    return
  }
  const last = first.previous ?? first
  watch.previous = last
  watch.next = first
  last.next = watch
  first.previous = watch
}

/** Of one that isn't there nothing happens. */
export function removeWatch(process: Process, watch: Watch): void {
  const { previous, next } = watch
  if (previous === undefined || next === undefined) return
  if (process.watches === watch) process.watches = next === watch ? undefined : next
  previous.next = next
  next.previous = previous
  // Last: alone, it is its own neighbour.
  watch.previous = undefined
  watch.next = undefined
}

export function watchesOf({ watches: first }: Process): Watch[] {
  const all: Watch[] = []
  for (let watch = first; watch !== undefined; watch = watch.next === first ? undefined : watch.next) all.push(watch)
  return all
}

/** Takes all out. */
export function takeWatches(process: Process): Watch[] {
  const all = watchesOf(process)
  process.watches = undefined
  for (const watch of all) {
    watch.previous = undefined
    watch.next = undefined
  }
  return all
}
