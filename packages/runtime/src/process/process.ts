/**
 * The record of one process: what the runtime knows of it. It decides nothing; scheduler, signals and context do.
 *
 * Fields that most processes never use stay `undefined` until they are: an idle process must cost a few hundred bytes.
 */
import { PidmeshError, ProcessExited } from '../errors.ts'
import type { Few } from '../few.ts'
import { Pid, type NodeIdentity } from '../ids.ts'
import type { Trace } from '../observe/tracing.ts'
import type { IdTable } from '../id-table.ts'
import type { LinkEnd } from '../signals/links.ts'
import type { LocalMonitor, Watch } from '../signals/monitors.ts'
import type { ProcessAbort } from './abort.ts'
import type { ProcessBody } from './body.ts'
import type { Mailbox } from './mailbox.ts'
import type { PendingReceive } from './receive.ts'

/** Nothing to do. */
export const IDLE = 0
/** In the run queue. */
export const QUEUED = 1
/** Its code is on the stack now. */
export const RUNNING = 2
/** Its handler returned a promise that has not settled: it takes no further message until then. */
export const SUSPENDED = 3
/** Ended, for good. */
export const EXITED = 4

export type ProcessState = typeof IDLE | typeof QUEUED | typeof RUNNING | typeof SUSPENDED | typeof EXITED

/** Takes one message. A promise holds back the next message until it settles; a throw or rejection ends the process. */
export type MessageHandler = (message: unknown) => unknown

/** See `Context.tagRemote`. */
export type RemoteTag = (message: unknown, origin: NodeIdentity) => unknown

/** Wants to know, before other processes are told, that a process has ended: its pending requests, its abort signal. */
export interface ExitHook {
  onExit(error: Error): void
}

/** How many messages may wait, and what happens to one more. */
export interface MailboxOptions {
  /** Messages. @default 100000 */
  readonly limit: number
  /**
   * `log`: says so, again each time the queue has doubled, and takes it; `drop`: refuses messages (never `EXIT`, `DOWN`, timers' and the like, nor what the process sends itself by its pid or name) until the process
   * has caught up to half of the limit; `kill`: ends the process with the reason `{ mailbox_limit: limit }`, which can't be trapped. @default 'log'
   */
  readonly policy: 'log' | 'drop' | 'kill'
}

/** As they are given: what is left out, or `undefined`, has its default. */
export type GivenMailboxOptions = { readonly [Option in keyof MailboxOptions]?: MailboxOptions[Option] | undefined }

/** The pid of a process of this node. It leads to its process without a look-up, as long as the process lives. */
export class LocalPid extends Pid {
  // Private in the language: a pid shows, compares and copies as the data that it is, without all that its process holds.
  #process: Process | undefined

  constructor(origin: NodeIdentity, id: number, process: Process) {
    super(origin, id)
    this.#process = process
  }

  get process(): Process | undefined {
    return this.#process
  }

  /** The process has ended. */
  letGo(): void {
    this.#process = undefined
  }
}

export class Process {
  readonly pid: LocalPid

  // What each message touches stands first, so that it lies in few lines of the cache: measured with 1,000 pairs of processes.
  state: ProcessState = IDLE
  mailbox: Mailbox | undefined = undefined
  /** A handler process's handler, once its `init` has returned. */
  handler: MessageHandler | undefined = undefined
  /** What its first turn will run. Afterwards `undefined`. */
  body: ProcessBody | undefined = undefined
  receiver: PendingReceive | undefined = undefined
  /** Who is told of what it does. */
  traces: Set<Trace> | undefined = undefined
  /** Messages handled or received, and its start. */
  reductions = 0
  /** `undefined`: those of the node. */
  mailboxOptions: MailboxOptions | undefined = undefined

  trapExit = false
  /** It has, or will have, a handler. */
  takesHandler = false
  /** The node's main process: it can't be killed. */
  isMain = false
  /** Tables of libraries hold something of it: they are told of its end. */
  isInTables = false
  /** What becomes of messages from other nodes before they are put into its mailbox. */
  remoteTag: RemoteTag | undefined = undefined
  /** A text for logs and observation; no address. */
  label: string | undefined = undefined
  registeredName: string | undefined = undefined

  links: Few<LinkEnd> = undefined
  /** The monitors that this process has made, by the id of their reference. */
  monitors: IdTable<LocalMonitor> | undefined = undefined
  /** The first of the monitors, local and remote, that watch this process: see signals/watches.ts. */
  watches: Watch | undefined = undefined
  /** The timers that die with this process, by the id of their reference. */
  timers: Set<number> | undefined = undefined
  /** Its open aliases, by the id of their reference. */
  aliases: Set<number> | undefined = undefined
  exitHooks: Few<ExitHook> = undefined
  /** Its abort signal, if it has asked for one. */
  abort: ProcessAbort | undefined = undefined

  constructor(origin: NodeIdentity, id: number) {
    this.pid = new LocalPid(origin, id, this)
  }

  get isAlive(): boolean {
    return this.state !== EXITED
  }
}

/** What those are told who would act as a process that has ended, or wait for something of it. */
export function exitedError({ isMain, pid }: Process): PidmeshError {
  return isMain ? new PidmeshError('ERR_NODE_STOPPED', `node ${pid.node} has been stopped`) : new ProcessExited(pid)
}
