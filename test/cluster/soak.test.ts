// PURPOSE: what lives and ends leaves nothing. A million processes of every kind, ten million messages, in an OS process of their own.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import type { NodeCounters } from '@pidmesh/runtime'
import { expect, it } from 'vitest'

const CYCLES = 1_000_000
const MESSAGES = 10_000_000

const program = fileURLToPath(new URL('support/soak.mjs', import.meta.url))

it(
  '1,000,000 processes that were spawned and have ended, and 10,000,000 messages, leave the heap where it was',
  { timeout: 240_000 },
  async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      program,
      String(CYCLES),
      String(MESSAGES),
    ])
    const { before, after, counters } = JSON.parse(stdout) as { before: number; after: number; counters: NodeCounters }
    expect(counters.processesExited).toBeGreaterThanOrEqual(CYCLES * 1.1)
    expect(counters.messagesDelivered).toBeGreaterThanOrEqual(MESSAGES * 1.1)
    expect(counters).toMatchObject({ processes: 1, timers: 0, aliases: 0, registeredNames: 0, runQueueLength: 0 })
    // Less is no leak: a megabyte less with Node.js 24 and 26, whose V8 lets go of code that has not run for long.
    expect(after / before, `${before} bytes before, ${after} after`).toBeLessThan(1.05)
  },
)
