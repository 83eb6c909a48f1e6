/**
 * One trace across processes and nodes, with the right parents.
 */
import { context, diag, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import {
  call,
  cast,
  GenServer,
  GenStatem,
  start,
  telemetry,
  type Call,
  type ServerPid,
  type StatemEvent,
} from '@pidmesh/gen-server'
import { instrument, openTelemetry } from '@pidmesh/opentelemetry'
import type { Node, Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { useSdk } from './sdk.ts'

const sdk = useSdk()

type StockCall =
  | Call<{ type: 'take' }, 'taken'>
  | Call<{ type: 'fail' }, never>
  | Call<{ type: 'never' }, never>
  | Call<{ type: 'baggage' }, string | undefined>
type AuditCast = { type: 'note' }

interface DoorTypes {
  state: 'shut' | 'ajar' | 'open'
  calls: Call<{ type: 'enter' }, 'in'>
  casts: { type: 'open' }
  internal: string
}

class Audit extends GenServer<never, AuditCast> {
  override handleCast() {
    trace.getTracer('test').startSpan('written').end()
  }
}

class Stock extends GenServer<StockCall> {
  private audit: ServerPid<never, AuditCast> | undefined
  override init(audit: ServerPid<never, AuditCast>) {
    this.audit = audit
  }
  override async handleCall(request: StockCall) {
    switch (request.type) {
      case 'take':
        await this.self.awaitDown(this.pid, 5).catch(() => undefined)
        if (this.audit !== undefined) this.cast(this.audit, { type: 'note' })
        return this.reply(request, 'taken')
      case 'fail':
        throw new RangeError('out of stock')
      case 'never':
        return this.noreply()
      case 'baggage':
        return this.reply(request, propagation.getActiveBaggage()?.getEntry('user')?.value)
    }
  }
}

let cluster: TestCluster
let a: Node
let b: Node
let c: Node
let stock: ServerPid<StockCall, never>

beforeEach(async () => {
  cluster = new TestCluster()
  const start1 = (name: string): Promise<Node> => cluster.start(name, { propagation: openTelemetry() })
  ;[a, b, c] = [await start1('a'), await start1('b'), await start1('c')]
  await cluster.advance(100)
  const audit = await cluster.run(start(c, Audit, []))
  stock = await cluster.run(start(b, Stock, [audit]))
  for (const node of [a, b, c]) instrument(node)
})

afterEach(async () => {
  await cluster.stop()
})

const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId
const idOf = (span: ReadableSpan): string => span.spanContext().spanId

/** Runs it within a span of this name, which is the root of its trace. */
async function within<T>(name: string, run: () => Promise<T>): Promise<T> {
  const span = trace.getTracer('test').startSpan(name, {}, ROOT_CONTEXT)
  try {
    return await cluster.run(context.with(trace.setSpan(ROOT_CONTEXT, span), run))
  } finally {
    span.end()
  }
}

/** Somebody wants to enter, and two open, one after the other. */
async function visit(door: ServerPid<DoorTypes['calls'], DoorTypes['casts']>): Promise<void> {
  const entered = within('visit', () => call(a, door, { type: 'enter' }))
  await cluster.advance(20)
  for (const porter of ['first', 'second']) {
    await within(porter, async () => cast(c, door, { type: 'open' }))
    await cluster.advance(20)
  }
  expect(await entered).toBe('in')
}

describe('A call on node a, handled on b, which casts to c', () => {
  it('is one trace, and each span has the right parent', async () => {
    await within('request', () => call(a, stock, { type: 'take' }))
    await cluster.advance(10)
    const [request, made, handled, noted, written] = [
      sdk.span('request'),
      sdk.span('call take'),
      sdk.span('Stock/take'),
      sdk.span('Audit/note'),
      sdk.span('written'),
    ]
    expect(sdk.spans).toHaveLength(5)
    expect(new Set(sdk.spans.map((span) => span.spanContext().traceId)).size).toBe(1)
    expect([made, handled, noted, written].map(parentOf)).toEqual([request, made, handled, noted].map(idOf))
    expect([made, handled, noted].map(({ kind }) => kind)).toEqual([
      SpanKind.CLIENT,
      SpanKind.SERVER,
      SpanKind.CONSUMER,
    ])
    expect(handled.parentSpanContext?.isRemote).toBe(true)
    expect(made.attributes).toMatchObject({
      'rpc.system': 'pidmesh',
      'rpc.method': 'take',
      'pidmesh.node': a.name,
      'pidmesh.pid': a.self.pid.toString(),
      'pidmesh.server': stock.toString(),
      'pidmesh.outcome': 'reply',
    })
    expect(handled.attributes).toMatchObject({
      'rpc.service': 'Stock',
      'rpc.method': 'take',
      'pidmesh.node': b.name,
      'pidmesh.pid': stock.toString(),
      'pidmesh.outcome': 'reply',
    })
    expect(noted.attributes).toMatchObject({ 'pidmesh.node': c.name, 'pidmesh.outcome': 'noreply' })
    expect(sdk.spans.map(({ status }) => status.code)).toEqual(sdk.spans.map(() => SpanStatusCode.UNSET))
  })

  it('two at the same time are two traces, of which none gets into the other', async () => {
    await Promise.all([
      within('one', () => call(a, stock, { type: 'take' })),
      within('two', () => call(c, stock, { type: 'take' })),
    ])
    await cluster.advance(10)
    const traceOf = (span: ReadableSpan): string => span.spanContext().traceId
    for (const root of ['one', 'two']) {
      const names = sdk.spans.filter((span) => traceOf(span) === traceOf(sdk.span(root))).map(({ name }) => name)
      expect(names.sort()).toEqual(['Audit/note', 'Stock/take', 'call take', root, 'written'])
    }
  })

  it('without a span that is active each call begins a trace of its own', async () => {
    await cluster.run(call(a, stock, { type: 'take' }))
    await cluster.run(call(a, stock, { type: 'take' }))
    await cluster.advance(10)
    const made = sdk.spans.filter(({ name }) => name === 'call take')
    expect(made.map(parentOf)).toEqual([undefined, undefined])
    expect(new Set(sdk.spans.map((span) => span.spanContext().traceId)).size).toBe(2)
  })
})

describe('Failures', () => {
  it('a server that crashes: both spans say so, and the server’s has the error', async () => {
    await within('request', () => call(a, stock, { type: 'fail' }).catch(() => undefined))
    await cluster.advance(10)
    const handled = sdk.span('Stock/fail')
    expect(handled.attributes['pidmesh.outcome']).toBe('crash')
    expect(handled.status).toEqual({ code: SpanStatusCode.ERROR, message: 'RangeError: out of stock' })
    expect(handled.events).toMatchObject([
      {
        name: 'exception',
        attributes: {
          'exception.type': 'RangeError',
          'exception.message': 'out of stock',
          'exception.stacktrace': expect.stringContaining('handleCall') as unknown,
        },
      },
    ])
    expect(sdk.span('call fail').attributes['pidmesh.outcome']).toBe('exit')
    expect(sdk.span('call fail').status.code).toBe(SpanStatusCode.ERROR)
  })

  it('a timeout is the client’s', async () => {
    await within('request', () => call(a, stock, { type: 'never' }, 10).catch(() => undefined))
    expect(sdk.span('call never').status).toEqual({ code: SpanStatusCode.ERROR, message: 'timeout' })
    expect(sdk.span('Stock/never').status.code).toBe(SpanStatusCode.UNSET)
  })
})

it('a server that ends as it answers has not failed, and has its label in its span', async () => {
  class Last extends GenServer<Call<{ type: 'bye' }, 'bye'>> {
    override handleCall(request: Call<{ type: 'bye' }, 'bye'>) {
      return this.stopAfterReply(request, 'bye', 'normal')
    }
  }
  const last = await cluster.run(start(b, Last, [], { label: 'the last' }))
  await within('request', () => call(a, last, { type: 'bye' }))
  const { attributes, status } = sdk.span('Last/bye')
  expect(attributes).toMatchObject({ 'pidmesh.label': 'the last', 'pidmesh.outcome': 'stop' })
  expect(status.code).toBe(SpanStatusCode.UNSET)
})

describe('What travels', () => {
  const withBaggage = (value: string) => (): Promise<unknown> =>
    context.with(propagation.setBaggage(context.active(), propagation.createBaggage({ user: { value } })), () =>
      call(a, stock, { type: 'baggage' }),
    )

  it('is baggage, too', async () => {
    expect(await within('request', withBaggage('42'))).toBe('42')
  })

  /** What `diag` is told of baggage. */
  const told = (): readonly string[] => {
    const lines: string[] = []
    const ignore = (): void => undefined
    const warn = (text: string): unknown => text.startsWith('baggage does not go with its message') && lines.push(text)
    diag.setLogger({ verbose: ignore, debug: ignore, info: ignore, error: ignore, warn })
    onTestFinished(() => diag.disable())
    return lines
  }

  it('is the trace without its baggage, if that makes it more than 1 KiB: it is told to `diag`', async () => {
    const lines = told()
    expect(await within('request', withBaggage('x'.repeat(2_000)))).toBeUndefined()
    expect(parentOf(sdk.span('Stock/baggage'))).toBe(idOf(sdk.span('call baggage')))
    expect(lines).not.toEqual([])
    expect(cluster.log.lines.filter(({ message }) => message.startsWith('a context does not go'))).toEqual([])
  })

  it('does not tell `diag` of each message that goes without its baggage', () => {
    const lines = told()
    const baggage = propagation.createBaggage({ user: { value: 'x'.repeat(2_000) } })
    const { capture } = openTelemetry()
    context.with(propagation.setBaggage(context.active(), baggage), () => {
      for (let n = 0; n < 250; n++) capture()
    })
    expect(lines).toHaveLength(100)
  })

  it('is baggage as long as all names and values together have 1,024 bytes', () => {
    told()
    const travels = (length: number): boolean => {
      const baggage = propagation.createBaggage({ user: { value: 'x'.repeat(length - 'baggageuser='.length) } })
      const active = propagation.setBaggage(ROOT_CONTEXT, baggage)
      return context.with(active, () => openTelemetry().capture()) !== undefined
    }
    expect([1_024, 1_025].map(travels)).toEqual([true, false])
  })

  it('is all the context that a message is handled in, whatever is active there', () => {
    const { run } = openTelemetry()
    const spans: unknown[] = []
    const active = trace.setSpan(ROOT_CONTEXT, trace.getTracer('test').startSpan('active'))
    context.with(active, () => {
      for (const carrier of [undefined, { baggage: 'user=42' }]) run(carrier, () => spans.push(trace.getActiveSpan()))
    })
    expect(spans).toEqual([undefined, undefined])
  })

  it('is nothing, if no context is active, or the propagator has nothing to say', () => {
    expect(openTelemetry().capture()).toBeUndefined()
    const active = ROOT_CONTEXT.setValue(Symbol('x'), 1)
    expect(context.with(active, () => openTelemetry().capture())).toBeUndefined()
  })
})

describe('instrument', () => {
  it('gives no span to other messages: they are handled in the context of their sender', async () => {
    let active: string | undefined
    class Info extends GenServer {
      override handleInfo() {
        active = trace.getActiveSpan()?.spanContext().spanId
      }
    }
    const info: Pid = await cluster.run(start(b, Info, []))
    await within('request', async () => void a.send(info, 'x'))
    await cluster.advance(10)
    expect(sdk.spans.map(({ name }) => name)).toEqual(['request'])
    expect(active).toBe(idOf(sdk.span('request')))
  })

  it.each(['at once', 'after a while'])(
    'an event that a state machine postpones is handled in its own context, not in that of what has changed the state: %s',
    async (when) => {
      const seen: [event: string, span: string | undefined][] = []
      class Door extends GenStatem<DoorTypes> {
        override init() {
          return this.ok('shut')
        }
        override handleEvent(event: StatemEvent<DoorTypes>, state: DoorTypes['state']) {
          seen.push([event.type, trace.getActiveSpan()?.spanContext().spanId])
          const judge = () => this.judge(event, state)
          return when === 'at once' ? judge() : this.self.awaitDown(this.pid, 5).then(judge, judge)
        }
        private judge(event: StatemEvent<DoorTypes>, state: DoorTypes['state']) {
          const creak = this.nextEvent({ type: 'internal', content: 'creak' })
          if (event.type === 'cast') return this.nextState('open', creak)
          if (event.type !== 'call') return this.keepState()
          return state === 'shut'
            ? this.keepState(this.postpone())
            : this.keepState(this.reply(event.request, 'in'), creak)
        }
      }
      const door = await cluster.run(start(b, Door, []))
      const entered = within('visit', () => call(a, door, { type: 'enter' }))
      await cluster.advance(20)
      await within('porter', async () => cast(c, door, { type: 'open' }))
      expect(await entered).toBe('in')
      await cluster.advance(20)
      const [visited, opened] = [sdk.span('Door/enter'), sdk.span('Door/open')].map(idOf)
      expect(seen).toEqual([
        ['call', visited],
        ['cast', opened],
        ['internal', opened],
        ['call', visited],
        ['internal', visited],
      ])
    },
  )

  it('an event that is postponed again and again is handled in its own context each time', async () => {
    const seen: [state: string, span: string | undefined][] = []
    class Door extends GenStatem<DoorTypes> {
      override init() {
        return this.ok('shut')
      }
      override handleEvent(event: StatemEvent<DoorTypes>, state: DoorTypes['state']) {
        if (event.type === 'cast') return this.nextState(state === 'shut' ? 'ajar' : 'open')
        if (event.type !== 'call') return this.keepState()
        seen.push([state, trace.getActiveSpan()?.spanContext().spanId])
        return this.keepState(state === 'open' ? this.reply(event.request, 'in') : this.postpone())
      }
    }
    await visit(await cluster.run(start(b, Door, [])))
    const visited = idOf(sdk.span('Door/enter'))
    expect(seen).toEqual(['shut', 'ajar', 'open'].map((state) => [state, visited]))
  })

  it('an event that is inserted is handled in the context of what inserts it, also if it is one object for all of them', async () => {
    const creak: StatemEvent<DoorTypes> = { type: 'internal', content: 'creak' }
    const seen: (string | undefined)[] = []
    class Door extends GenStatem<DoorTypes> {
      override init() {
        return this.ok('shut')
      }
      override handleEvent(event: StatemEvent<DoorTypes>, state: DoorTypes['state']) {
        if (event.type === 'internal') seen.push(trace.getActiveSpan()?.spanContext().spanId)
        if (event.type === 'cast') return this.nextState('open', this.nextEvent(creak))
        if (event.type !== 'call') return this.keepState()
        return state === 'shut'
          ? this.keepState(this.postpone())
          : this.keepState(this.reply(event.request, 'in'), this.nextEvent(creak))
      }
    }
    await visit(await cluster.run(start(b, Door, [])))
    const opened = sdk.spans.filter(({ name }) => name === 'Door/open').map(idOf)
    expect(seen).toEqual([opened[0], idOf(sdk.span('Door/enter')), opened[1]])
  })

  it('can be ended: spans that have begun end, and there are no more', async () => {
    const end = instrument(a, { tracer: trace.getTracer('another') })
    const asked = within('request', () => call(a, stock, { type: 'take' }))
    end()
    await asked
    const made = sdk.spans.filter(({ name }) => name === 'call take')
    expect(made.map((span) => span.instrumentationScope.name).sort()).toEqual(['@pidmesh/opentelemetry', 'another'])
    sdk.reset()
    await cluster.run(call(a, stock, { type: 'take' }))
    expect(sdk.spans.filter(({ name }) => name === 'call take')).toHaveLength(1)
  })

  it('a node without a propagation is refused', async () => {
    const without = await cluster.start('without')
    expect(() => instrument(without)).toThrow(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    expect(without.self.telemetry).toBeUndefined()
  })

  it('goes beside listeners', async () => {
    const types: string[] = []
    telemetry.attach(a, ({ type }) => void types.push(type))
    await cluster.run(call(a, stock, { type: 'baggage' }))
    expect(types).toEqual(['call_made'])
  })

  it('is not fooled by a cast from outside of any span', async () => {
    const audit = await cluster.run(start(b, Audit, []))
    cast(a, audit, { type: 'note' })
    await cluster.advance(10)
    expect(parentOf(sdk.span('Audit/note'))).toBeUndefined()
    expect(parentOf(sdk.span('written'))).toBe(idOf(sdk.span('Audit/note')))
  })
})
