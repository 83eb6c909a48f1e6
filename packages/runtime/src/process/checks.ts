/**
 * Arguments of the public API, checked at the caller. What is passed may be anything, a proxy whose traps throw included: that too is a bad argument.
 */
import { PidmeshError, shown } from '../errors.ts'
import { isNodeName, isPid, isRef, type NodeName, type Pid, type Ref } from '../ids.ts'
import type { NodeType } from '../messages.ts'
import { isExitReason, reasonOfThrown, type ExitReason } from '../reasons.ts'
import { isNameOnNode } from '../via.ts'
import type { GivenMailboxOptions, MailboxOptions } from './process.ts'

/** `instanceof` for what may be hostile. */
export function isA<T>(value: unknown, constructor: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof constructor
  } catch {
    return false
  }
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkAddressee<T>(target: T): T {
  const isText = typeof target === 'string' && target !== ''
  if (isText || isPid(target) || (isNameOnNode(target) && isNodeName(target.node))) return target
  throw bad(`not a pid, a name, or a name on a node: ${shown(target)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkReason(reason: ExitReason | undefined): ExitReason {
  if (isA(reason, Error)) return reasonOfThrown(reason)
  if (isExitReason(reason)) return reason
  throw bad(`an exit reason is a text or an object, not ${shown(reason)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkPid(pid: Pid): Pid {
  if (isPid(pid)) return pid
  throw bad(`not a pid: ${shown(pid)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkRef(ref: Ref): Ref {
  if (isRef(ref)) return ref
  throw bad(`not a reference: ${shown(ref)}`)
}

/** A text that could be a name. @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkNameText(name: string): string {
  if (typeof name === 'string') return name
  throw bad(`a name is a text, not ${shown(name)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkNodeName(node: NodeName): NodeName {
  if (isNodeName(node)) return node
  throw bad(`not the name of a node: ${shown(node)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkFunction<F>(what: string, value: F): F {
  if (typeof value === 'function') return value
  throw bad(`${what} must be a function, not ${shown(value)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkFlag(what: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value
  throw bad(`${what} must be true or false, not ${shown(value)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkLabel(label: string | undefined): string | undefined {
  if (isLabel(label)) return label
  throw bad(`a label is a text, not ${shown(label)}`)
}

function isLabel(label: unknown): label is string | undefined {
  return label === undefined || typeof label === 'string'
}

/**
 * What `read` makes of options. They may be anything, and throw anything when they are looked at.
 * @throws PidmeshError `ERR_BAD_OPTION`, and those of `read` itself
 */
export function readOptions<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    if (isA(thrown, PidmeshError)) throw thrown
    throw badOption(`the options of ${what} can't be read`)
  }
}

/**
 * The options, read once: what is known of them as plain data. A misspelt option must not be passed over in silence.
 * @throws PidmeshError `ERR_BAD_OPTION`
 */
export function checkOptions<Options extends object>(
  what: string,
  options: Options,
  known: readonly (keyof Options & string)[],
): Partial<Options> {
  if (typeof options !== 'object' || options === null)
    throw badOption(`the options of ${what} must be an object, not ${shown(options)}`)
  const read: Partial<Options> = {}
  const unknown = readOptions(what, () => {
    for (const key of known) if (options[key] !== undefined) read[key] = options[key]
    return Object.keys(options).find((key) => !(known as readonly string[]).includes(key))
  })
  if (unknown !== undefined) throw badOption(`${what} has no option ${shown(unknown)}`)
  return read
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkFlagOption(what: string, value: boolean | undefined): boolean {
  if (value === undefined) return false
  if (typeof value === 'boolean') return value
  throw badOption(`${what} must be true or false, not ${shown(value)}`)
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkLabelOption(label: string | undefined): string | undefined {
  if (isLabel(label)) return label
  throw badOption(`label must be a text, not ${shown(label)}`)
}

const POLICIES: ReadonlySet<unknown> = new Set<MailboxOptions['policy']>(['log', 'drop', 'kill'])

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkMailboxOptions(options: GivenMailboxOptions, defaults: MailboxOptions): MailboxOptions {
  const { limit = defaults.limit, policy = defaults.policy } = checkOptions('mailbox', options, ['limit', 'policy'])
  if (typeof limit !== 'number' || !(limit >= 1))
    throw badOption(`mailbox.limit must be a number of messages, 1 or more, not ${shown(limit)}`)
  if (!POLICIES.has(policy)) throw badOption(`mailbox.policy must be one of ${[...POLICIES].join(', ')}`)
  return { limit, policy }
}

const NODE_TYPES: ReadonlySet<unknown> = new Set<NodeType | 'all'>(['visible', 'hidden', 'all'])

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkNodeType(type: NodeType | 'all'): NodeType | 'all' {
  if (NODE_TYPES.has(type)) return type
  throw bad(`a type of nodes is one of ${[...NODE_TYPES].join(', ')}, not ${shown(type)}`)
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkNodeTypeOption(type: NodeType | 'all' | undefined): NodeType | 'all' {
  if (type === undefined) return 'visible'
  if (NODE_TYPES.has(type)) return type
  throw badOption(`nodeType must be one of ${[...NODE_TYPES].join(', ')}, not ${shown(type)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkPids(pids: readonly Pid[]): readonly Pid[] {
  const list = listOf(pids)
  if (list === undefined) throw bad(`processes are given as a list of pids, not ${shown(pids)}`)
  for (const pid of list) checkPid(pid)
  return list
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkNodeNames(nodes: readonly NodeName[]): readonly NodeName[] {
  const list = listOf(nodes)
  if (list === undefined) throw bad(`nodes are given as a list of their names, not ${shown(nodes)}`)
  for (const node of list) checkNodeName(node)
  return list
}

/** A copy, so that it is read once; `undefined` if it is no list. */
function listOf<T>(given: readonly T[]): readonly T[] | undefined {
  try {
    return Array.isArray(given) ? [...(given as readonly T[])] : undefined
  } catch {
    return undefined
  }
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', problem)
}

function badOption(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
