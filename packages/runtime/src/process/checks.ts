/**
 * Arguments of the public API, checked at the caller. Each throws PidmeshError `ERR_BAD_ARGUMENT`.
 */
import { PidmeshError } from '../errors.ts'
import { Pid, Ref } from '../ids.ts'
import { isExitReason, type ExitReason } from '../reasons.ts'
import { isNameOnNode } from '../via.ts'

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkAddressee<T>(target: T): T {
  const isText = typeof target === 'string' && target !== ''
  if (isText || target instanceof Pid || isNameOnNode(target)) return target
  throw new PidmeshError('ERR_BAD_ARGUMENT', `not a pid, a name, or a name on a node: ${String(target)}`)
}

export function checkReason(reason: ExitReason | undefined): ExitReason {
  if (isExitReason(reason)) return reason
  throw new PidmeshError('ERR_BAD_ARGUMENT', `an exit reason is a text or an object, not ${String(reason)}`)
}

export function checkPid(pid: Pid): Pid {
  if (!(pid instanceof Pid)) throw new PidmeshError('ERR_BAD_ARGUMENT', `not a pid: ${String(pid)}`)
  return pid
}

export function checkRef(ref: Ref): Ref {
  if (!(ref instanceof Ref)) throw new PidmeshError('ERR_BAD_ARGUMENT', `not a reference: ${String(ref)}`)
  return ref
}
