/**
 * The options of a supervisor as a server.
 */
import { ViaName } from '@pidmesh/runtime'
import type { StartOptions } from '../behaviour/start.ts'

/** A supervisor traps exits always. */
export type SupervisorOptions = Omit<StartOptions, 'trapExit'>

export function serverOptions(options: SupervisorOptions): StartOptions {
  // From its first moment: its parent may end before its first turn.
  return { ...options, trapExit: true }
}

/** What reports call it, if it has a name. */
export function nameOf({ name }: SupervisorOptions): string | undefined {
  return name instanceof ViaName ? name.name : name
}
