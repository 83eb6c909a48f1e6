/**
 * `pnpm bench [group] [--rounds N] [--quick]`: runs a group's workloads, prints a table with ratios, and writes bench/results/<group>.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { measure, type Figure } from './measure.ts'
import { runtimeWorkloads } from './runtime.ts'

const groups = { runtime: runtimeWorkloads }

const { values, positionals } = parseOptions()
const group = positionals[0] ?? 'runtime'
if (!Object.hasOwn(groups, group))
  fail(`there is no group ${JSON.stringify(group)}; there is: ${Object.keys(groups).join(', ')}`)
const rounds = values.quick ? 1 : Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1) fail(`--rounds takes a number of 1 or more, not ${values.rounds}`)

const { workloads, end } = await groups[group as keyof typeof groups]()
const figures: Figure[] = []
for (const workload of workloads) {
  console.log(`${workload.name} …`)
  figures.push(await measure(workload, rounds))
}
await end()

for (const { name, unit, ours, peers } of figures) {
  console.log(`\n${name}`)
  console.log(`  ours  ${format(ours.median)} ${unit}  (${format(ours.min)} … ${format(ours.max)})`)
  for (const [peer, spread] of Object.entries(peers)) {
    console.log(`  ${peer}  ${format(spread.median)} ${unit}  → ours is ${(ours.median / spread.median).toFixed(1)} ×`)
  }
}

const results = new URL('../results/', import.meta.url)
mkdirSync(results, { recursive: true })
const report = {
  group,
  date: new Date().toISOString(),
  node: process.version,
  machine: { cores: cpus().length, model: cpus()[0]?.model },
  rounds,
  figures,
}
writeFileSync(new URL(`${group}.json`, results), `${JSON.stringify(report, undefined, 2)}\n`)

function format(rate: number): string {
  return Math.round(rate).toLocaleString('en').padStart(12)
}

function parseOptions() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { rounds: { type: 'string', default: '5' }, quick: { type: 'boolean', default: false } },
    })
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}

function fail(problem: string): never {
  console.error(`bench: ${problem}`)
  process.exit(2)
}
