/**
 * That the mutants are worth something: see scripts/mutants.mjs. Which histories notice them is not asked here, it takes minutes.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { mutants } from '../../scripts/mutant-list.mjs'

const root = new URL('../../', import.meta.url)
const SOURCES = { nodes: 'runtime', supervision: 'gen-server', tables: 'global-ets', sessions: 'ws-gateway' }

function run(...args: string[]): { readonly code: number | null; readonly out: string } {
  const script = fileURLToPath(new URL('scripts/mutants.mjs', root))
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })
  return { code: status, out: stdout + stderr }
}

describe('mutants', () => {
  it.each([
    [['--sed', '5'], "Unknown option '--sed'"],
    [['--seeds', 'many'], '--seeds takes a whole number, not "many"'],
    [['--only', 'no such mistake'], 'no mutant has "no such mistake" in its name'],
    [['5'], "Unexpected argument '5'"],
  ])('%j is told in a line, and plays nothing', (args, problem) => {
    const { code, out } = run(...args)
    expect(out).toMatch(/^mutants: .+\n$/)
    expect(out).toContain(problem)
    expect(code).toBe(2)
  })

  it('--help says how it is used', () => {
    const { code, out } = run('--help')
    expect(out).toMatch(/^usage: pnpm mutants /)
    expect(code).toBe(0)
  })

  it('each finds its place in the sources', () => {
    expect(mutants.length).toBeGreaterThan(80)
    for (const { name, suite, patches } of mutants) {
      for (const { file, find, replace } of patches) {
        const text = readFileSync(new URL(`packages/${SOURCES[suite]}/src/${file}`, root), 'utf8')
        expect(text.split(find).length - 1, `${name}: ${find}`).toBe(1)
        expect(replace).not.toBe(find)
      }
    }
  })

  it(
    'one that histories notice is told with the rule that it breaks, and one that they do not fails the run',
    { timeout: 60_000 },
    () => {
      const caught = run('--only', 'links are not told', '--seeds', '5')
      expect(caught.out).toMatch(/^seed \d+ +links are not told that the connection is lost\n +\d+: .+ link /)
      expect(caught.code).toBe(0)
      const survives = run('--only', 'links are not told', '--seeds', '0')
      expect(survives.out).toMatch(/^SURVIVES +links are not told/)
      expect(survives.code).toBe(1)
    },
  )
})
