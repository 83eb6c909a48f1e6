/**
 * What is wrong with arguments that types would have refused: told where they are given.
 */
import { PidmeshError } from '@pidmesh/runtime'

export function badArgument(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', problem)
}

export function badOption(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}

/**
 * @param what with its article
 * @throws PidmeshError `ERR_BAD_OPTION` for what is no object, or can't be read, and for an option that is none
 */
export function checkOptions(what: string, options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null) throw badOption(`the options of ${what} are an object`)
  const unknown = keysOf(what, options).find((key) => !known.has(key))
  if (unknown !== undefined) throw badOption(`${what} has no option ${JSON.stringify(unknown)}`)
}

function keysOf(what: string, options: object): readonly string[] {
  try {
    return Object.keys(options)
  } catch (cause) {
    throw new PidmeshError('ERR_BAD_OPTION', `the options of ${what} can't be read`, { cause })
  }
}
