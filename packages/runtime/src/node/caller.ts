/**
 * Who acts: a process, or code outside of any, for which the node's main process stands.
 */
import type { Context } from '../process/context.ts'
import type { Node } from './node.ts'

export type Caller = Node | Context

export function contextOf(caller: Caller): Context {
  return 'self' in caller ? caller.self : caller
}
