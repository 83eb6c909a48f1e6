/**
 * The command line, checked. Pure: what is wrong is thrown as a `UsageError`, and index.ts says it.
 */
import { parseArgs } from 'node:util'

export interface Options {
  readonly group: string
  readonly rounds: number
  /** Small sizes: to see that everything runs, not to compare. */
  readonly quick: boolean
  /** Takes only figures whose name contains this text, in whatever case. */
  readonly only: string | undefined
}

export const DEFAULT_ROUNDS = 5
const MOST_ROUNDS = 1_000

export class UsageError extends Error {}

export function usage(groups: readonly string[]): string {
  return [
    `usage: pnpm bench [<group>] [--rounds N] [--quick] [--only <text>]`,
    `  <group>        ${groups.join(', ')}; by default ${groups[0] ?? ''}`,
    `  --rounds N     measured rounds, after one to warm up; by default ${DEFAULT_ROUNDS}, with --quick 1`,
    `  --quick        small sizes`,
    `  --only <text>  only the figures whose name contains the text`,
  ].join('\n')
}

/**
 * Options, or `help` if that was asked for. Without a group the only, or first, one is meant.
 * @throws UsageError
 */
export function readOptions(args: readonly string[], groups: readonly string[]): Options | 'help' {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  if (positionals.length > 1) throw new UsageError(`one group at a time, not ${positionals.join(' and ')}`)
  const group = positionals[0] ?? groups[0]
  if (group === undefined || !groups.includes(group)) {
    throw new UsageError(`there is no group ${JSON.stringify(group)}; there is: ${groups.join(', ')}`)
  }
  if (values.only?.trim() === '') throw new UsageError('--only takes a text of one character or more')
  return { group, rounds: roundsOf(values.rounds, values.quick), quick: values.quick, only: values.only }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function roundsOf(text: string | undefined, quick: boolean): number {
  if (text === undefined) return quick ? 1 : DEFAULT_ROUNDS
  const rounds = /^\d+$/.test(text) ? Number(text) : 0
  if (rounds < 1 || rounds > MOST_ROUNDS) {
    throw new UsageError(`--rounds takes a whole number from 1 to ${MOST_ROUNDS}, not ${JSON.stringify(text)}`)
  }
  return rounds
}
