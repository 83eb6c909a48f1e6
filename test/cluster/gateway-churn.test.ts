// PURPOSE: clients that come and go leave nothing in a gateway. 100,000 of them, against a gateway in an OS process of its own; PIDMESH_CHURN sets another number, above 10,000.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { expect, it, onTestFinished } from 'vitest'

import { churn } from './support/churn-clients.ts'

/** All of them where nothing may be left out. */
const CYCLES = Number(process.env['PIDMESH_CHURN'] ?? (process.env['PIDMESH_NO_SKIP'] === '1' ? 100_000 : 30_000))
/** The first ones fill caches, pools and tables that stay. */
const WARM_UP = 10_000

const program = fileURLToPath(new URL('support/churn-gateway.mjs', import.meta.url))

type Held = { heapBytes: number; left: Record<string, number>; closed: Record<string, number>; resumes: object }

it(
  `${CYCLES.toLocaleString('en')} clients that connect and go, with a session and a name, politely or not, leave the heap where it was`,
  { timeout: 240_000 },
  async () => {
    // Code that has not run lately stays, too: newer versions of Node.js give up so much of it that less would be left than there was.
    const gateway = spawn(process.execPath, ['--expose-gc', '--no-flush-bytecode', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => gateway.once('close', resolve))
    onTestFinished(async () => {
      gateway.stdin.end()
      await ended
    })
    const lines = createInterface({ input: gateway.stdout })[Symbol.asyncIterator]()
    const answer = async (): Promise<unknown> => JSON.parse((await lines.next()).value as string)
    const held = async (): Promise<Held> => {
      gateway.stdin.write('held\n')
      return (await answer()) as Held
    }

    const { port } = (await answer()) as { port: number }
    await churn(port, WARM_UP, 'first-')
    const before = await held()
    const startMs = performance.now()
    await churn(port, CYCLES - WARM_UP, 'then-')
    const tookMs = performance.now() - startMs
    const after = await held()
    console.log(
      `${CYCLES - WARM_UP} cycles in ${Math.round(tookMs)} ms: ${before.heapBytes} bytes before, ${after.heapBytes} after; closed ${JSON.stringify(after.closed)}`,
    )
    expect(after.closed['1000']).toBe((4 * CYCLES) / 10)
    expect(Object.values(after.left).filter((count) => count !== 0)).toEqual([])
    expect(after.heapBytes / before.heapBytes).toBeLessThan(1.05)
    expect(after.heapBytes / before.heapBytes).toBeGreaterThan(0.95)
  },
)
