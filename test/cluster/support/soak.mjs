// Lives hard, and says what is left of it: run with --expose-gc. One line of JSON on standard output.
//
//   node --expose-gc soak.mjs <cycles of spawn and exit> <messages>

import { handler, startNode } from '@pidmesh/runtime'

/** @typedef {import('@pidmesh/runtime').Pid} Pid */
/** @typedef {import('@pidmesh/runtime').Ref} Ref */

const [cycles = 0, messages = 0] = process.argv.slice(2).map(Number)
const BATCH = 1_000

const node = await startNode({ name: 'soak@127.0.0.1', cookie: 'a soak cookie', logLevel: 'silent' })

/** Every kind of life: each ends, and leaves nothing. */
const lives = /** @type {((self: import('@pidmesh/runtime').Context) => unknown)[]} */ ([
  (self) => self.spawnMonitor(() => undefined),
  (self) => self.spawnMonitor(handler((child) => child.exit('done'))),
  (self) =>
    self.spawnMonitor(() => {
      throw new Error('crash')
    }),
  (self) => self.spawnMonitor(async (child) => void (await child.receive({ timeoutMs: 0 }))),
  (self) => self.spawnMonitor((child) => child.register(`name ${child.pid.id}`)),
  (self) =>
    self.spawnMonitor((child) => {
      child.sendAfter(60_000, child.pid, 'too late')
      child.alias()
      child.signal.addEventListener('abort', () => undefined)
    }),
  (self) =>
    self.spawnMonitor((child) => {
      child.spawnLink(async (other) => void (await other.receive()))
      child.exit('together')
    }),
  (self) => {
    const asked = self.spawnMonitor(
      handler((child) => (replyTo) => {
        child.send(/** @type {Ref} */ (replyTo), 'reply')
        child.exit('asked enough')
      }),
    )
    void self.request(asked.pid, (replyTo) => replyTo, 60_000)
    return asked
  },
  (self) => {
    const killed = self.spawnMonitor(handler(() => () => new Promise(() => undefined)))
    self.send(killed.pid, 'never handled')
    self.exit(killed.pid, 'kill')
    return killed
  },
])

/** @param {number} count */
function live(count) {
  return new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
    node.spawn(
      handler((self) => {
        let left = count
        let waiting = 0
        const begin = () => {
          for (let n = Math.min(BATCH, left); n > 0; n--, waiting++) lives[waiting % lives.length]?.(self)
          left -= waiting
        }
        begin()
        return () => {
          if (--waiting > 0) return
          if (left > 0) begin()
          else {
            resolve()
            self.exit('normal')
          }
        }
      }),
    )
  })
}

/**
 * Half of them from hand to hand, half in bursts.
 * @param {number} count
 */
function talk(count) {
  const volley = new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
    let left = count / 2
    const wall = node.spawn(handler((self) => (from) => void self.send(/** @type {Pid} */ (from), 'back')))
    node.spawn(
      handler((self) => {
        self.send(wall, self.pid)
        return () => {
          left -= 2
          if (left > 0) return void self.send(wall, self.pid)
          resolve()
          self.exit(wall, 'kill')
          self.exit('normal')
        }
      }),
    )
  })
  const bursts = new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
    let left = count / 2
    const sink = node.spawn(
      handler((self) => () => {
        if (--left > 0) return
        resolve()
        self.exit('normal')
      }),
    )
    node.spawn(async (self) => {
      for (let sent = 0; sent < count / 2; sent += BATCH) {
        for (let n = 0; n < BATCH; n++) self.send(sink, { n })
        await self.receive({ timeoutMs: 0 })
      }
    })
  })
  return Promise.all([volley, bursts])
}

/** What is held after everything that could go is gone. */
async function heldBytes() {
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    globalThis.gc?.()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

// The first tenth fills caches, pools and tables that stay.
await live(cycles / 10)
await talk(messages / 10)
const before = await heldBytes()
await live(cycles)
await talk(messages)
const after = await heldBytes()
console.log(JSON.stringify({ before, after, counters: node.counters() }))
await node.stop()
