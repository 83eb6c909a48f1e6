/**
 * nact in group `runtime`, as its documentation means it: actors by `spawn`, messages by `dispatch`, replies to a reference in the message, `query` for
 * a reply outside of actors, `stop` to end.
 */
import { createRequire } from 'node:module'
import { dispatch, query, spawn, start, stop, type Ref } from 'nact'
import type { Answer } from '../../figures.ts'
import { added, serve, since } from '../serve.ts'

const PAIRS = 1_000
const BATCH = 1_000
const CALL_TIMEOUT_MS = 5_000

const { version } = createRequire(import.meta.url)('nact/package.json') as { version: string }
const system = start('bench')
let actors = 0

serve(version, {
  send,
  'ping-pong': pingPong,
  pairs,
  call: calls,
  'spawn-stop': spawnAndStop,
  'idle-heap': (size) => added('heap', size, () => idle(size)),
  'idle-rss': (size) => added('rss', size, () => idle(size)),
})

/** Names are the actors' identity, and must not be used twice. */
function actor<T>(handle: (message: T) => void, afterStop?: () => void): Ref<T> {
  const properties = afterStop === undefined ? {} : { afterStop }
  return spawn(system, (_state: undefined, message: T) => handle(message), `actor-${++actors}`, properties)
}

function send(size: number): Promise<Answer> {
  return new Promise((resolve) => {
    let left = size
    const consumer = actor<number>(() => {
      if (--left > 0) return
      resolve(since(startMs, size))
      stop(consumer)
    })
    const startMs = performance.now()
    for (let n = 1; n <= size; n++) dispatch(consumer, n)
  })
}

function pingPong(size: number): Promise<Answer> {
  return new Promise((resolve) => {
    let left = size
    const pong = actor<Ref<string>>((from) => dispatch(from, 'pong'))
    const ping: Ref<string> = actor<string>(() => {
      if (--left > 0) {
        dispatch(pong, ping)
        return
      }
      resolve(since(startMs, size))
      stop(ping)
      stop(pong)
    })
    const startMs = performance.now()
    dispatch(pong, ping)
  })
}

function pairs(size: number): Promise<Answer> {
  const roundTrips = Math.ceil(size / PAIRS)
  return new Promise((resolve) => {
    let pairsLeft = PAIRS
    const pings = Array.from({ length: PAIRS }, () => {
      // The first message starts the pair.
      let left = roundTrips + 1
      const pong = actor<Ref<string>>((from) => dispatch(from, 'pong'))
      const ping: Ref<string> = actor<string>(() => {
        if (--left > 0) {
          dispatch(pong, ping)
          return
        }
        if (--pairsLeft === 0) resolve(since(startMs, roundTrips * PAIRS))
        stop(ping)
        stop(pong)
      })
      return ping
    })
    const startMs = performance.now()
    for (const ping of pings) dispatch(ping, 'start')
  })
}

async function calls(size: number): Promise<Answer> {
  const echo = actor<{ from: Ref<number>; n: number }>(({ from, n }) => dispatch(from, n))
  const startMs = performance.now()
  for (let n = 1; n <= size; n++) await query(echo, (from: Ref<number>) => ({ from, n }), CALL_TIMEOUT_MS)
  const answer = since(startMs, size)
  stop(echo)
  return answer
}

/** nact has no monitors: its `afterStop` is the nearest thing to a `DOWN`. */
async function spawnAndStop(size: number): Promise<Answer> {
  const startMs = performance.now()
  for (let left = size; left > 0; left -= BATCH) await spawnAndStopBatch(Math.min(BATCH, left))
  return since(startMs, size)
}

function spawnAndStopBatch(count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count
    const stopped = (): void => {
      if (--left === 0) resolve()
    }
    for (let n = 0; n < count; n++) stop(actor(() => undefined, stopped))
  })
}

async function idle(size: number): Promise<void> {
  for (let n = 0; n < size; n++) actor<Ref<string>>((from) => dispatch(from, 'pong'))
  await new Promise(setImmediate)
}
