/**
 * How long others wait beside a process that has all the work it could want.
 */
import { handler, type Node } from '@pidmesh/runtime'
import type { Answer } from '../../figures.ts'

const TIMER_MS = 1

/**
 * The longest that a process waits for a timer of 1 ms, while another works off `size` queued messages of about a microsecond each: the timer has to
 * fire, its message to be delivered, and the process to get its turn.
 */
export function timerBesideFullMailbox(node: Node, size: number): Promise<Answer> {
  return new Promise((resolve) => {
    let longestMs = 0
    const waiter = node.spawn(
      handler((self) => {
        let startMs = performance.now()
        self.sendAfter(TIMER_MS, self.pid, 'tick')
        return (message) => {
          longestMs = Math.max(longestMs, performance.now() - startMs)
          if (message === 'all is done') {
            resolve({ ms: longestMs, operations: size })
            self.exit('normal')
          }
          startMs = performance.now()
          self.sendAfter(TIMER_MS, self.pid, 'tick')
        }
      }),
    )
    const busy = node.spawn(
      handler((self) => {
        let left = size
        return () => {
          work()
          if (--left > 0) return
          self.send(waiter, 'all is done')
          self.exit('normal')
        }
      }),
    )
    // All at once, before the first turn of either: then nothing but the queue is between the waiter and its timer.
    for (let n = 0; n < size; n++) node.send(busy, n)
  })
}

/** About a microsecond. */
function work(): number {
  let sum = 0
  for (let n = 0; n < 1_000; n++) sum = (sum + n * n) | 0
  return sum
}
