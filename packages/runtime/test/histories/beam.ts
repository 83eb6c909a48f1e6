/**
 * Plays histories on BEAM, Erlang's own machine: compiles beam.erl into a temporary folder and talks to one `erl` in lines of text.
 *
 * `erl` comes with Debian's erlang-nox; nothing of Erlang is needed but for this test.
 */
import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { text, type Command, type History, type ProcessSymbol } from './commands.ts'
import { linesOf, type Observation, type Player, type StepLines } from './observation.ts'

const SOURCE = fileURLToPath(new URL('beam.erl', import.meta.url))

export class Beam implements Player {
  private readonly folder: string
  private readonly erl: ChildProcessWithoutNullStreams
  private readonly lines: AsyncIterator<string>
  private complaints = ''

  private constructor(folder: string) {
    this.folder = folder
    const code = ['-noinput', '-pa', folder, '-s', 'beam', 'main']
    // One scheduler: see beam.erl.
    this.erl = spawn('erl', ['+S', '1', '-noshell', ...code], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.erl.stderr.on('data', (data: Buffer) => {
      this.complaints += data.toString()
    })
    this.erl.on('error', (error) => {
      this.complaints += error.message
    })
    // What can't be written is told by the end of its output.
    this.erl.stdin.on('error', () => undefined)
    this.lines = createInterface({ input: this.erl.stdout })[Symbol.asyncIterator]()
  }

  /** The player, or why there is none. */
  static async start(): Promise<Beam | string> {
    const folder = await mkdtemp(join(tmpdir(), 'pidmesh-beam-'))
    try {
      await promisify(execFile)('erlc', ['-Werror', '-o', folder, SOURCE])
      return new Beam(folder)
    } catch (error) {
      await rm(folder, { recursive: true })
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error
      return 'there is no Erlang on this machine: apt-get install erlang-nox'
    }
  }

  async play(history: History): Promise<Observation> {
    this.erl.stdin.write([...history.map(text), 'end', ''].join('\n'))
    const steps: StepLines[] = []
    for (const command of history) steps.push(await this.step(command))
    const last = await this.line()
    if (last !== 'end') throw new Error(`BEAM says ${last} after the last step`)
    return steps
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => {
      this.erl.once('close', resolve)
    })
    this.erl.stdin.end()
    if (this.erl.exitCode === null) await gone
    await rm(this.folder, { recursive: true })
  }

  private async step(command: Command): Promise<StepLines> {
    let result = ''
    const got = new Map<ProcessSymbol, string[]>()
    const exited = new Map<ProcessSymbol, string>()
    for (let line = await this.line(); line !== 'step'; line = await this.line()) {
      const [, what, process, rest = ''] = /^(\w+) (\S+) ?(.*)$/.exec(line) ?? []
      if (what === 'result') result = line.slice('result '.length)
      else if (what === 'exited') exited.set(process as ProcessSymbol, rest)
      else if (what === 'got') got.set(process as ProcessSymbol, [...(got.get(process as ProcessSymbol) ?? []), rest])
      else throw new Error(`BEAM says ${line}`)
    }
    return linesOf(command, { result, got, exited })
  }

  private async line(): Promise<string> {
    const { value, done } = await this.lines.next()
    if (done === true) throw new Error(`erl has ended: ${this.complaints}`)
    return value
  }
}
