/**
 * What is seen of a history: for each command its result, who got which messages, and who ended with which reason; as lines of text.
 *
 *   = ok                      the result
 *   p2 exited boom            as one is told who has watched it from its start
 *   p3 got EXIT p2 boom       in the order of its mailbox
 *
 * Erlang gives no order to signals of different senders, nor to what one process's end tells those around it: a run of `EXIT`s and `DOWN`s is sorted.
 * Of one who ends in a step neither the result nor what it may have read just before is looked at.
 */
import type { Command, History, ProcessSymbol } from './commands.ts'

export interface Seen {
  readonly result: string
  readonly got: ReadonlyMap<ProcessSymbol, readonly string[]>
  readonly exited: ReadonlyMap<ProcessSymbol, string>
}

export type StepLines = readonly string[]
/** The lines of each step. */
export type Observation = readonly StepLines[]

export interface Player {
  play(history: History): Promise<Observation>
}

export function linesOf(command: Command, { result, got, exited }: Seen): StepLines {
  const hasLeft = command.type === 'act' && exited.has(command.by)
  const lines = [`= ${hasLeft ? 'exited' : result}`]
  for (const process of [...exited.keys()].sort()) lines.push(`${process} exited ${exited.get(process)}`)
  for (const process of [...got.keys()].sort()) {
    if (exited.has(process)) continue
    for (const message of withSortedRuns(got.get(process) ?? [])) lines.push(`${process} got ${message}`)
  }
  return lines
}

function withSortedRuns(messages: readonly string[]): string[] {
  const sorted: string[] = []
  let run: string[] = []
  for (const message of messages) {
    if (isOfAnEnd(message)) {
      run.push(message)
      continue
    }
    sorted.push(...run.sort(), message)
    run = []
  }
  return [...sorted, ...run.sort()]
}

function isOfAnEnd(message: string): boolean {
  return message.startsWith('EXIT ') || message.startsWith('DOWN ')
}

export interface Info {
  readonly name: string | undefined
  readonly trapExit: boolean
  readonly links: readonly string[]
  readonly monitors: readonly string[]
  readonly monitoredBy: readonly string[]
  readonly unread: number
}

export function infoText(info: Info | undefined): string {
  if (info === undefined) return 'undefined'
  const list = (items: readonly string[]): string => [...items].sort().join(',')
  return (
    `name=${info.name ?? ''} trap_exit=${info.trapExit} links=${list(info.links)} monitors=${list(info.monitors)} ` +
    `monitored_by=${list(info.monitoredBy)} unread=${info.unread}`
  )
}

/** Erlang has one word for all that is wrong with a call. */
export function asOnBeam(observation: Observation): Observation {
  return observation.map((lines) => lines.map((line) => (line.startsWith('= error ') ? '= error' : line)))
}
