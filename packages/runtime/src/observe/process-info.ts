/**
 * What can be seen of a process from outside, as `erlang:process_info/1`.
 */
import { itemsOf } from '../few.ts'
import type { NameOnNode, Pid } from '../ids.ts'
import { EXITED, IDLE, QUEUED, RUNNING, SUSPENDED, Process } from '../process/process.ts'
import { watchesOf } from '../signals/watches.ts'

/**
 * - `running`: its code is on the stack;
 * - `runnable`: it waits for its turn;
 * - `waiting`: for a message;
 * - `awaiting`: for a promise of its own code (an `await` of anything but `receive`): messages wait meanwhile.
 */
export type ProcessStatus = 'running' | 'runnable' | 'waiting' | 'awaiting'

export interface ProcessInfo {
  readonly pid: Pid
  readonly registeredName: string | undefined
  readonly label: string | undefined
  readonly status: ProcessStatus
  readonly trapExit: boolean
  readonly links: readonly Pid[]
  /** What it monitors: a pid, or the name if it was monitored by name. Requests that wait for their reply are among them. */
  readonly monitors: readonly (Pid | NameOnNode)[]
  /** Who monitors it; one that does so twice stands here twice. */
  readonly monitoredBy: readonly Pid[]
  readonly messageQueueLength: number
  /** The oldest messages of the mailbox, as many as were asked for. */
  readonly messages: readonly unknown[]
  /** Messages handled or received, and its start: a measure of what it has done. */
  readonly reductions: number
  /** Timers that send to it, by its pid. */
  readonly timers: number
  /** Aliases that it has open, those of pending requests not included. */
  readonly aliases: number
  /**
   * An estimate, in bytes, of what the runtime holds for it: its record, mailbox slots, links, monitors and timers. What its own code holds, the messages
   * themselves included, JavaScript can't tell.
   */
  readonly memoryBytes: number
}

export interface ProcessInfoOptions {
  /** How many messages of the mailbox to show, the oldest first. @default 0 */
  readonly messages?: number | undefined
}

export const PROCESS_INFO_OPTIONS: readonly (keyof ProcessInfoOptions)[] = ['messages']

/** Measured by `pnpm bench runtime`, rounded up: the record with its pid and context, and an entry of a Map or Set with what it leads to. */
const RECORD_BYTES = 320
const SLOT_BYTES = 8
const RELATION_BYTES = 120

/** With at most so many messages. */
export function processInfo(process: Process, shown: number): ProcessInfo {
  const { mailbox, links, monitors } = process
  const linked = [...itemsOf(links)].map((end): Pid => (end instanceof Process ? end.pid : end.remote))
  const monitoredBy = watchesOf(process).map((watch): Pid =>
    watch.type === 'local' ? watch.watcher.pid : watch.watcher,
  )
  const monitored = [...(monitors?.values() ?? [])].map((monitor) => monitor.object)
  const timers = process.timers?.size ?? 0
  const aliases = process.aliases?.size ?? 0
  const relations = linked.length + monitored.length + monitoredBy.length + timers + aliases
  const messages: unknown[] = []
  const length = mailbox?.length ?? 0
  for (let index = 0; index < Math.min(shown, length); index++) messages.push(mailbox?.at(index))
  return {
    pid: process.pid,
    registeredName: process.registeredName,
    label: process.label,
    status: statusOf(process),
    trapExit: process.trapExit,
    links: linked,
    monitors: monitored,
    monitoredBy,
    messageQueueLength: length,
    messages,
    reductions: process.reductions,
    timers,
    aliases,
    memoryBytes: RECORD_BYTES + (mailbox?.slots ?? 0) * SLOT_BYTES + relations * RELATION_BYTES,
  }
}

function statusOf(process: Process): ProcessStatus {
  switch (process.state) {
    case RUNNING:
      return 'running'
    case QUEUED:
      return 'runnable'
    case SUSPENDED:
      return 'awaiting'
    case IDLE:
    case EXITED:
      return process.handler !== undefined || process.receiver !== undefined ? 'waiting' : 'awaiting'
  }
}
