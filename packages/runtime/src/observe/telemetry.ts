/**
 * Telemetry: what libraries tell of what they do on this node, to whoever has attached himself. The runtime passes it on, and knows nothing of it: the events of
 * servers and calls are `@pidmesh/gen-server`'s.
 *
 *   library ─ active? ─ undefined: nobody listens, and that is all
 *                    └─ tell(event) ─────────────────────────────────▶ listeners
 *                    └─ begin(operation) ─▶ run(work) ─▶ instruments ─▶ work, within all of them
 *                                       └─▶ end(event) ─▶ what the instruments gave for it, listeners
 *
 * State: who is attached. Invariants: each is called synchronously, and what it does itself, at once, is not told; one that throws is logged, stays, and harms
 * nobody; work runs exactly once, whatever instruments do.
 */
import type { Clock, Logger } from '../ports.ts'
import { runOnce } from '../process/run-once.ts'
import { reasonOfThrown } from '../reasons.ts'
import { RateLimitedLog } from './rate-limited-log.ts'

/** Is told of events. */
export type EventListener<Event> = (event: Event) => void

/** Must call `run` once, before it returns: what it runs is the operation. Gives what is to be told of its end, if anything. */
export type Instrument<Operation, Event> = (operation: Operation, run: () => void) => EventListener<Event> | void

/** Of what type the events are is known to those who tell them. */
type AnyListener = EventListener<unknown>
type AnyInstrument = Instrument<unknown, unknown>

export class Telemetry {
  /** It, if anybody is attached: what a library asks before it does anything for telemetry. */
  active: Telemetry | undefined = undefined
  private readonly clock: Pick<Clock, 'monotonicMs'>
  private readonly log: RateLimitedLog
  private listeners: readonly AnyListener[] = []
  private instruments: readonly AnyInstrument[] = []
  private isTelling = false

  constructor(log: Logger, clock: Pick<Clock, 'monotonicMs'>) {
    this.clock = clock
    this.log = new RateLimitedLog(log, clock)
  }

  /** @returns what detaches it */
  attach(listener: AnyListener): () => void {
    // One that is attached twice is told twice.
    const attached: AnyListener = (event) => listener(event)
    this.listeners = [...this.listeners, attached]
    this.judge()
    return () => {
      this.listeners = this.listeners.filter((one) => one !== attached)
      this.judge()
    }
  }

  /** The first that is attached is the outermost. @returns what detaches it; operations that it has seen begin it sees end */
  instrument(instrument: AnyInstrument): () => void {
    const attached: AnyInstrument = (operation, run) => instrument(operation, run)
    this.instruments = [...this.instruments, attached]
    this.judge()
    return () => {
      this.instruments = this.instruments.filter((one) => one !== attached)
      this.judge()
    }
  }

  tell(event: object): void {
    if (this.isTelling) return
    this.isTelling = true
    try {
      for (const listener of this.listeners) this.call(listener, event)
    } finally {
      this.isTelling = false
    }
  }

  /** Something begins that takes time. */
  begin(operation: object): Observation {
    return new Observation(this, operation)
  }

  /** Milliseconds of the node's monotonic clock. */
  monotonicMs(): number {
    return this.clock.monotonicMs()
  }

  /** For `Observation`: runs the work within the instruments, and collects what is to be told of its end. */
  within<T>(operation: object, work: () => T, ends: AnyListener[]): T {
    if (this.isTelling) return work()
    const { instruments } = this
    const from = (index: number): T => {
      const instrument = instruments[index]
      if (instrument === undefined) return this.whileTelling(false, work)
      const around = (run: () => void): unknown => {
        const end: unknown = instrument(operation, run)
        if (typeof end === 'function') ends.push(end as AnyListener)
        return end
      }
      return runOnce(around, () => from(index + 1), this.onFault)
    }
    return this.whileTelling(true, () => from(0))
  }

  /** For `Observation`. */
  tellEnd(event: object, ends: readonly AnyListener[]): void {
    const wasTelling = this.isTelling
    this.isTelling = true
    try {
      // The innermost first.
      for (const end of ends) this.call(end, event)
    } finally {
      this.isTelling = wasTelling
    }
    this.tell(event)
  }

  private whileTelling<T>(isTelling: boolean, work: () => T): T {
    const before = this.isTelling
    this.isTelling = isTelling
    try {
      return work()
    } finally {
      this.isTelling = before
    }
  }

  private call(listener: AnyListener, event: object): void {
    try {
      const outcome: unknown = listener(event)
      if (outcome instanceof Promise) outcome.catch(this.onFault)
    } catch (thrown) {
      this.onFault(thrown)
    }
  }

  private readonly onFault = (thrown: unknown): void => {
    this.log.error({ reason: reasonOfThrown(thrown) }, 'a listener of telemetry has failed')
  }

  private judge(): void {
    this.active = this.listeners.length + this.instruments.length > 0 ? this : undefined
  }
}

/** An operation that is under way. */
export class Observation {
  private readonly telemetry: Telemetry
  private readonly operation: object
  private readonly startMs: number
  private readonly ends: AnyListener[] = []

  constructor(telemetry: Telemetry, operation: object) {
    this.telemetry = telemetry
    this.operation = operation
    this.startMs = telemetry.monotonicMs()
  }

  /** Milliseconds since it began. */
  get durationMs(): number {
    return this.telemetry.monotonicMs() - this.startMs
  }

  /** Runs what it is, or its beginning if it goes on by a promise. Gives what it gives, and throws what it throws. */
  run<T>(work: () => T): T {
    return this.telemetry.within(this.operation, work, this.ends)
  }

  /** It is over, and this is the event that tells of it. */
  end(event: object): void {
    this.telemetry.tellEnd(event, this.ends)
  }
}
