/**
 * The options of a supervisor as a server.
 */
import { ViaName } from '@pidmesh/runtime'
import { badOption } from '../arguments.ts'
import type { StartOptions } from '../behaviour/start.ts'

/** A supervisor traps exits always. */
export type SupervisorOptions = Omit<StartOptions, 'trapExit'>

export function serverOptions(options: SupervisorOptions): StartOptions {
  // From its first moment: its parent may end before its first turn.
  return { ...options, trapExit: true }
}

/**
 * What reports call it, if it has a name.
 * @throws PidmeshError `ERR_BAD_OPTION`
 */
export function nameOf(options: SupervisorOptions): string | undefined {
  if (typeof options !== 'object' || options === null) throw badOption('the options of a start are an object')
  const { name } = options
  return name instanceof ViaName ? name.name : name
}
