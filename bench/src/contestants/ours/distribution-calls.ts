/**
 * Calls from the near node to a server of the far one.
 */
import { call } from '@pidmesh/gen-server'
import type { Context, Node } from '@pidmesh/runtime'
import type { Answer } from '../../figures.ts'
import { since } from '../serve.ts'
import { errorOf, inProcess } from './distribution-messages.ts'
import type { Ask, Servers } from './distribution-servers.ts'

const TIMEOUT_MS = 5_000
const PACED_CALLS_PER_MS = 10

/** So many callers at once, each with its part of `size` calls, one after the other. From the first start to the last end. */
export async function calls(node: Node, { echo }: Servers, callers: number, size: number): Promise<Answer> {
  const each = Math.ceil(size / callers)
  const callAll = async (self: Context): Promise<void> => {
    for (let n = 0; n < each; n++) await call(self, echo, { type: 'echo', n }, TIMEOUT_MS)
  }
  const startMs = performance.now()
  await Promise.all(Array.from({ length: callers }, () => inProcess(node, callAll)))
  return since(startMs, each * callers)
}

/** What `call` is made of, without GenServer: one request after the other. */
export function requests(node: Node, { answerer }: Servers, size: number): Promise<Answer> {
  return inProcess(node, async (self) => {
    const startMs = performance.now()
    for (let n = 0; n < size; n++) {
      const { type } = await self.request(answerer, (replyTo): Ask => ({ type: 'ask', replyTo, n }), TIMEOUT_MS)
      if (type !== 'reply') throw new Error(type)
    }
    return since(startMs, size)
  })
}

/**
 * A quantile of how long calls take when they are begun by the clock, each by a process of its own, however many are under way. Counted from when a call
 * should have begun: that its begin was held up is part of what a caller waits.
 */
export async function pacedCalls(node: Node, { echo }: Servers, quantile: number, size: number): Promise<Answer> {
  // Nothing that grows is kept of a call: it would be the bench's garbage that is collected while others wait.
  const latenciesMs = new Float64Array(size)
  await new Promise<void>((resolve, reject) => {
    const startMs = performance.now()
    const dueMs = (n: number): number => startMs + n / PACED_CALLS_PER_MS
    let begun = 0
    let ended = 0
    const begin = (n: number): void => {
      node.spawn(async (self) => {
        try {
          await call(self, echo, { type: 'echo', n }, TIMEOUT_MS)
          latenciesMs[n] = performance.now() - dueMs(n)
          if (++ended === size) resolve()
        } catch (error) {
          reject(errorOf(error))
        }
      })
    }
    const beginDue = (): void => {
      const nowMs = performance.now()
      while (begun < size && dueMs(begun) <= nowMs) begin(begun++)
      if (begun < size) setImmediate(beginDue)
    }
    beginDue()
  })
  return { ms: latenciesMs.toSorted()[Math.ceil(quantile * size) - 1] ?? NaN, operations: size }
}
