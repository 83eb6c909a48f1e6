/**
 * Messages between processes: sends, round trips, calls.
 */
import { call, GenServer, start, type Call, type ServerPid } from '@pidmesh/gen-server'
import { handler, type Node, type Pid } from '@pidmesh/runtime'
import type { Answer } from '../../figures.ts'
import { since } from '../serve.ts'

const PAIRS = 1_000
/** What the producer sends before the consumer gets a turn: about as much as BEAM lets it. One burst of all is no slower, but fills the mailbox. */
const BURST = 1_000

type EchoCall = Call<{ type: 'echo'; n: number }, number>

class Echo extends GenServer<EchoCall> {
  override handleCall(request: EchoCall) {
    return this.reply(request, request.n)
  }
}

/** From the producer's first send until the consumer has handled all. */
export function send(node: Node, size: number): Promise<Answer> {
  return new Promise((resolve) => {
    let startMs = 0
    const consumer = node.spawn(
      handler((self) => {
        let left = size
        return () => {
          if (--left > 0) return
          resolve(since(startMs, size))
          self.exit('normal')
        }
      }),
    )
    const producer = node.spawn(
      handler((self) => {
        let left = size
        return () => {
          for (let n = Math.min(BURST, left); n > 0; n--) self.send(consumer, n)
          left -= BURST
          if (left <= 0) self.exit('normal')
          self.send(self.pid, 'more')
        }
      }),
    )
    startMs = performance.now()
    node.send(producer, 'more')
  })
}

/** One pair of handler processes, one message under way at any time. */
export function pingPong(node: Node, size: number): Promise<Answer> {
  return new Promise((resolve) => {
    const pong = node.spawn(handler((self) => (from) => void self.send(from as Pid, 'pong')))
    node.spawn(
      handler((self) => {
        let left = size
        const startMs = performance.now()
        self.send(pong, self.pid)
        return () => {
          if (--left > 0) {
            self.send(pong, self.pid)
            return
          }
          resolve(since(startMs, size))
          self.exit(pong, 'kill')
          self.exit('normal')
        }
      }),
    )
  })
}

/** The same with two plain processes that wait in a `receive`. */
export function pingPongReceive(node: Node, size: number): Promise<Answer> {
  return new Promise((resolve) => {
    const pong = node.spawn(async (self) => {
      for (;;) self.send(await self.receive<Pid>(), 'pong')
    })
    node.spawn(async (self) => {
      const startMs = performance.now()
      for (let n = 0; n < size; n++) {
        self.send(pong, self.pid)
        await self.receive()
      }
      resolve(since(startMs, size))
      self.exit(pong, 'kill')
    })
  })
}

/** 1,000 pairs at once; `size` round trips in all. From the first send of all to the last pair's end. */
export function pairs(node: Node, size: number): Promise<Answer> {
  const roundTrips = Math.ceil(size / PAIRS)
  return new Promise((resolve) => {
    let startMs = 0
    let pairsLeft = PAIRS
    const pings: Pid[] = []
    for (let pair = 0; pair < PAIRS; pair++) {
      const pong = node.spawn(handler((self) => (from) => void self.send(from as Pid, 'pong')))
      pings.push(
        node.spawn(
          handler((self) => {
            // The first message starts the pair.
            let left = roundTrips + 1
            return () => {
              if (--left > 0) {
                self.send(pong, self.pid)
                return
              }
              if (--pairsLeft === 0) resolve(since(startMs, roundTrips * PAIRS))
              self.exit(pong, 'kill')
              self.exit('normal')
            }
          }),
        ),
      )
    }
    node.spawn((self) => {
      startMs = performance.now()
      for (const ping of pings) self.send(ping, 'start')
    })
  })
}

export function startEcho(node: Node): Promise<ServerPid<EchoCall, never>> {
  return start(node, Echo, [])
}

/** Calls with the default timeout, one after the other, from inside a process. */
export function calls(node: Node, echo: ServerPid<EchoCall, never>, size: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    node.spawn(async (self) => {
      try {
        const startMs = performance.now()
        for (let n = 0; n < size; n++) await call(self, echo, { type: 'echo', n })
        resolve(since(startMs, size))
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    })
  })
}
