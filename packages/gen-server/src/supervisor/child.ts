/**
 * Builders of child specifications. What they give is plain data with a function in it, and may be changed:
 * `{ ...child(Counter, [5]), id: 'second' }`.
 */
import type { Pid, ProcessBody, SpawnOptions } from '@pidmesh/runtime'
import { badOption, checkOptions } from '../arguments.ts'
import { checkStart, plainName, type StartOptions } from '../behaviour/start.ts'
import type { StatemInitResult } from '../gen-statem/results.ts'
import type { InitResult } from '../results.ts'
import type { ServerPid } from '../protocol.ts'
import { startLink, type ServerClass, type Started } from '../start.ts'
import { badChildSpec, type CheckedChildSpec, type ChildSpec } from './child-spec.ts'

/** All that there are: one that the runtime gets does not compile until it stands here, too. */
const SPAWN_OPTIONS: ReadonlySet<string> = new Set(
  Object.keys({ name: true, label: true, trapExit: true, mailbox: true } satisfies Record<keyof SpawnOptions, true>),
)

/** What of a specification may be said where the start is known. */
export type ChildOptions = { readonly [Field in Exclude<keyof ChildSpec, 'start'>]?: ChildSpec[Field] | undefined }

/**
 * A server as a child: started with `startLink(supervisor, server, args, options)`.
 * @param options those of `startLink`, and of the specification; `id` is by default the name, also of one in a `Via`, or else the class's name
 * @throws PidmeshError `ERR_BAD_CHILD_SPEC` for what is no class, or no list of arguments; `ERR_BAD_OPTION`
 * @example child(Counter, [5], { name: 'counter', restart: 'transient' })
 */
export function child<
  Calls extends object,
  Casts,
  Args extends readonly unknown[],
  Result extends InitResult | StatemInitResult,
  State,
>(
  server: ServerClass<Calls, Casts, Args, Result, State>,
  args: Readonly<NoInfer<Args>>,
  options: ChildOptions & StartOptions = {},
): ChildSpec<Started<ServerPid<Calls, Casts, State>, Args, Result>> {
  if (typeof server !== 'function') throw badChildSpec(`a server is started by its class, not by ${typeof server}`)
  if (!Array.isArray(args)) throw badChildSpec(`the arguments of ${server.name} are a list, not ${typeof args}`)
  const { spec, rest } = split(options)
  checkStart(rest)
  const { name = server.name } = rest
  return {
    id: plainName(name),
    ...spec,
    // Of a server whose init says that it isn't wanted there is no pid.
    start: (self) => startLink(self, server, args, rest),
  }
}

/**
 * A process as a child. It counts as started at once.
 * @throws PidmeshError `ERR_BAD_OPTION`
 * @example processChild('ticker', async (self) => { … }, { restart: 'transient' })
 */
export function processChild(
  id: string,
  body: ProcessBody,
  options: Omit<ChildOptions, 'id'> & SpawnOptions = {},
): ChildSpec<Pid> {
  const { spec, rest } = split(options)
  checkOptions('a process', rest, SPAWN_OPTIONS)
  return { id, ...spec, start: (self) => self.spawnLink(body, rest) }
}

/**
 * Options of a specification, those that are there, and others.
 * @throws PidmeshError `ERR_BAD_OPTION` for what holds none
 */
export function split<Options extends ChildOptions>(
  options: Options,
): { readonly spec: Partial<Omit<CheckedChildSpec, 'start'>>; readonly rest: Omit<Options, keyof ChildOptions> } {
  if (typeof options !== 'object' || options === null) throw badOption('the options of a child are an object')
  const { id, restart, shutdown, type, significant, ...rest } = options
  const spec = Object.fromEntries(
    Object.entries({ id, restart, shutdown, type, significant }).filter(([, value]) => value !== undefined),
  )
  return { spec, rest }
}
