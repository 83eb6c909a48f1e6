/**
 * What the exit reasons mean that sessions get, and end with: with which cause the socket is closed, and whether a name was lost.
 */
import type { ExitReason } from '@pidmesh/runtime'
import { CLOSE, isCloseReason, type CloseCause } from './close-codes.ts'

export function causeOfExit(reason: ExitReason): CloseCause {
  if (reason === 'normal') return CLOSE.normal
  if (reason === 'shutdown') return CLOSE.restart
  if (reason === 'killed') return CLOSE.killed
  if (isCloseReason(reason)) return reason.close
  if (typeof reason === 'object' && reason !== null) {
    if ('name_conflict' in reason) return CLOSE.nameConflict
    if ('shutdown' in reason) return CLOSE.restart
  }
  return CLOSE.internal
}

/** What a table of names says to a process that has lost its name; `undefined` for any other reason. */
export function conflictOf(reason: ExitReason): { readonly name: string; readonly [key: string]: unknown } | undefined {
  if (typeof reason !== 'object' || reason === null || !('name_conflict' in reason)) return undefined
  const conflict = reason['name_conflict']
  if (typeof conflict !== 'object' || conflict === null || !('name' in conflict)) return undefined
  return typeof conflict.name === 'string' ? { ...conflict, name: conflict.name } : undefined
}
