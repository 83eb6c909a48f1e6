/**
 * Plays histories on BEAM, Erlang's own machine: each is an Erlang term, for a module that plays it with the help of director.erl.
 */
import { ErlangProcess } from '@pidmesh/dev-services'
import { fileURLToPath } from 'node:url'

const DIRECTOR = fileURLToPath(new URL('director.erl', import.meta.url))

export class Beam {
  private readonly erlang: ErlangProcess

  private constructor(erlang: ErlangProcess) {
    this.erlang = erlang
  }

  static async start(player: URL): Promise<Beam> {
    return new Beam(await ErlangProcess.start([fileURLToPath(player), DIRECTOR]))
  }

  async play(history: string): Promise<string[]> {
    this.erlang.write(`${history}.\n`)
    const seen: string[] = []
    for (let line = await this.erlang.line(); line !== 'end'; line = await this.erlang.line()) seen.push(line)
    return seen
  }

  stop(): Promise<void> {
    return this.erlang.stop()
  }
}

/** Texts are atoms, arrays are lists, and an object is the tuple of its values, in their order. */
export type Term = string | number | boolean | readonly Term[] | { readonly [field: string]: Term }

export function termOf(value: Term): string {
  if (typeof value === 'string') return /^[a-z][a-z_0-9]*$/.test(value) ? value : `'${value}'`
  if (typeof value !== 'object') return String(value)
  return isList(value) ? `[${value.map(termOf).join(',')}]` : `{${Object.values(value).map(termOf).join(',')}}`
}

function isList(value: object): value is readonly Term[] {
  return Array.isArray(value)
}
