/**
 * docs/metrics.md is what there is.
 */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Definition } from '../src/definition.ts'
import { GATEWAY_METRICS } from '../src/gateway-metrics.ts'
import { NODE_METRICS } from '../src/node-metrics.ts'
import { TABLE_METRICS } from '../src/table-metrics.ts'
import { WAY_METRICS } from '../src/way-metrics.ts'

const all: readonly Pick<Definition<never>, 'name' | 'type' | 'help' | 'labels'>[] = [
  ...NODE_METRICS,
  ...TABLE_METRICS,
  ...WAY_METRICS,
  ...GATEWAY_METRICS,
]

it('docs/metrics.md lists every metric with its type, labels and help, and no other', () => {
  const text = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| `pidmesh_'))
  const expected = all.map(
    ({ name, type, labels, help }) =>
      `| \`pidmesh_${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  )
  expect(rows).toEqual(expected)
})

it('names and units are those of Prometheus', () => {
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
  for (const { name, type, help, labels } of all) {
    expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    expect(name).not.toMatch(/(_ms|_milliseconds|_kb|_count|_sum|_bucket)($|_total$)/)
    if (type === 'histogram') expect(name).toMatch(/_(seconds|bytes|messages)$/)
    expect(help).toMatch(/^[A-Z].*\.$/)
    // Nothing that clients or other nodes choose. (`node` is this one.)
    for (const label of labels)
      expect(['table', 'state', 'reason', 'status', 'code', 'result', 'node']).toContain(label)
  }
})
