/**
 * pidmesh in group `gen-server`: one node, user code on the public API of the packages as they are published.
 */
import { createRequire } from 'node:module'
import { call, cast, GenServer, start, stop, type Call } from '@pidmesh/gen-server'
import { startNode, type Context } from '@pidmesh/runtime'
import type { Answer } from '../../figures.ts'
import { added, serve, since } from '../serve.ts'
import { inProcess } from './distribution-messages.ts'

const CALLERS = 100
/** What a sender sends before others get a turn: about as much as BEAM lets it. */
const BURST = 1_000

type EchoCall = Call<{ type: 'echo'; n: number }, number>
interface EchoCast {
  readonly type: 'note'
  readonly n: number
}

class Echo extends GenServer<EchoCall, EchoCast> {
  private notes = 0
  override handleCall(request: EchoCall) {
    return this.reply(request, request.n)
  }
  override handleCast(_request: EchoCast) {
    this.notes++
  }
}

const node = await startNode({ name: 'bench@127.0.0.1', cookie: 'bench cookie', logLevel: 'silent' })
const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string }

serve(version, {
  call: (size) => calls(1, size),
  callers: (size) => calls(CALLERS, size),
  cast: casts,
  'start-stop': startAndStop,
  'idle-heap': (size) => added('heap', size, () => startAll(size)),
  'idle-rss': (size) => added('rss', size, () => startAll(size)),
})

/** Each caller has its part of `size` calls, one after the other. From the first start to the last end. */
async function calls(callers: number, size: number): Promise<Answer> {
  const echo = await start(node, Echo, [])
  const each = Math.ceil(size / callers)
  const callAll = async (self: Context): Promise<void> => {
    for (let n = 0; n < each; n++) await call(self, echo, { type: 'echo', n })
  }
  const startMs = performance.now()
  await Promise.all(Array.from({ length: callers }, () => inProcess(node, callAll)))
  const answer = since(startMs, each * callers)
  await stop(node, echo)
  return answer
}

/** From the first cast until the server answers a call that comes behind the last. */
function casts(size: number): Promise<Answer> {
  return inProcess(node, async (self) => {
    const echo = await start(self, Echo, [])
    const startMs = performance.now()
    for (let left = size; left > 0; left -= BURST) {
      for (let n = Math.min(BURST, left); n > 0; n--) cast(self, echo, { type: 'note', n })
      await self.receive({ timeoutMs: 0 })
    }
    await call(self, echo, { type: 'echo', n: 0 })
    const answer = since(startMs, size)
    await stop(self, echo)
    return answer
  })
}

function startAndStop(size: number): Promise<Answer> {
  return inProcess(node, async (self) => {
    const startMs = performance.now()
    for (let n = 0; n < size; n++) await stop(self, await start(self, Echo, []))
    return since(startMs, size)
  })
}

/** They are never ended: each run has a child process to itself. */
async function startAll(size: number): Promise<void> {
  for (let n = 0; n < size; n++) await start(node, Echo, [])
}
