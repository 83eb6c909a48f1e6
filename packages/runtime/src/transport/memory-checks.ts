/**
 * Arguments of the memory network and of the test cluster, checked at the caller: a fault that strikes nobody would make a test pass that should fail.
 */
import { PidmeshError, shown } from '../errors.ts'
import { checkFlagOption, checkOptions } from '../process/checks.ts'
import type { BreakOptions, CrashOptions } from './memory.ts'

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkHostName(what: string, name: string): string {
  if (typeof name === 'string' && name !== '') return name
  throw bad(`${what} must be the name of a host, not ${shown(name)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` if no host of this name is known: a cut of it would cut nothing. */
export function checkHost(what: string, name: string, known: ReadonlySet<string>): void {
  if (!known.has(checkHostName(what, name))) throw bad(`${what}: ${noHost(name, known)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkHosts(what: string, names: readonly string[], known: ReadonlySet<string>): void {
  if (!Array.isArray(names)) throw bad(`${what} must be a list of names of hosts, not ${shown(names)}`)
  for (const name of names as readonly string[]) checkHost(what, name, known)
}

/** `undefined` for as many as there are. @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkRate(what: string, bytesPerSecond: number | undefined): void {
  if (bytesPerSecond === undefined || (typeof bytesPerSecond === 'number' && bytesPerSecond > 0)) return
  throw bad(`${what} must be a number of bytes above 0, or undefined, not ${shown(bytesPerSecond)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkSocketBytes(what: string, bytes: number): number {
  if (isSocketBytes(bytes)) return bytes
  throw bad(`${what} must be a number of bytes, 0 or more, not ${shown(bytes)}`)
}

export function isSocketBytes(bytes: unknown): bytes is number {
  return typeof bytes === 'number' && bytes >= 0
}

/** @throws PidmeshError `ERR_BAD_OPTION`; `tellMs` may name the two hosts only, as nobody else could be told. */
export function checkBreakOptions(options: BreakOptions, a: string, b: string): Filled<BreakOptions> {
  const { arriving = () => 0, tellMs = {} } = checkOptions('break', options, ['arriving', 'tellMs'])
  if (typeof arriving !== 'function')
    throw badOption(`arriving of break must be a function, which gives a number of frames, not ${shown(arriving)}`)
  if (typeof tellMs !== 'object' || tellMs === null)
    throw badOption(`tellMs of break must have milliseconds by the names of the hosts, not ${shown(tellMs)}`)
  for (const [name, ms] of Object.entries(tellMs)) {
    if (name !== a && name !== b)
      throw badOption(`tellMs of break: ${shown(name)} is neither ${shown(a)} nor ${shown(b)}`)
    if (typeof ms !== 'number' || !(ms >= 0))
      throw badOption(`tellMs.${name} of break must be a number of milliseconds, 0 or more, not ${shown(ms)}`)
  }
  return {
    arriving: (inFlight) => {
      const count: unknown = arriving(inFlight)
      // Less than none is none.
      if (typeof count === 'number' && !Number.isNaN(count)) return count
      throw badOption(`arriving of break must give a number of frames, not ${shown(count)}`)
    },
    tellMs,
  }
}

/** With the defaults filled in. */
type Filled<Options> = { readonly [Option in keyof Options]-?: Exclude<Options[Option], undefined> }

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkCrashOptions(options: CrashOptions): Filled<CrashOptions> {
  const { isTold = true } = checkOptions('crash', options, ['isTold'])
  return { isTold: checkFlagOption('isTold of crash', isTold) }
}

function noHost(name: string, known: ReadonlySet<string>): string {
  const list = known.size === 0 ? 'there is none yet' : `there are ${[...known].map(shown).join(', ')}`
  return `there is no host ${shown(name)}; ${list}, called by what start, or transport, was given`
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', problem)
}

function badOption(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
