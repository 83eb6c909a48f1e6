/**
 * What a function of the API that checks its arguments promises: whatever it throws rejects, and a rejection that nobody
 * comes to wait for harms nobody.
 */
import { unawaited } from './unawaited.ts'

export function promised<T>(work: () => Promise<T>): Promise<T> {
  return unawaited(begun(work))
}

async function begun<T>(work: () => Promise<T>): Promise<T> {
  return work()
}
