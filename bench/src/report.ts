/**
 * What is kept of a run: bench/results/<group>.json. docs/benchmarks.md describes its shape.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Figure } from './figures.ts'

export interface Report {
  readonly group: string
  /** When the run began, ISO 8601. */
  readonly date: string
  readonly machine: Machine
  /** Of Node.js, of pidmesh with its commit, and of each peer. */
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  readonly quick: boolean
  /** The text that figures were chosen by; absent if all were taken. */
  readonly only?: string
  /** Peers that are not installed. */
  readonly missing: readonly string[]
  /** How the group was run on this machine; absent if there is nothing to say. */
  readonly notes?: readonly string[]
  readonly figures: readonly Figure[]
}

export interface Machine {
  readonly model: string
  readonly cores: number
  readonly memoryBytes: number
  readonly os: string
}

export function machine(): Machine {
  const processors = cpus()
  return {
    model: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    os: `${type()} ${release()}`,
  }
}

/** The commit that is measured, with `+` if files differ from it; `unknown` outside of a checkout. */
export function commit(): string {
  // Reads only: somebody else may be at work in the same checkout.
  const git = (...args: string[]): string =>
    execFileSync('git', ['--no-optional-locks', ...args], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  try {
    // The peers too: what Erlang runs, and which versions of nact, Socket.IO and ws are installed.
    const measured = [':/packages', ':/bench/src', ':/bench/erlang', ':/pnpm-lock.yaml']
    const isChanged = git('status', '--porcelain', '--untracked-files=no', '--', ...measured) !== ''
    return `${git('rev-parse', '--short=12', 'HEAD')}${isChanged ? '+' : ''}`
  } catch {
    return 'unknown'
  }
}

/** Returns the path that it has written to. */
export function writeReport(report: Report): string {
  const folder = new URL('../results/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  const file = fileURLToPath(new URL(`${report.group}.json`, folder))
  writeFileSync(file, toJson(report))
  return file
}

/** As the formatter of this repository has it: lists of texts on one line. */
export function toJson(report: Report): string {
  const missing = `"missing": ${JSON.stringify(report.missing, undefined, 1).replace(/\n */g, ' ').replace('[ ', '[').replace(' ]', ']')}`
  return `${JSON.stringify(report, undefined, 2).replace(/"missing": \[[^\]]*\]/, () => missing)}\n`
}
