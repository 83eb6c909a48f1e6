/**
 * The child's side of the line protocol of ../contestant.ts, for contestants that run on Node.js.
 */
import { createInterface } from 'node:readline'
import type { Answer } from '../figures.ts'

/** Does the work of one run, of about `size` operations, and says what it took. */
export type Workload = (size: number) => Answer | Promise<Answer>

/** Says that it is ready, then runs what it is told to, one workload after the other, until stdin ends. */
export function serve(version: string, workloads: Readonly<Record<string, Workload>>): void {
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => void run(line).then(write))
  lines.on('close', () => process.exit())
  write({ ready: version })

  async function run(line: string): Promise<unknown> {
    const { run: name, size, warmUp } = JSON.parse(line) as { run: string; size: number; warmUp: number }
    const workload = workloads[name]
    if (workload === undefined) return { error: `there is no workload ${name}` }
    // What earlier runs left behind is not this one's.
    collectGarbage()
    try {
      // With objects of which there was none just now, V8 has given up the code that was compiled for them.
      if (warmUp > 0) await workload(warmUp)
      return await workload(size)
    } catch (error) {
      return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
  }
}

/** Node.js is started with --expose-gc. */
export function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('start this with --expose-gc')
  globalThis.gc()
}

/** Time by the monotonic clock since `startMs`. */
export function since(startMs: number, operations: number): Answer {
  return { ms: performance.now() - startMs, operations }
}

/** How much `hold` adds to the memory that this process holds, by heap or by resident set. */
export async function added(memory: 'heap' | 'rss', operations: number, hold: () => Promise<void>): Promise<Answer> {
  const before = bytesOf(memory)
  await hold()
  return { bytes: bytesOf(memory) - before, operations }
}

/** After garbage collection: the resident set, or the heap with what it keeps outside of itself, since typed arrays count too. */
export function bytesOf(memory: 'heap' | 'rss'): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external, rss } = process.memoryUsage()
  return memory === 'heap' ? heapUsed + external : rss
}

function write(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}
