/**
 * Plays histories on BEAM, Erlang's own machine: beam.erl, in lines of text.
 */
import { ErlangProcess } from '@pidmesh/dev-services'
import { fileURLToPath } from 'node:url'
import { text, type Command, type History, type ProcessSymbol } from './commands.ts'
import { linesOf, type Observation, type Player, type StepLines } from './observation.ts'

const SOURCE = fileURLToPath(new URL('beam.erl', import.meta.url))

export class Beam implements Player {
  private readonly erlang: ErlangProcess

  private constructor(erlang: ErlangProcess) {
    this.erlang = erlang
  }

  static async start(): Promise<Beam> {
    return new Beam(await ErlangProcess.start([SOURCE]))
  }

  async play(history: History): Promise<Observation> {
    this.erlang.write([...history.map(text), 'end', ''].join('\n'))
    const steps: StepLines[] = []
    for (const command of history) steps.push(await this.step(command))
    const last = await this.erlang.line()
    if (last !== 'end') throw new Error(`BEAM says ${last} after the last step`)
    return steps
  }

  stop(): Promise<void> {
    return this.erlang.stop()
  }

  private async step(command: Command): Promise<StepLines> {
    let result = ''
    const got = new Map<ProcessSymbol, string[]>()
    const exited = new Map<ProcessSymbol, string>()
    for (let line = await this.erlang.line(); line !== 'step'; line = await this.erlang.line()) {
      const [, what, process, rest = ''] = /^(\w+) (\S+) ?(.*)$/.exec(line) ?? []
      if (what === 'result') result = line.slice('result '.length)
      else if (what === 'exited') exited.set(process as ProcessSymbol, rest)
      else if (what === 'got') got.set(process as ProcessSymbol, [...(got.get(process as ProcessSymbol) ?? []), rest])
      else throw new Error(`BEAM says ${line}`)
    }
    return linesOf(command, { result, got, exited })
  }
}
