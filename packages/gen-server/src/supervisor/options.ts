/**
 * The options of a supervisor as a server.
 */
import { checkOptions } from '../arguments.ts'
import { plainName, type StartOptions } from '../behaviour/start.ts'

/** A supervisor traps exits always. */
export type SupervisorOptions = Omit<StartOptions, 'trapExit'>

const OPTIONS: ReadonlySet<string> = new Set<keyof SupervisorOptions>(['name', 'timeoutMs', 'label', 'mailbox'])

export function serverOptions(options: SupervisorOptions): StartOptions {
  // From its first moment: its parent may end before its first turn.
  return { ...options, trapExit: true }
}

/**
 * What reports call it, if it has a name.
 * @throws PidmeshError `ERR_BAD_OPTION`
 */
export function nameOf(options: SupervisorOptions): string | undefined {
  checkOptions('a supervisor', options, OPTIONS)
  return plainName(options.name)
}
