import { context, propagation, trace } from '@opentelemetry/api'
import { readFileSync } from 'node:fs'
import { afterAll, expect, it } from 'vitest'

afterAll(() => {
  trace.disable()
  propagation.disable()
  context.disable()
})

it('the example in docs/telemetry.md is one that runs, and does what it says', async () => {
  const example = readFileSync(new URL('documented-example.ts', import.meta.url), 'utf8')
  const document = readFileSync(new URL('../../../docs/telemetry.md', import.meta.url), 'utf8')
  expect(document).toContain(`\`\`\`ts\n${example}\`\`\`\n`)
  const { spans } = await import('./documented-example.ts')
  const [handled, made, order] = spans
  expect(spans.map(({ name }) => name)).toEqual(['Stock/take', 'call take', 'POST /orders'])
  expect(handled?.attributes).toMatchObject({ item: 'tea', 'pidmesh.node': 'store@127.0.0.1' })
  expect(handled?.parentSpanContext?.spanId).toBe(made?.spanContext().spanId)
  expect(made?.parentSpanContext?.spanId).toBe(order?.spanContext().spanId)
})
