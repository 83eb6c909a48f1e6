/**
 * With which cause a socket is closed, when its session's process has ended.
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
