/**
 * `pnpm bench <group>`: takes a group's figures, of ours and of the peers that are installed, prints a table, and writes bench/results/<group>.json.
 *
 *   options ─▶ group (plan) ─▶ prepare and start children ─▶ measure ─▶ figures ─▶ table, report
 *
 * Exit code: 0 if all was measured, whether or not targets hold; 1 if a contestant failed; 2 for a bad option; 128 + the signal's number after one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Contestant, endAll, killAll } from './contestant.ts'
import { figureOf, type Figure } from './figures.ts'
import { OURS, type FigurePlan, type Group } from './group.ts'
import { distribution } from './groups/distribution.ts'
import { gateway } from './groups/gateway.ts'
import { genServer } from './groups/gen-server.ts'
import { globalEts } from './groups/global-ets.ts'
import { runtime } from './groups/runtime.ts'
import { ways } from './groups/ways.ts'
import { measure, takenTogether, type Runner } from './measure.ts'
import { readOptions, usage, UsageError, type Options } from './options.ts'
import { commit, machine, writeReport } from './report.ts'
import { formatSpread, summaryOf, tableOf } from './table.ts'

const groups: readonly Group[] = [runtime, genServer, distribution, globalEts, gateway, ways]

const folder = mkdtempSync(join(tmpdir(), 'pidmesh-bench-'))
let interrupted = false
process.on('exit', () => {
  killAll()
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void onSignal(signal))

try {
  process.exitCode = await main()
} catch (error) {
  // Children that are ended under way fail: after a signal that is no news.
  if (!interrupted) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
} finally {
  await endAll()
}

async function main(): Promise<number> {
  const names = groups.map(({ name }) => name)
  const options = readOptions(process.argv.slice(2), names)
  if (options === 'help') {
    console.log(usage(names))
    return 0
  }
  const group = groups.find(({ name }) => name === options.group)
  if (group === undefined) throw new Error(`group ${options.group} is gone`)
  await run(group, chosen(group, options.only), options)
  return 0
}

async function run(group: Group, plans: readonly FigurePlan[], { rounds, quick, only }: Options): Promise<void> {
  const date = new Date().toISOString()
  const runners = await startAll(group)
  const peers = group.contestants.map(({ name }) => name).filter((name) => name !== OURS)
  const missing = peers.filter((name) => !runners.has(name))
  const versions = versionsOf(runners)
  console.log(
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(' · '),
  )
  if (missing.length > 0) console.log(`not installed: ${missing.join(', ')}`)
  for (const note of group.notes ?? []) console.log(note)

  const figures: Figure[] = []
  const longest = Math.max(...group.contestants.map(({ name }) => name.length))
  for (const together of takenTogether(plans)) {
    const samples = await measure(together, runners, { rounds, quick })
    for (const [index, plan] of together.entries()) {
      console.log(`\n[${figures.length + 1}/${plans.length}] ${plan.name}, ${plan.unit}`)
      // Small sizes say whether it runs, and nothing about a target.
      const figure = figureOf(quick ? withoutTarget(plan) : plan, samples[index] ?? new Map())
      const spreads = Object.entries(figure.ours === undefined ? figure.peers : { ours: figure.ours, ...figure.peers })
      for (const [name, spread] of spreads) console.log(`  ${name.padEnd(longest)}  ${formatSpread(spread)}`)
      figures.push(figure)
    }
  }

  console.log(`\n${tableOf(figures, peers)}\n\n${summaryOf(figures, missing)}`)
  if (quick) console.log('quick: small sizes, one look at each; compare nothing by these figures')
  const notes = group.notes === undefined ? {} : { notes: group.notes }
  const report = { group: group.name, date, machine: machine(), versions, rounds, quick, missing, ...notes, figures }
  console.log(`written to ${writeReport(only === undefined ? report : { ...report, only })}`)
}

async function startAll({ name: group, contestants }: Group): Promise<Map<string, Runner>> {
  const runners = new Map<string, Runner>()
  for (const { name, prepare } of contestants) {
    const command = prepare(folder)
    if (command !== undefined) runners.set(name, { command, contestant: await Contestant.start(name, command) })
  }
  if (!runners.has(OURS)) throw new Error(`${OURS} can't be started in group ${group}`)
  return runners
}

function chosen({ name, figures }: Group, only: string | undefined): readonly FigurePlan[] {
  if (only === undefined) return figures.filter(({ onlyWhenAsked }) => onlyWhenAsked !== true)
  const wanted = only.toLowerCase()
  const found = figures.filter((figure) => figure.name.toLowerCase().includes(wanted))
  if (found.length > 0) return found
  const all = figures.map((figure) => `\n  ${figure.name}`).join('')
  throw new UsageError(`no figure of group ${name} has ${JSON.stringify(only)} in its name; there are:${all}`)
}

function versionsOf(runners: ReadonlyMap<string, Runner>): Record<string, string> {
  const versions: Record<string, string> = { node: process.version }
  for (const [name, { contestant }] of runners) {
    if (name === OURS) versions['pidmesh'] = `${contestant.version} at ${commit()}`
    else versions[name] = contestant.version
  }
  return versions
}

async function onSignal(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): Promise<void> {
  if (interrupted) return
  interrupted = true
  console.error(`bench: ${signal}`)
  await endAll()
  process.exit(128 + constants.signals[signal])
}

function withoutTarget({ target: _target, ...plan }: FigurePlan): FigurePlan {
  return plan
}
