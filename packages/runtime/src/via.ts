/**
 * `Via`: the one seam for names, as Erlang's `{via, Module, Name}`. A replicated table, a location database and a pub-sub broker are three
 * kinds of it; whatever takes a name takes any of them.
 */
import { Pid, type NameOnNode } from './ids.ts'
import { isRegisteredName } from './names.ts'
import type { SendStatus } from './signals/signal.ts'

/** A value now, or a promise of it: local ways answer at once, ways that hop can't. */
export type Awaitable<T> = T | Promise<T>

/** What is known with a name, readable on every node. Small and sendable. */
export type NameMeta = { readonly [key: string]: unknown }

export interface Via {
  /** `yes`, or `no` if the name is taken. The name ends with the process. */
  registerName(name: string, pid: Pid, meta?: NameMeta): Awaitable<'yes' | 'no'>
  unregisterName(name: string): Awaitable<'ok'>
  /** The process that has the name, as far as this node knows without asking anyone. */
  whereisName(name: string): Pid | undefined
  /** The process that has the name; may ask others. */
  resolveName(name: string): Awaitable<Pid | undefined>
  /** Sends to whoever has the name. `noproc` if nobody is known to have it; a way that can't know never says so. */
  send(name: string, message: unknown): Awaitable<SendStatus | 'noproc'>
  /** Replaces what is known with a name of this node: `error` if it isn't this node's. */
  setMeta(name: string, meta: NameMeta): Awaitable<'ok' | 'error'>
  /** Whether a `takeover` always succeeds, for a living process: in a way where others may win by its rules it doesn't. @default true */
  readonly newestWins?: boolean
  /**
   * Gives a name to a process of this node, whoever has it; who had it loses it. Only ways that can do so have it.
   * @returns the name's new epoch, which is larger with each takeover; `undefined` if the name can't be had
   */
  takeover?(name: string, pid: Pid, options?: { readonly meta?: NameMeta }): Awaitable<number | undefined>
}

/** A process addressed by a name in a `Via`. */
export class ViaName {
  readonly via: Via
  readonly name: string

  constructor(viaModule: Via, name: string) {
    this.via = viaModule
    this.name = name
  }
}

/** Addresses the process that has `name` in `names`, for example `call(self, via(names, 'room:1'), request)`. */
export function via(names: Via, name: string): ViaName {
  return new ViaName(names, name)
}

export function isNameOnNode(value: unknown): value is NameOnNode {
  if (typeof value !== 'object' || value === null) return false
  try {
    const { name, node } = value as { name?: unknown; node?: unknown }
    return !(value instanceof Pid) && isRegisteredName(name) && typeof node === 'string'
  } catch {
    return false
  }
}
