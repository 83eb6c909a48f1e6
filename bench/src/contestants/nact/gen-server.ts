/**
 * nact in group `gen-server`: an actor that replies to a reference in the message, and `query`, which has a timeout.
 */
import { createRequire } from 'node:module'
import { dispatch, query, spawn, start, stop, type Ref } from 'nact'
import type { Answer } from '../../figures.ts'
import { serve, since } from '../serve.ts'

const CALLERS = 100
const CALL_TIMEOUT_MS = 5_000

interface Asked {
  readonly from?: Ref<number>
  readonly n: number
}

const { version } = createRequire(import.meta.url)('nact/package.json') as { version: string }
const system = start('bench')
let actors = 0

serve(version, {
  call: (size) => calls(1, size),
  callers: (size) => calls(CALLERS, size),
  cast: casts,
})

/** Names are the actors' identity, and must not be used twice. */
function actor(handle: (message: Asked) => void): Ref<Asked> {
  return spawn(system, (_state: undefined, message: Asked) => handle(message), `actor-${++actors}`)
}

async function calls(callers: number, size: number): Promise<Answer> {
  const echo = actor(({ from, n }) => from !== undefined && dispatch(from, n))
  const each = Math.ceil(size / callers)
  const callAll = async (): Promise<void> => {
    for (let n = 1; n <= each; n++) await query(echo, (from: Ref<number>) => ({ from, n }), CALL_TIMEOUT_MS)
  }
  const startMs = performance.now()
  await Promise.all(Array.from({ length: callers }, callAll))
  const answer = since(startMs, each * callers)
  stop(echo)
  return answer
}

async function casts(size: number): Promise<Answer> {
  let notes = 0
  const sink = actor(({ from }) => {
    notes++
    if (from !== undefined) dispatch(from, notes)
  })
  const startMs = performance.now()
  for (let n = 0; n < size; n++) dispatch(sink, { n })
  await query(sink, (from: Ref<number>) => ({ from, n: 0 }), 10 * CALL_TIMEOUT_MS)
  const answer = since(startMs, size)
  stop(sink)
  return answer
}
