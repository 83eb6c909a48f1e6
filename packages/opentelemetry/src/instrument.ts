/**
 * Spans of calls and of the servers that handle them.
 *
 *   call ─▶ CLIENT span ─ its context goes with the request ─▶ SERVER span around handleCall ─▶ whatever that calls and casts
 *   cast ──────────────── the sender's context goes along ───▶ CONSUMER span around handleCast ─▶ 〃
 *
 * A span ends with its operation, a promise of the callback included. Other messages (`handleInfo`) get no span: they are handled in the context of their sender.
 */
import { context, SpanKind, SpanStatusCode, trace, type Span, type Tracer } from '@opentelemetry/api'
import { telemetry, type Operation, type TelemetryEvent } from '@pidmesh/gen-server'
import { contextOf, formatReason, isErrorReason, PidmeshError, type Caller, type ExitReason } from '@pidmesh/runtime'

export interface InstrumentOptions {
  /** Makes the spans. @default the registered tracer provider's, with the name `@pidmesh/opentelemetry` */
  readonly tracer?: Tracer | undefined
}

/**
 * Gives each `call` that this node makes a span, and each call and cast that its servers handle. Parents are right across nodes that have `propagation:
 * openTelemetry()`.
 * @returns what ends it; spans that have begun end as they would
 * @throws PidmeshError `ERR_BAD_ARGUMENT` if the node was started without `propagation`: spans would have whatever parents
 */
export function instrument(caller: Caller, { tracer }: InstrumentOptions = {}): () => void {
  if (contextOf(caller).keepContext() === undefined)
    throw new PidmeshError('ERR_BAD_ARGUMENT', 'the node was started without propagation: openTelemetry()')
  const spans = tracer ?? trace.getTracer('@pidmesh/opentelemetry')
  return telemetry.instrument(caller, (operation, run) => {
    if (operation.type === 'handle_info') {
      run()
      return undefined
    }
    const span = start(spans, operation)
    context.with(trace.setSpan(context.active(), span), run)
    return (event) => end(span, event)
  })
}

function start(tracer: Tracer, operation: Operation): Span {
  const { node, request } = operation
  const common = { 'rpc.system': 'pidmesh', 'rpc.method': request, 'pidmesh.node': node }
  if (operation.type === 'call') {
    const { pid, server } = operation
    const attributes = { ...common, 'pidmesh.pid': pid.toString(), 'pidmesh.server': server }
    return tracer.startSpan(`call ${request}`, { kind: SpanKind.CLIENT, attributes })
  }
  const { pid, module = 'server', label } = operation.server
  const attributes = {
    ...common,
    'rpc.service': module,
    'pidmesh.pid': pid.toString(),
    ...(label === undefined ? {} : { 'pidmesh.label': label }),
  }
  const kind = operation.type === 'handle_call' ? SpanKind.SERVER : SpanKind.CONSUMER
  return tracer.startSpan(`${module}/${request}`, { kind, attributes })
}

function end(span: Span, event: TelemetryEvent): void {
  if ('outcome' in event) {
    span.setAttribute('pidmesh.outcome', event.outcome)
    const isFine = event.outcome === 'reply' || event.outcome === 'noreply' || event.outcome === 'stop'
    if (!isFine) fail(span, event.outcome, event.reason)
  }
  span.end()
}

function fail(span: Span, outcome: string, reason: ExitReason | undefined): void {
  if (reason !== undefined && isErrorReason(reason)) {
    const { name, message, stack } = reason.error
    span.recordException({ name, message, ...(stack === undefined ? {} : { stack }) })
  }
  span.setStatus({ code: SpanStatusCode.ERROR, message: reason === undefined ? outcome : formatReason(reason) })
}
