/**
 * Who acts: a process, or code outside of any, for which the node's main process stands.
 */
import { PidmeshError, shown } from '../errors.ts'
import { Context } from '../process/context.ts'
import type { Node } from './node.ts'

export type Caller = Node | Context

const ANOTHER_COPY = 'one of another copy of @pidmesh/runtime: two are installed, or one is bundled'

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function contextOf(caller: Caller): Context {
  if (isContext(caller)) return caller
  const self: unknown = typeof caller === 'object' && caller !== null ? Reflect.get(caller, 'self') : undefined
  if (isContext(self)) return self
  const what = isOfAnotherCopy(caller) || isOfAnotherCopy(self) ? ANOTHER_COPY : shown(caller)
  throw new PidmeshError('ERR_BAD_ARGUMENT', `who calls is a node, or the self of a process, not ${what}`)
}

/** As it is where one package has a runtime of its own in its node_modules. */
function isOfAnotherCopy(value: unknown): boolean {
  try {
    return typeof value === 'object' && value !== null && value.constructor.name === Context.name
  } catch {
    return false // a proxy, or an object without a prototype
  }
}

/** By itself, and not `isA`, which has seen too many classes to be quick: each call and cast goes through here. */
function isContext(value: unknown): value is Context {
  try {
    return value instanceof Context
  } catch {
    return false
  }
}
