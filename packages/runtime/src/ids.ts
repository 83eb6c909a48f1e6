/**
 * The identities of the system: nodes, processes, references.
 *
 * A `Pid` or `Ref` names its node *and* the incarnation (Erlang's `creation`) of that node: an identity made in one life of a node never
 * reaches anything in a later life. Identities are immutable data; they may be sent in messages and come back equal, not identical
 * (`===`): compare with `equals`, or use `toString()` as a key.
 */
import { PidmeshError, shown } from './errors.ts'

declare const nodeNameBrand: unique symbol

/** A node's name in the form `name@host`, at most 255 characters, for example `chat1@127.0.0.1`. */
export type NodeName = string & { readonly [nodeNameBrand]: true }

const NODE_NAME = /^[A-Za-z0-9_-]{1,64}@[A-Za-z0-9_.:[\]-]{1,190}$/

/**
 * Checks and brands a node name.
 * @throws PidmeshError `ERR_BAD_NODE_NAME` if the text isn't of the form `name@host`.
 */
export function nodeName(text: string): NodeName {
  if (!isNodeName(text)) {
    throw new PidmeshError('ERR_BAD_NODE_NAME', `a node name has the form name@host, not ${shown(text)}`)
  }
  return text
}

export function isNodeName(text: unknown): text is NodeName {
  return typeof text === 'string' && NODE_NAME.test(text)
}

const ADDRESS = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]{1,253}):([0-9]{1,5})$/

/** Whether a text has the form `host:port`, or `[v6]:port`, with a port from 1 on. */
export function isAddress(text: unknown): text is string {
  const port = typeof text === 'string' ? Number(ADDRESS.exec(text)?.[1]) : Number.NaN
  return port >= 1 && port <= 65_535
}

/** One life of a node. The incarnation is a positive integer below 2^53, another one in each life of the node. */
export interface NodeIdentity {
  readonly name: NodeName
  readonly incarnation: number
}

export function isNodeIdentity(value: unknown): value is NodeIdentity {
  if (typeof value !== 'object' || value === null) return false
  const { name, incarnation }: { readonly name?: unknown; readonly incarnation?: unknown } = value
  return isNodeName(name) && isPositiveInteger(incarnation)
}

export function sameIdentity(a: NodeIdentity, b: NodeIdentity): boolean {
  return a === b || (a.name === b.name && a.incarnation === b.incarnation)
}

/** What an id and an incarnation are. */
export function isPositiveInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

abstract class Identity {
  readonly origin: NodeIdentity
  /** A positive integer, unique within one life of the node. */
  readonly id: number

  constructor(origin: NodeIdentity, id: number) {
    this.origin = origin
    this.id = id
  }

  get node(): NodeName {
    return this.origin.name
  }

  get incarnation(): number {
    return this.origin.incarnation
  }
}

/** How `console.log` shows identities. (Not a method in the class: the key is computed, and no type of it can be emitted.) */
Object.defineProperty(Identity.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: Pid | Ref): string {
    return this.toString()
  },
})

/** The identity of a process. Made by the runtime only; a process is reached through its pid from any node. */
export class Pid extends Identity {
  /** For the compiler only: a pid is no reference. */
  declare private readonly kind: 'pid'

  equals(other: unknown): boolean {
    return this === other || (other instanceof Pid && this.id === other.id && sameIdentity(this.origin, other.origin))
  }

  /** For example `<17.chat1@127.0.0.1/1b2c3>`; equal pids give equal texts. */
  override toString(): string {
    return `<${this.id}.${this.origin.name}/${this.origin.incarnation.toString(36)}>`
  }

  toJSON(): string {
    return this.toString()
  }
}

/** A unique reference: of a monitor, a timer, an alias. A message sent to an alias's reference goes to the alias's owner. */
export class Ref extends Identity {
  /** For the compiler only: a reference is no pid. */
  declare private readonly kind: 'ref'

  equals(other: unknown): boolean {
    return this === other || (other instanceof Ref && this.id === other.id && sameIdentity(this.origin, other.origin))
  }

  /** For example `#17.chat1@127.0.0.1/1b2c3`; equal references give equal texts. */
  override toString(): string {
    return `#${this.id}.${this.origin.name}/${this.origin.incarnation.toString(36)}`
  }

  toJSON(): string {
    return this.toString()
  }
}

/** A process addressed by the name under which it is registered on a node. */
export interface NameOnNode {
  readonly name: string
  readonly node: NodeName
}

/**
 * Whether it is a pid, and not only looks like one. Never throws: a proxy may, where it is asked what it is. What has a pid's prototype alone is none, nor is one whose number can't be: another
 * node would take it for a breach of the protocol.
 */
export function isPid(value: unknown): value is Pid {
  try {
    return value instanceof Pid && isWhole(value)
  } catch {
    return false
  }
}

/** As `isPid`, of references. */
export function isRef(value: unknown): value is Ref {
  try {
    return value instanceof Ref && isWhole(value)
  } catch {
    return false
  }
}

function isWhole({ id, origin }: Identity): boolean {
  return isPositiveInteger(id) && typeof origin === 'object' && origin !== null
}
