/**
 * The context that travels with messages: what the `propagation` of the node's options captures where a message is sent, and runs its handler in.
 *
 *   send ─▶ capture ─▶ carrier ─▶ mailbox, in step with the message ─▶ run(carrier, handler)           on this node
 *                         └─ encode ─▶ `context` of the signal ─ decode ─▶ mailbox ─▶ run(carrier, …)   to another
 *   spawn ▶ capture ─▶ carrier ─▶ run(carrier, the first turn of the new process)
 *   turn ──▶ run(undefined, …): what has no carrier has no context, whoever has woken the scheduler
 *
 * There is none without the option: each place asks once whether there is one, and that is all that it costs.
 *
 * Invariants: a carrier is small, texts only, and nobody else's: it was copied. Whatever the propagation throws, gives or leaves undone, the message is sent and
 * handled once, without its context. What `capture` itself sends carries nothing.
 */
import { PidmeshError } from '../errors.ts'
import type { NodeIdentity } from '../ids.ts'
import { RateLimitedLog } from '../observe/rate-limited-log.ts'
import type { Carrier, Clock, Logger, Propagation } from '../ports.ts'
import { reasonOfThrown } from '../reasons.ts'
import type { Slice } from '../slice.ts'
import { HandlerBody, type ProcessBody } from './body.ts'
import { runOnce } from './run-once.ts'

/** Runs a function in a context that was kept, as often as you like: gives what it gives, and throws what it throws. */
export type KeptContext = <T>(run: () => T) => T

/** Of all names and values together, in UTF-8. */
const MAX_CARRIER_BYTES = 1_024
const MAX_NAMES = 32

/** The codec of messages: a context is encoded as the message that it goes with. */
interface CarrierCodec {
  encode(carrier: Carrier): Slice
  decode(slice: Slice, sender: NodeIdentity): unknown
}

export interface PropagatorOptions {
  readonly propagation: Propagation
  readonly messages: CarrierCodec
  readonly log: Logger
  readonly clock: Clock
}

export class Propagator {
  private readonly propagation: Propagation
  private readonly messages: CarrierCodec
  private readonly log: RateLimitedLog
  private isCapturing = false

  constructor({ propagation, messages, log, clock }: PropagatorOptions) {
    this.propagation = propagation
    this.messages = messages
    this.log = new RateLimitedLog(log, clock)
  }

  /** The context that is active now. */
  capture(): Carrier | undefined {
    if (this.isCapturing) return undefined
    this.isCapturing = true
    try {
      const captured: unknown = this.propagation.capture()
      if (captured === undefined) return undefined
      const carrier = carrierOf(captured)
      if (typeof carrier === 'object') return carrier
      this.log.warn({ problem: carrier }, `a context does not go with its message: ${carrier}`)
    } catch (thrown) {
      this.onFault(thrown)
    } finally {
      this.isCapturing = false
    }
    return undefined
  }

  /** For another node. */
  captureEncoded(): Slice | undefined {
    return this.encode(this.capture())
  }

  encode(carrier: Carrier | undefined): Slice | undefined {
    return carrier === undefined ? undefined : this.messages.encode(carrier)
  }

  /** @throws PidmeshError `ERR_BAD_TERM` */
  decode(slice: Slice, sender: NodeIdentity): Carrier {
    const carrier = carrierOf(this.messages.decode(slice, sender))
    if (typeof carrier === 'object') return carrier
    throw new PidmeshError('ERR_BAD_TERM', `the context of a message: ${carrier}`)
  }

  /** Calls `work` once, in the context; without a carrier, in none. */
  run<T>(carrier: Carrier | undefined, work: () => T): T {
    return runOnce(
      (run) => this.propagation.run(carrier, run),
      work,
      (thrown) => this.onFault(thrown),
    )
  }

  /** What is active now, to run something in it later. */
  keep(): KeptContext {
    const carrier = this.capture()
    return (run) => this.run(carrier, run)
  }

  /** A body that begins in the context that is active now. */
  within(body: ProcessBody): ProcessBody {
    const carrier = this.capture()
    if (carrier === undefined) return body
    return body instanceof HandlerBody
      ? new HandlerBody((self) => this.run(carrier, () => body.init(self)))
      : (self): unknown => this.run(carrier, () => body(self))
  }

  private onFault(thrown: unknown): void {
    this.log.error({ reason: reasonOfThrown(thrown) }, 'the propagation of contexts has failed: a message goes without')
  }
}

/** A copy of it, or what is wrong with it. A getter in it may throw. */
function carrierOf(value: unknown): Carrier | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'it is no object of texts'
  const carrier: Record<string, string> = {}
  const entries = Object.entries(value)
  if (entries.length > MAX_NAMES) return `it has more than ${MAX_NAMES} names`
  let bytes = 0
  for (const [name, text] of entries) {
    if (typeof text !== 'string' || name === '__proto__') return 'it is no object of texts'
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text)
    carrier[name] = text
  }
  return bytes <= MAX_CARRIER_BYTES ? carrier : `it has ${bytes} bytes, where ${MAX_CARRIER_BYTES} are allowed`
}
