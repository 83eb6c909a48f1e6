/**
 * Arguments of the public API, checked at the caller. Each throws PidmeshError `ERR_BAD_ARGUMENT`.
 */
import { PidmeshError, shown } from '../errors.ts'
import { Pid, Ref } from '../ids.ts'
import { isExitReason, type ExitReason } from '../reasons.ts'
import { isNameOnNode } from '../via.ts'
import type { MailboxOptions } from './process.ts'

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkAddressee<T>(target: T): T {
  const isText = typeof target === 'string' && target !== ''
  if (isText || target instanceof Pid || isNameOnNode(target)) return target
  throw new PidmeshError('ERR_BAD_ARGUMENT', `not a pid, a name, or a name on a node: ${shown(target)}`)
}

export function checkReason(reason: ExitReason | undefined): ExitReason {
  if (isExitReason(reason)) return reason
  throw new PidmeshError('ERR_BAD_ARGUMENT', `an exit reason is a text or an object, not ${shown(reason)}`)
}

export function checkPid(pid: Pid): Pid {
  if (!(pid instanceof Pid)) throw new PidmeshError('ERR_BAD_ARGUMENT', `not a pid: ${shown(pid)}`)
  return pid
}

export function checkRef(ref: Ref): Ref {
  if (!(ref instanceof Ref)) throw new PidmeshError('ERR_BAD_ARGUMENT', `not a reference: ${shown(ref)}`)
  return ref
}

/**
 * A misspelt option must not be passed over in silence.
 * @throws PidmeshError `ERR_BAD_OPTION`
 */
export function checkOptions<Options extends object>(
  what: string,
  options: Options,
  known: readonly (keyof Options)[],
): Options {
  if (typeof options !== 'object' || options === null)
    throw new PidmeshError('ERR_BAD_OPTION', `the options of ${what} must be an object, not ${shown(options)}`)
  for (const key of Object.keys(options)) {
    if (!(known as readonly string[]).includes(key))
      throw new PidmeshError('ERR_BAD_OPTION', `${what} has no option ${JSON.stringify(key)}`)
  }
  return options
}

const POLICIES: ReadonlySet<unknown> = new Set<MailboxOptions['policy']>(['log', 'drop', 'kill'])

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkMailboxOptions(options: Partial<MailboxOptions>, defaults: MailboxOptions): MailboxOptions {
  const { limit = defaults.limit, policy = defaults.policy } = checkOptions('mailbox', options, ['limit', 'policy'])
  if (typeof limit !== 'number' || !(limit >= 1))
    throw new PidmeshError(
      'ERR_BAD_OPTION',
      `mailbox.limit must be a number of messages, 1 or more, not ${shown(limit)}`,
    )
  if (!POLICIES.has(policy))
    throw new PidmeshError('ERR_BAD_OPTION', `mailbox.policy must be one of ${[...POLICIES].join(', ')}`)
  return { limit, policy }
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkFlag(what: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value
  throw new PidmeshError('ERR_BAD_ARGUMENT', `${what} must be true or false, not ${shown(value)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkLabel(label: string | undefined): string | undefined {
  if (label === undefined || typeof label === 'string') return label
  throw new PidmeshError('ERR_BAD_ARGUMENT', `a label is a text, not ${shown(label)}`)
}
