// Breaks the code on purpose, one mistake at a time, and plays the histories of whole clusters, of supervisors, of replicated tables, or of sessions on it: see `usage` below.
//
// Prints, for each mutant of mutant-list.mjs, how many histories of how many have noticed it. Stops a mutant at the first that does; `--all` plays the others too.
// Exit code: 0 if all are noticed; 1 if one survives, or a patch finds no place; 2 for a bad option. The working tree is not touched: a mutant is made while its sources are bundled into a directory of its own.

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'vite'
import { mutants } from './mutant-list.mjs'
import { root } from './workspace.mjs'

const DEFAULT_SEEDS = 1000

const usage = `usage: pnpm mutants [--seeds N] [--first N] [--all] [--only <text>]
  --seeds N      histories that are played on each mutant, by default ${DEFAULT_SEEDS}; with fewer some survive that are rarely noticed
  --first N      the seed of the first of them, by default 1
  --all          plays them all, and counts those that notice; otherwise the first that does ends it
  --only <text>  only the mutants whose name contains the text; 'nodes:', 'supervision:', 'tables:' and 'sessions:' stand before the names`

class UsageError extends Error {}

/**
 * Options, or `undefined` if help was asked for.
 * @throws UsageError
 */
function readOptions() {
  const values = parsed()
  if (values.help) return undefined
  const { all, only } = values
  const seeds = wholeNumber('--seeds', values.seeds)
  const first = wholeNumber('--first', values.first)
  const chosen = mutants.filter(({ name, suite }) => `${suite}: ${name}`.includes(only))
  if (chosen.length === 0) throw new UsageError(`no mutant has ${JSON.stringify(only)} in its name`)
  return { seeds, first, all, chosen }
}

function parsed() {
  try {
    return parseArgs({
      options: {
        seeds: { type: 'string', default: String(DEFAULT_SEEDS) },
        first: { type: 'string', default: '1' },
        all: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError((error instanceof Error ? error.message : String(error)).replaceAll('\n', ' '))
  }
}

/**
 * @param {string} option
 * @param {string} text
 */
function wholeNumber(option, text) {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${option} takes a whole number, not ${JSON.stringify(text)}`)
  return Number(text)
}

/** What plays histories, and the sources that its mutants are of. */
const suites = {
  nodes: { sources: 'packages/runtime/src/', cli: 'packages/runtime/test/simulation/cli.ts' },
  supervision: { sources: 'packages/gen-server/src/', cli: 'packages/gen-server/test/histories/cli.ts' },
  tables: { sources: 'packages/global-ets/src/', cli: 'packages/global-ets/test/simulation/cli.ts' },
  sessions: { sources: 'packages/ws-gateway/src/', cli: 'packages/ws-gateway/test/simulation/cli.ts' },
}
const conditions = ['@pidmesh/source', 'node', 'import']

/**
 * The histories, bundled with the code as the mutant has it.
 * @param {import('./mutant-list.mjs').Mutant} mutant
 * @param {string} outDir
 */
async function bundle(mutant, outDir) {
  /** @type {Set<import('./mutant-list.mjs').Patch>} */
  const left = new Set(mutant.patches)
  const { sources, cli } = suites[mutant.suite]
  await build({
    configFile: false,
    logLevel: 'error',
    root,
    resolve: { conditions },
    ssr: { resolve: { conditions }, external: true, noExternal: [/^@pidmesh\//] },
    build: { ssr: join(root, cli), outDir, minify: false, target: 'node20' },
    plugins: [
      {
        name: 'mutant',
        enforce: 'pre',
        transform(code, id) {
          let text = code
          for (const patch of mutant.patches) {
            if (id !== join(root, sources, patch.file)) continue
            if (text.split(patch.find).length !== 2)
              throw new Error(`the mutant "${mutant.name}" doesn't apply to ${patch.file} any more: ${patch.find}`)
            text = text.replace(patch.find, () => patch.replace)
            left.delete(patch)
          }
          return text === code ? null : { code: text, map: null }
        },
      },
    ],
  })
  for (const { file } of left) throw new Error(`the mutant "${mutant.name}" is about ${file}, which is not there`)
}

/**
 * The histories that have noticed, as cli.ts prints them.
 * @param {string} outDir
 * @param {{ seeds: number, first: number, all: boolean }} options
 * @returns {Promise<{ seed: number, rule: string }[]>}
 */
function play(outDir, { seeds, first, all }) {
  return new Promise((resolve, reject) => {
    const args = [join(outDir, 'cli.js'), String(first), String(seeds), ...(all ? ['--all'] : [])]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (printed += text))
    child.on('error', reject)
    child.on('close', (code) => {
      const lines = printed.split('\n').filter((line) => line !== '')
      const caught = lines.map((line) => /** @type {{ seed: number, rule: string }} */ (JSON.parse(line)))
      // One that ends the whole process is caught too.
      resolve(code === 0 ? caught : [...caught, { seed: Number.NaN, rule: `the process ended with ${code}` }])
    })
  })
}

/**
 * How many survive.
 * @param {NonNullable<ReturnType<typeof readOptions>>} options
 */
async function run({ chosen, ...options }) {
  const home = mkdtempSync(join(tmpdir(), 'pidmesh-mutants-'))
  // A bundle finds what its package imports, and then what the runtime does.
  const bundles = join(home, 'bundles')
  mkdirSync(bundles)
  symlinkSync(join(root, 'packages/runtime/node_modules'), join(home, 'node_modules'))
  symlinkSync(join(root, 'packages/ws-gateway/node_modules'), join(bundles, 'node_modules'))
  let survivors = 0
  try {
    for (const [index, mutant] of chosen.entries()) {
      const outDir = join(bundles, String(index))
      await bundle(mutant, outDir)
      const caught = await play(outDir, options)
      const [first] = caught
      if (first === undefined) survivors++
      const noticed = options.all ? `${caught.length} of ${options.seeds}` : `seed ${first?.seed}`
      console.log(`${(first === undefined ? 'SURVIVES' : noticed).padEnd(14)} ${mutant.name}`)
      if (first !== undefined)
        console.log(`${' '.repeat(15)}${first.seed}: ${first.rule.split('\n')[0]?.slice(0, 200)}`)
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
  return survivors
}

try {
  const options = readOptions()
  if (options === undefined) {
    console.log(usage)
  } else {
    const survivors = await run(options)
    if (survivors > 0) console.error(`${survivors} of the mutants survive`)
    process.exitCode = survivors > 0 ? 1 : 0
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`mutants: ${error.message}`)
  process.exitCode = 2
}
