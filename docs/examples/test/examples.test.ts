/**
 * The code that the documents show is code that compiles and runs, and prints what they say. How a block is tied to its source: pages.ts.
 */
import { format } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { blocksOf, pages, programs, sourceText, urlOf } from './pages.ts'

/** Pages with fragments that nothing compiles yet. A page leaves this list, and none comes to it. */
const notYetCompiled = [
  'docs/benchmarks.md',
  'docs/observation.md',
  'docs/operations.md',
  'docs/semantics.md',
  // Its program is: packages/opentelemetry/test, which has what it needs.
  'docs/telemetry.md',
]

const blocks = pages().flatMap(blocksOf)
const tied = blocks.flatMap(({ source, ...block }) => (source === undefined ? [] : [{ ...block, source }]))

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the code in the documents', () => {
  it('stands in a file that is compiled, on every page but those that are listed', () => {
    const loose = blocks.filter(({ source }) => source === undefined)
    expect(
      loose.filter(({ page }) => !notYetCompiled.includes(page)).map(({ page, line }) => `${page}:${line}`),
    ).toEqual([])
    expect([...new Set(loose.map(({ page }) => page))].toSorted()).toEqual(notYetCompiled)
  })

  it('is all there is: each program is shown on a page', () => {
    const shown = new Set(tied.map(({ source }) => source.replace(/#.*/, '')))
    expect(programs().filter((program) => !shown.has(program))).toEqual([])
  })

  it.each(tied)('$page:$line is $source, to the letter', ({ code, source }) => {
    expect(code).toBe(sourceText(source))
  })
})

describe('the programs of the documents', () => {
  it.each(programs())('%s runs, and prints what its page says', async (program) => {
    const lines: string[] = []
    vi.spyOn(console, 'log').mockImplementation((...args: unknown[]) => void lines.push(`${format(...args)}\n`))
    await import(urlOf(program))
    const [shown] = tied.filter(({ source }) => source === program)
    expect(lines.join('')).toBe(shown?.output ?? '')
  })
})
