/**
 * Plain Erlang as a contestant: a module of bench/erlang, compiled for this run, on an emulator with its default flags.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command, ContestantPlan } from '../group.ts'

/** `module` exports `main/0`. Missing if there is no `erlc` or no `erl`. */
export function erlang(module: string): ContestantPlan {
  return { name: 'beam', prepare: (folder) => prepare(module, folder) }
}

function prepare(module: string, folder: string): Command | undefined {
  const source = fileURLToPath(new URL(`../../erlang/${module}.erl`, import.meta.url))
  const compiled = spawnSync('erlc', ['-o', folder, source], { encoding: 'utf8' })
  if (isNotFound(compiled.error)) return undefined
  if (compiled.error !== undefined) throw compiled.error
  if (compiled.status !== 0) throw new Error(`erlc ${source}:\n${compiled.stdout}${compiled.stderr}`)
  if (isNotFound(spawnSync('erl', ['+V'], { stdio: 'ignore' }).error)) return undefined
  // -noinput would close its stdin, which the protocol needs.
  return { file: 'erl', args: ['-noshell', '-pa', folder, '-run', module, 'main'] }
}

function isNotFound(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && error.code === 'ENOENT'
}
