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

/** What a way of keeping names can do. Who needs more than it has says so at once, and doesn't try. */
export interface ViaCapabilities {
  /**
   * How a name is found: `memory`, this node knows; `store`, a store is asked; `none`, it can't be said who has it, and `resolveName` gives the processes of this node only.
   */
  readonly resolve: 'memory' | 'store' | 'none'
  /** How many processes may have a name: `one`, the second is told `no`; `many`, and what is sent reaches each. */
  readonly holders: 'one' | 'many'
  /** What happens to a name that two nodes have registered while they were apart, or that is taken over: the newest has it in the end, for any living process that takes it. */
  readonly newestWins: boolean
  /**
   * In which order messages come that one process has sent to a name: `always` as they were sent; `unless_moved`, but for the moment in which the name goes to another process.
   */
  readonly order: 'always' | 'unless_moved'
  /** The names of a node that has died are gone as soon as that is noticed, or `ttl`: when their time is over. Until then they are ghosts. */
  readonly purge: 'noticed' | 'ttl'
  /** `send` says `noproc` if nobody has the name. Otherwise it says `ok`, and nobody gets the message. */
  readonly knowsAbsence: boolean
  /** A process that was found can be sent to, called and monitored by its pid: the nodes are connected. */
  readonly reachesPids: boolean
}

export interface Via {
  readonly capabilities: ViaCapabilities
  /** `yes`, or `no` if the name is taken. The name ends with the process. */
  registerName(name: string, pid: Pid, meta?: NameMeta): Awaitable<'yes' | 'no'>
  /** Gives up a name of this node: for all processes that have it, or for one. Nothing happens if it is none of this node's. */
  unregisterName(name: string, pid?: Pid): Awaitable<'ok'>
  /** The process that has the name, as far as this node knows without asking anyone. */
  whereisName(name: string): Pid | undefined
  /** The process that has the name; may ask others. */
  resolveName(name: string): Awaitable<Pid | undefined>
  /**
   * Sends to whoever has the name. `noproc` if nobody is known to have it; a way that can't know never says so. `noconnection`: it was not sent, since the node, or the store, can't be reached or takes no more.
   */
  send(name: string, message: unknown): Awaitable<SendStatus | 'noproc'>
  /** Replaces what is known with a name of this node: `error` if it isn't this node's. */
  setMeta(name: string, meta: NameMeta): Awaitable<'ok' | 'error'>
  /**
   * Gives a name to a process of this node, whoever has it; who had it loses it. Only ways that can do so have it.
   * @returns the name's new epoch, which is larger with each takeover; `undefined` if the name can't be had
   */
  takeover?(name: string, pid: Pid, options?: { readonly meta?: NameMeta | undefined }): Awaitable<number | undefined>
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
