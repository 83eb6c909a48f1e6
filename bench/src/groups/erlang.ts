/**
 * Plain Erlang as a contestant: a module of bench/erlang, compiled for this run, on an emulator with its default flags but for those that are given.
 */
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { Command, ContestantPlan } from '../group.ts'

export interface ErlangOptions {
  /** Other modules of bench/erlang that it needs. @default none */
  readonly with?: readonly string[]
  /** Of the emulator. @default none */
  readonly flags?: readonly string[]
}

/**
 * `module` exports `main/0`, and `main/1` if it is to be given arguments: those that are put after the command's are its. Missing if there is no `erlc` or
 * no `erl`.
 */
export function erlang(module: string, options: ErlangOptions = {}): ContestantPlan {
  return { name: 'beam', prepare: (folder) => prepare(module, options, folder) }
}

/** Flags of an emulator that becomes a node, on loopback only, with a cookie of this run only. */
export function distributed(): string[] {
  // No epmd: bench_epmd takes a node's port from its name.
  const noEpmd = ['-epmd_module', 'bench_epmd', '-start_epmd', 'false', '-setcookie', randomUUID()]
  const loopback = ['-kernel', 'inet_dist_use_interface', '{127,0,0,1}']
  // Its logger writes to standard output, which is the protocol's: that a node has gone is no error.
  const errorsOnly = ['-kernel', 'logger_level', 'error']
  return [...noEpmd, ...loopback, ...errorsOnly]
}

function prepare(
  module: string,
  { with: others = [], flags = [] }: ErlangOptions,
  folder: string,
): Command | undefined {
  const sources = [module, ...others].map((name) => fileURLToPath(new URL(`../../erlang/${name}.erl`, import.meta.url)))
  const compiled = spawnSync('erlc', ['-o', folder, ...sources], { encoding: 'utf8' })
  if (isNotFound(compiled.error)) return undefined
  if (compiled.error !== undefined) throw compiled.error
  if (compiled.status !== 0) throw new Error(`erlc ${sources.join(' ')}:\n${compiled.stdout}${compiled.stderr}`)
  if (isNotFound(spawnSync('erl', ['+V'], { stdio: 'ignore' }).error)) return undefined
  // -noinput would close its stdin, which the protocol needs.
  return { file: 'erl', args: ['-noshell', '-pa', folder, ...flags, '-run', module, 'main'] }
}

function isNotFound(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && error.code === 'ENOENT'
}
