/**
 * The reports that a node logs of its processes, each in the one shape that docs/observation.md shows: crash, long_schedule, large_mailbox,
 * abort_listener, function_returned.
 *
 * Invariant: a report never holds the payload of a message, only its tag; and a fault that comes again and again makes at most 100 lines a second of its
 * kind, the next of which says how many were left out.
 */
import { countOf } from '../few.ts'
import type { Clock, LogFields, Logger } from '../ports.ts'
import type { MailboxOptions, Process } from '../process/process.ts'
import { formatReason, isErrorReason, type ExitReason } from '../reasons.ts'
import type { Counters } from './counters.ts'
import { RateLimitedLog } from './rate-limited-log.ts'

/**
 * Something that took long without a pause, in milliseconds. More than one suspect: it was one of these. Without a message: it was one of several that the
 * process got.
 */
export interface LongSchedule {
  readonly tookMs: number
  readonly suspects: readonly { readonly process: Process; readonly message?: unknown }[]
  /** How many more it may have been that are not among the suspects. */
  readonly others: number
}

type ReportKind = 'crash' | 'long_schedule' | 'large_mailbox' | 'abort_listener' | 'function_returned'

const MAX_TAG_LENGTH = 64

export class Reports {
  private readonly counters: Counters
  private readonly logs: Record<ReportKind, RateLimitedLog>

  constructor(log: Logger, clock: Clock, counters: Counters) {
    const limited = (): RateLimitedLog => new RateLimitedLog(log, clock)
    this.counters = counters
    this.logs = {
      crash: limited(),
      long_schedule: limited(),
      large_mailbox: limited(),
      abort_listener: limited(),
      function_returned: limited(),
    }
  }

  crash(process: Process, reason: ExitReason, details?: LogFields): void {
    this.counters.processesCrashed++
    this.report(
      'error',
      'crash',
      {
        ...describeProcess(process),
        reason: unwrapped(reason),
        messageQueueLength: process.mailbox?.length ?? 0,
        links: countOf(process.links),
        ...details,
      },
      `process ${process.pid} crashed: ${formatReason(reason)}`,
    )
  }

  longSchedule({ tookMs, suspects, others: unnamed }: LongSchedule): void {
    this.counters.longSchedules++
    const fields = suspects.map((suspect) => ({
      ...describeProcess(suspect.process),
      ...('message' in suspect ? { message: tagOf(suspect.message) } : {}),
    }))
    const [first, ...others] = fields
    if (first === undefined) return
    const ms = Math.round(tookMs)
    this.report(
      'warn',
      'long_schedule',
      {
        ...first,
        ...(others.length === 0 ? {} : { orOneOf: others }),
        ...(unnamed === 0 ? {} : { orOthers: unnamed }),
        tookMs: ms,
      },
      `process ${first.pid} held up all others for ${ms} ms${first.message === undefined ? '' : ` with ${first.message}`}${others.length === 0 ? '' : ', or another did'}`,
    )
  }

  largeMailbox(process: Process, messages: number, policy: MailboxOptions['policy']): void {
    this.counters.largeMailboxes++
    this.report(
      policy === 'log' ? 'warn' : 'error',
      'large_mailbox',
      { ...describeProcess(process), messageQueueLength: messages, policy },
      `process ${process.pid} has ${messages} messages waiting${CONSEQUENCES[policy]}`,
    )
  }

  abortListener(process: Process, reason: ExitReason): void {
    this.report(
      'error',
      'abort_listener',
      { ...describeProcess(process), reason: unwrapped(reason) },
      `a listener of the abort signal of ${process.pid} failed: ${formatReason(reason)}`,
    )
  }

  functionReturned(process: Process): void {
    this.report(
      'warn',
      'function_returned',
      describeProcess(process),
      `process ${process.pid} has ended by returning a function, which nobody calls: was handler(…) forgotten around it?`,
    )
  }

  private report(level: 'warn' | 'error', kind: ReportKind, fields: LogFields, message: string): void {
    this.logs[kind][level]({ report: kind, ...fields }, message)
  }
}

const CONSEQUENCES: Record<MailboxOptions['policy'], string> = {
  log: '',
  drop: ': more are dropped until it has caught up',
  kill: ', more than it may have: it is killed',
}

/** As a line of a log shows it: without the `error` around an error. */
function unwrapped(reason: ExitReason): unknown {
  return isErrorReason(reason) ? reason.error : reason
}

function describeProcess({ pid, registeredName, label }: Process): { readonly pid: string } & LogFields {
  return {
    pid: pid.toString(),
    ...(registeredName === undefined ? {} : { registeredName }),
    ...(label === undefined ? {} : { label }),
  }
}

/**
 * What kind of message it is, without what it holds: its `type`, or what it is in JavaScript. What a library wraps (`{ type: '$…', request }`) is named by
 * both. Never throws.
 */
export function tagOf(message: unknown): string {
  try {
    return clip(describeTag(message))
  } catch {
    return 'a message that cannot be described'
  }
}

function describeTag(message: unknown): string {
  if (typeof message !== 'object' || message === null) return message === null ? 'null' : typeof message
  const { type, request } = message as { type?: unknown; request?: unknown }
  if (typeof type !== 'string') return Array.isArray(message) ? 'array' : 'object'
  return type.startsWith('$') && request !== undefined ? `${type} ${clip(describeTag(request))}` : type
}

function clip(text: string): string {
  return text.length > MAX_TAG_LENGTH ? `${text.slice(0, MAX_TAG_LENGTH)}…` : text
}
