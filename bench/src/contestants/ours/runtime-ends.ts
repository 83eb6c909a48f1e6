/**
 * The ends of processes, and those who are told of them.
 */
import { handler, hasType, type Context, type Node } from '@pidmesh/runtime'
import type { Answer } from '../../figures.ts'
import { since } from '../serve.ts'

/** Processes that are spawned before their `DOWN`s are taken. */
const BATCH = 1_000

function returnsAtOnce(): void {}

/** Spawns `size` processes that return at once, and takes a `DOWN` of each, as a handler process. */
export function spawnMonitorAndDown(node: Node, size: number): Promise<Answer> {
  return new Promise((resolve) => {
    node.spawn(
      handler((self) => {
        const startMs = performance.now()
        let left = size
        let waitingFor = spawnBatch(self, left)
        return (message) => {
          if (!hasType(message, 'DOWN') || --waitingFor > 0) return
          left -= BATCH
          if (left > 0) {
            waitingFor = spawnBatch(self, left)
            return
          }
          resolve(since(startMs, size))
          self.exit('normal')
        }
      }),
    )
  })
}

/** The same as a plain process, which takes the `DOWN`s with `receive`. */
export function spawnMonitorAndReceive(node: Node, size: number): Promise<Answer> {
  return new Promise((resolve) => {
    node.spawn(async (self) => {
      const startMs = performance.now()
      for (let left = size; left > 0; left -= BATCH) {
        const spawned = spawnBatch(self, left)
        for (let n = 0; n < spawned; n++) await self.receive('DOWN')
      }
      resolve(since(startMs, size))
    })
  })
}

function spawnBatch(self: Context, left: number): number {
  const count = Math.min(BATCH, left)
  for (let n = 0; n < count; n++) self.spawnMonitor(returnsAtOnce)
  return count
}

/** `size` idle processes with a monitor each are killed: until the last `DOWN`, from their first spawn or from the first kill. */
export function kill(node: Node, size: number, from: 'spawn' | 'kill'): Promise<Answer> {
  return new Promise((resolve) => {
    let startMs = 0
    let idle = 0
    const body = handler((self) => {
      if (++idle === size) self.send(killer, 'all are there')
      return () => undefined
    })
    const killer = node.spawn(
      handler((self) => {
        if (from === 'spawn') startMs = performance.now()
        const pids = Array.from({ length: size }, () => self.spawnMonitor(body).pid)
        let left = size
        return (message) => {
          if (!hasType(message, 'DOWN')) {
            if (from === 'kill') startMs = performance.now()
            for (const pid of pids) self.exit(pid, 'kill')
          } else if (--left === 0) {
            resolve(since(startMs, size))
            self.exit('normal')
          }
        }
      }),
    )
  })
}
