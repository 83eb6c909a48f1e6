/**
 * The registered names of one node: at most one process a name, at most one name a process. A name ends with its process.
 */
import { PidmeshError, shown } from './errors.ts'
import { EXITED, type Process } from './process/process.ts'

/** As an atom in Erlang. */
const MAX_NAME_LENGTH = 255

/** Half of a character that takes two: what can't be sent as it is. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** Whether a process could have this name: a well-formed text of 1 to 255 characters. */
export function isRegisteredName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.length <= MAX_NAME_LENGTH && !LONE_SURROGATE.test(name)
}

export class Names {
  private readonly byName = new Map<string, Process>()

  get size(): number {
    return this.byName.size
  }

  /**
   * @throws PidmeshError `ERR_NAME_TAKEN` if the name is taken or the process has a name; `ERR_BAD_ARGUMENT` if the name isn't a text of 1 to 255
   * characters, or is `undefined`, or the process is dead.
   */
  register(name: string, process: Process): void {
    if (!isRegisteredName(name) || name === 'undefined') {
      throw new PidmeshError('ERR_BAD_ARGUMENT', `not a name that a process can have: ${shown(name)}`)
    }
    if (process.state === EXITED) throw new PidmeshError('ERR_BAD_ARGUMENT', `process ${process.pid} has exited`)
    const holder = this.byName.get(name)
    if (holder !== undefined) {
      throw new PidmeshError('ERR_NAME_TAKEN', `the name ${JSON.stringify(name)} is held by ${holder.pid}`)
    }
    if (process.registeredName !== undefined) {
      throw new PidmeshError(
        'ERR_NAME_TAKEN',
        `process ${process.pid} already has the name ${JSON.stringify(process.registeredName)}`,
      )
    }
    this.byName.set(name, process)
    process.registeredName = name
  }

  /** @throws PidmeshError `ERR_NOT_REGISTERED` if nobody has the name. */
  unregister(name: string): void {
    const process = this.byName.get(name)
    if (process === undefined) throw notRegistered(name)
    this.release(process)
  }

  whereis(name: string): Process | undefined {
    return this.byName.get(name)
  }

  registered(): string[] {
    return [...this.byName.keys()].sort()
  }

  release(process: Process): void {
    if (process.registeredName === undefined) return
    this.byName.delete(process.registeredName)
    process.registeredName = undefined
  }
}

export function notRegistered(name: string): PidmeshError {
  return new PidmeshError('ERR_NOT_REGISTERED', `no process is registered as ${JSON.stringify(name)}`)
}
