/**
 * OpenTelemetry's context as what travels with messages: through the propagator and the context manager that the program has registered with the API.
 */
import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import type { Propagation } from '@pidmesh/runtime'

/**
 * The `propagation` option of a node. The context is what `context.active()` gives where a message is sent, in the form of the registered propagator: the span
 * (`traceparent`), and baggage if there is any.
 *
 * Without a registered context manager, and a propagator, nothing travels. Of a context that takes more than 1 KiB nothing travels either: baggage, mostly.
 * @example const node = await startNode({ name, cookie, propagation: openTelemetry() })
 */
export function openTelemetry(): Propagation {
  return {
    capture: () => {
      const active = context.active()
      if (active === ROOT_CONTEXT) return undefined
      const carrier: Record<string, string> = {}
      propagation.inject(active, carrier)
      // An object that is empty would travel all the same.
      return Object.keys(carrier).length === 0 ? undefined : carrier
    },
    run: (carrier, run) =>
      context.with(carrier === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, carrier), run),
  }
}
