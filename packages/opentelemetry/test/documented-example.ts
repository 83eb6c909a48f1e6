import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { call, GenServer, start, type Call } from '@pidmesh/gen-server'
import { instrument, openTelemetry } from '@pidmesh/opentelemetry'
import { startNode } from '@pidmesh/runtime'

// OpenTelemetry itself, once a program: what `NodeSDK` does. This exporter keeps the spans.
const exporter = new InMemorySpanExporter()
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
propagation.setGlobalPropagator(new W3CTraceContextPropagator())
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))

// Each node lets the context travel, and makes spans.
const options = { cookie: 'a-shared-secret', propagation: openTelemetry(), logLevel: 'silent' } as const
const shop = await startNode({ ...options, name: 'shop@127.0.0.1' })
const store = await startNode({ ...options, name: 'store@127.0.0.1', seeds: [shop.address] })
instrument(shop)
instrument(store)

class Stock extends GenServer<Call<{ type: 'take'; item: string }, 'taken'>> {
  override handleCall(request: Call<{ type: 'take'; item: string }, 'taken'>) {
    trace.getActiveSpan()?.setAttribute('item', request.item) // the span of this call
    return this.reply(request, 'taken')
  }
}

const stock = await start(store, Stock, [])
await trace.getTracer('shop').startActiveSpan('POST /orders', async (span) => {
  await call(shop, stock, { type: 'take', item: 'tea' })
  span.end()
})

/** `Stock/take` on node `store` is the child of `call take` on node `shop`, and that of `POST /orders`. */
export const spans = exporter.getFinishedSpans() // in the order of their ends

await store.stop()
await shop.stop()
