/**
 * OpenTelemetry's SDK as a program sets it up, with an exporter that keeps what it gets.
 */
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'
import { afterAll, afterEach, beforeAll } from 'vitest'

export class Sdk {
  private readonly exporter = new InMemorySpanExporter()

  /** Those that have ended, in the order of their ends. */
  get spans(): readonly ReadableSpan[] {
    return this.exporter.getFinishedSpans()
  }

  /** The one of this name; there must be one only. */
  span(name: string): ReadableSpan {
    const [span, ...others] = this.spans.filter((one) => one.name === name)
    if (span === undefined || others.length > 0)
      throw new Error(`not one span ${name} among ${this.spans.map((one) => one.name).join(', ')}`)
    return span
  }

  register(): void {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(
      new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
    )
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.exporter)] }))
  }

  reset(): void {
    this.exporter.reset()
  }

  unregister(): void {
    trace.disable()
    propagation.disable()
    context.disable()
  }
}

/** Registered for the tests of the file, and empty at the beginning of each. */
export function useSdk(): Sdk {
  const sdk = new Sdk()
  beforeAll(() => sdk.register())
  afterEach(() => sdk.reset())
  afterAll(() => sdk.unregister())
  return sdk
}
