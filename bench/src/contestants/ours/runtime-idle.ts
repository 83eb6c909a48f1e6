/**
 * Processes that wait for a message that never comes. They are never ended: each run has a child process to itself.
 */
import { handler, type Node, type Pid } from '@pidmesh/runtime'

/** Handler processes, each with a handler of its own that holds its `self`. Resolves when all wait. */
export function idleHandlers(node: Node, size: number): Promise<void> {
  return new Promise((resolve) => {
    let waiting = 0
    const body = handler((self) => {
      if (++waiting === size) setImmediate(resolve)
      return (from) => void self.send(from as Pid, 'pong')
    })
    for (let n = 0; n < size; n++) node.spawn(body)
  })
}

/** Plain processes, each in a `receive`. */
export function idleReceivers(node: Node, size: number): Promise<void> {
  return new Promise((resolve) => {
    let waiting = 0
    for (let n = 0; n < size; n++) {
      node.spawn(async (self) => {
        if (++waiting === size) setImmediate(resolve)
        for (;;) self.send(await self.receive<Pid>(), 'pong')
      })
    }
  })
}
