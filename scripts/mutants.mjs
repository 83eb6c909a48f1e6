// Breaks the code on purpose, one mistake at a time, and plays the simulation's histories on it: `pnpm mutants [--seeds 400] [--all] [--only <text>]`.
//
// Prints, for each mutant of mutant-list.mjs, how many histories of how many have noticed it. Stops a mutant at the first that does; `--all` plays the others too.
// Fails if one survives, or if a patch finds no place. The working tree is not touched: a mutant is made while its sources are bundled into a directory of its own.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'vite'
import { mutants } from './mutant-list.mjs'
import { root } from './workspace.mjs'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '400' },
    first: { type: 'string', default: '1' },
    all: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
})
const seeds = Number(values.seeds)
const sources = join(root, 'packages/runtime/src/')
const conditions = ['@pidmesh/source', 'node', 'import']

/**
 * The histories, bundled with the code as the mutant has it.
 * @param {import('./mutant-list.mjs').Mutant} mutant
 * @param {string} outDir
 */
async function bundle(mutant, outDir) {
  /** @type {Set<import('./mutant-list.mjs').Patch>} */
  const left = new Set(mutant.patches)
  await build({
    configFile: false,
    logLevel: 'error',
    root,
    resolve: { conditions },
    ssr: { resolve: { conditions }, external: true, noExternal: [/^@pidmesh\//] },
    build: { ssr: join(root, 'packages/runtime/test/simulation/cli.ts'), outDir, minify: false, target: 'node20' },
    plugins: [
      {
        name: 'mutant',
        enforce: 'pre',
        transform(code, id) {
          let text = code
          for (const patch of mutant.patches) {
            if (id !== sources + patch.file) continue
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
 * @returns {Promise<{ seed: number, rule: string }[]>}
 */
function play(outDir) {
  return new Promise((resolve, reject) => {
    const args = [join(outDir, 'cli.js'), values.first, values.seeds, ...(values.all ? ['--all'] : [])]
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

const home = mkdtempSync(join(tmpdir(), 'pidmesh-mutants-'))
symlinkSync(join(root, 'packages/runtime/node_modules'), join(home, 'node_modules'))
let survivors = 0
try {
  for (const [index, mutant] of mutants.entries()) {
    if (!mutant.name.includes(values.only)) continue
    const outDir = join(home, String(index))
    await bundle(mutant, outDir)
    const caught = await play(outDir)
    const [first] = caught
    if (first === undefined) survivors++
    const count = first === undefined ? 'SURVIVES' : values.all ? `${caught.length} of ${seeds}` : `seed ${first.seed}`
    console.log(`${count.padEnd(14)} ${mutant.name}`)
    if (first !== undefined) console.log(`${' '.repeat(15)}${first.seed}: ${first.rule.split('\n')[0]?.slice(0, 200)}`)
  }
} finally {
  rmSync(home, { recursive: true, force: true })
}
if (survivors > 0) console.error(`${survivors} of the mutants survive`)
process.exitCode = survivors > 0 ? 1 : 0
