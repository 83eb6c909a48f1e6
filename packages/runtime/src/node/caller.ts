/**
 * Who acts: a process, or code outside of any, for which the node's main process stands.
 */
import { PidmeshError, shown } from '../errors.ts'
import { isA } from '../process/checks.ts'
import { Context } from '../process/context.ts'
import type { Node } from './node.ts'

export type Caller = Node | Context

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function contextOf(caller: Caller): Context {
  if (isA(caller, Context)) return caller
  const self: unknown = typeof caller === 'object' && caller !== null ? Reflect.get(caller, 'self') : undefined
  if (isA(self, Context)) return self
  throw new PidmeshError('ERR_BAD_ARGUMENT', `who calls is a node, or the self of a process, not ${shown(caller)}`)
}
