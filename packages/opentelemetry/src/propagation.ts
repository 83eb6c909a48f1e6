/**
 * OpenTelemetry's context as what travels with messages: through the propagator and the context manager that the program has registered with the API.
 */
import { context, diag, propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { RateLimitedLog, type LogFields, type Propagation } from '@pidmesh/runtime'

/** What a node takes along with a message: of all names and values together, in UTF-8. */
const MAX_BYTES = 1_024

/**
 * The `propagation` option of a node. The context is what `context.active()` gives where a message is sent, in the form of the registered propagator: the span
 * (`traceparent`), and baggage if there is any.
 *
 * Without a registered context manager, and a propagator, nothing travels. Where baggage makes it more than 1 KiB it stays behind, and `diag` is told, a hundred times a second at most: the trace goes on.
 * @example const node = await startNode({ name, cookie, propagation: openTelemetry() })
 */
export function openTelemetry(): Propagation {
  // What is too much for one message is so for each that comes of the same request.
  const log = new RateLimitedLog(toDiag, { monotonicMs: () => performance.now() })
  return {
    capture: () => {
      const active = context.active()
      if (active === ROOT_CONTEXT) return undefined
      const carrier: Record<string, string> = {}
      propagation.inject(active, carrier)
      if ('baggage' in carrier) {
        const bytes = bytesOf(carrier)
        if (bytes > MAX_BYTES) {
          log.warn(
            { bytes },
            `baggage does not go with its message: with it the context has more than ${MAX_BYTES} bytes`,
          )
          delete carrier['baggage']
        }
      }
      // An object that is empty would travel all the same.
      return Object.keys(carrier).length === 0 ? undefined : carrier
    },
    run: (carrier, run) =>
      context.with(carrier === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, carrier), run),
  }
}

const tell = (fields: LogFields, message: string): void => diag.warn(message, fields)
const toDiag = { debug: tell, info: tell, warn: tell, error: tell }

function bytesOf(carrier: Readonly<Record<string, string>>): number {
  return Object.entries(carrier).reduce(
    (bytes, [name, value]) => bytes + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  )
}
