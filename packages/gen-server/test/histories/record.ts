/**
 * What happened in a history, in the order in which it did: what judge.ts and model.ts go by. Processes are the texts of their pids.
 */
import type { ExitReason } from '@pidmesh/runtime'
import type { ChildPlan, SupervisorPlan } from './plan.ts'

export type Entry = { readonly seq: number; readonly atMs: number } & Happening

export type Happening =
  /** The supervisor calls the start of a child. */
  | { readonly type: 'start'; readonly supervisor: string; readonly child: ChildPlan }
  | {
      readonly type: 'started'
      readonly supervisor: string
      readonly child: ChildPlan
      readonly pid: string | undefined
    }
  | { readonly type: 'start_failed'; readonly supervisor: string; readonly child: ChildPlan }
  /** An exit signal, not of a link, to a living process. */
  | { readonly type: 'signal'; readonly from: string; readonly to: string; readonly reason: ExitReason }
  | { readonly type: 'ended'; readonly pid: string; readonly reason: ExitReason }
  /** Something has been put into the mailbox of a supervisor. */
  | { readonly type: 'got'; readonly supervisor: string; readonly message: GotMessage }
  /** What who has asked something was answered. */
  | { readonly type: 'answered'; readonly caller: string; readonly result: string }
  | { readonly type: 'note'; readonly text: string }

export type GotMessage =
  | { readonly type: 'exit'; readonly from: string; readonly reason: ExitReason }
  | { readonly type: 'retry'; readonly id: string }
  | { readonly type: 'question'; readonly caller: string; readonly ask: Question }

export type Question =
  | { readonly type: 'start_child'; readonly child: ChildPlan }
  /** By its id, with a dynamic supervisor by its pid. */
  | { readonly type: 'terminate_child'; readonly child: string }
  | { readonly type: 'restart_child' | 'delete_child'; readonly id: string }
  | { readonly type: 'which_children' }

/** One life of a supervisor. */
export interface Life {
  readonly pid: string
  readonly parent: string
  readonly plan: SupervisorPlan
}

export class Chronicle {
  readonly entries: Entry[] = []
  readonly lives: Life[] = []
  private readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  add(happening: Happening): void {
    this.entries.push({ seq: this.entries.length, atMs: this.now(), ...happening })
  }
}

export function reasonText(reason: ExitReason): string {
  return typeof reason === 'string'
    ? reason
    : JSON.stringify(reason, (key, value: unknown) => (key === 'stack' ? undefined : value))
}

export function entryText({ seq, atMs, ...entry }: Entry): string {
  const text = JSON.stringify(entry, (key, value: unknown) =>
    key === 'stack' ? undefined : key === 'child' && typeof value === 'object' ? (value as { id: string }).id : value,
  )
  return `${seq} ${atMs}ms ${text}`
}
