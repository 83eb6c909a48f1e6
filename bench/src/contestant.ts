/**
 * A contestant: a child process of the operating system that does workloads when it is told to.
 *
 *   bench ── {"run":"send","size":1000,"warmUp":200} ──▶ stdin   child   stdout ── {"ms":1.5,"operations":1000} ──▶ bench
 *
 * The child starts with {"ready":"<its version>"}, answers each run with one line, in order, and ends when its stdin does. An answer is
 * { ms, operations }, { bytes, operations }, { cpuMs, ms, operations }, { values, operations }, or { error }. The child takes the time itself, around the work only, by its own monotonic clock: so all
 * contestants are treated alike, in whatever language, keep what their compilers have learnt, and have no heap in common.
 *
 * Invariant: no child outlives the bench. `endAll` closes their stdin and kills who doesn't heed that; `killAll` is for when nothing can be awaited
 * any more; and if the bench itself is killed, the children's stdin ends.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Answer } from './figures.ts'
import type { Command } from './group.ts'

/** From a run's start to its answer. A workload takes a second at most: who needs this long hangs. */
const ANSWER_WITHIN_MS = 120_000
/** From the end of stdin to the child's end. */
const END_WITHIN_MS = 2_000

interface Waiting {
  readonly resolve: (line: string) => void
  readonly reject: (error: Error) => void
}

const living = new Set<Contestant>()

export class Contestant {
  readonly name: string
  /** What the child says of itself. */
  version = ''
  private readonly child: ChildProcess
  private waiting: Waiting | undefined = undefined
  private ended: Error | undefined = undefined

  private constructor(name: string, { file, args }: Command) {
    this.name = name
    // A group of its own: Ctrl-C is for the bench, which then ends its children.
    this.child = spawn(file, [...args], { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
    living.add(this)
    this.child.on('error', (error) => this.onEnd(error.message))
    this.child.on('exit', (code, signal) => this.onEnd(signal === null ? `exit code ${code}` : signal))
    this.child.stdin?.on('error', () => undefined) // Its end is told by `exit`.
    if (this.child.stdout !== null)
      createInterface({ input: this.child.stdout }).on('line', (line) => this.onLine(line))
  }

  /** Starts a child and waits until it is ready. */
  static async start(name: string, command: Command): Promise<Contestant> {
    const contestant = new Contestant(name, command)
    const line = await contestant.nextLine('start')
    const hello = parseLine(line)
    if (!hasField(hello, 'ready')) throw new Error(`${name} is not ready, but says: ${line}`)
    contestant.version = String(hello.ready)
    return contestant
  }

  /** `warmUp`: of this size the child does it once more, before, if its compiler wants that. That is in no figure. */
  async run(workload: string, size: number, warmUp: number = 0): Promise<Answer> {
    const answered = this.nextLine(workload)
    this.child.stdin?.write(`${JSON.stringify({ run: workload, size, warmUp })}\n`)
    const line = await answered
    return answerOf(line, `${this.name}, ${workload}`)
  }

  /** Closes the child's stdin, and kills it if it doesn't end of that. */
  async end(): Promise<void> {
    if (this.ended !== undefined) return
    const exited = once(this.child, 'exit')
    this.child.stdin?.end()
    const timer = setTimeout(() => this.kill(), END_WITHIN_MS)
    await exited
    clearTimeout(timer)
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }

  private nextLine(what: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) {
        reject(new Error(`${this.ended.message}: ${what}`))
        return
      }
      const timer = setTimeout(
        () => reject(new Error(`${this.name} gave no answer in ${ANSWER_WITHIN_MS / 1_000} s: ${what}`)),
        ANSWER_WITHIN_MS,
      )
      this.waiting = {
        resolve: (line) => {
          clearTimeout(timer)
          resolve(line)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(new Error(`${error.message}: ${what}`))
        },
      }
    })
  }

  private onLine(line: string): void {
    const waiting = this.waiting
    this.waiting = undefined
    // What nobody asked for is no answer: a workload that prints, or answers twice.
    if (waiting === undefined) console.error(`bench: ${this.name} wrote out of turn: ${line}`)
    else waiting.resolve(line)
  }

  private onEnd(how: string): void {
    living.delete(this)
    this.ended ??= new Error(`${this.name} has ended (${how})`)
    this.waiting?.reject(this.ended)
    this.waiting = undefined
  }
}

/** Ends all children that there are. */
export async function endAll(): Promise<void> {
  await Promise.all([...living].map((contestant) => contestant.end()))
}

/** Kills all children that there are, at once. */
export function killAll(): void {
  for (const contestant of living) contestant.kill()
}

function answerOf(line: string, who: string): Answer {
  const answer = parseLine(line)
  if (hasField(answer, 'error')) throw new Error(`${who}: ${String(answer.error)}`)
  if (hasField(answer, 'operations') && isPositive(answer.operations)) {
    const { operations } = answer
    if (hasField(answer, 'ms') && isPositive(answer.ms)) {
      const { ms } = answer
      return hasField(answer, 'cpuMs') && isPositive(answer.cpuMs)
        ? { cpuMs: answer.cpuMs, ms, operations }
        : { ms, operations }
    }
    if (hasField(answer, 'values') && isRecordOfNumbers(answer.values)) return { values: answer.values, operations }
    if (hasField(answer, 'bytes') && typeof answer.bytes === 'number') return { bytes: answer.bytes, operations }
  }
  throw new Error(`${who}: not an answer: ${line}`)
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line) as unknown
  } catch {
    return undefined
  }
}

function hasField<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === 'object' && value !== null && name in value
}

function isRecordOfNumbers(value: unknown): value is Record<string, number> {
  return typeof value === 'object' && value !== null && Object.values(value).every(Number.isFinite)
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}
