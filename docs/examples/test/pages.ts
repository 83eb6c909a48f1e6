/**
 * Reads the pages of the documents: which code they show, and where it stands.
 *
 * A comment that readers don't see ties a block to its source, and a block of text right after it is what the program prints:
 *
 *   <!-- docs/examples/guide/processes.ts -->            the whole file
 *   <!-- docs/examples/supervisors/kinds.ts#child -->    what stands in it between `// #region child` and `// #endregion`, outdented
 *   ```ts
 *   …
 *   ```
 *
 *   ```text
 *   …
 *   ```
 */
import { readFileSync, readdirSync } from 'node:fs'

const root = new URL('../../../', import.meta.url)
const examples = 'docs/examples'

export interface Block {
  /** As all paths here, relative to the root of the repository. */
  readonly page: string
  readonly line: number
  readonly code: string
  /** A file, and a region of it; `undefined` if it is tied to nothing. */
  readonly source: string | undefined
  readonly output: string | undefined
}

/** The README, and all pages of `docs`. */
export function pages(): string[] {
  return [
    'README.md',
    ...readdirSync(new URL('docs', root))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ]
}

const BLOCK = /^(?:<!-- (?<source>\S+) -->\n)?```ts\n(?<code>.*?)^```\n(?:\n```text\n(?<output>.*?)^```\n)?/gms

export function blocksOf(page: string): Block[] {
  const text = readFileSync(new URL(page, root), 'utf8')
  return [...text.matchAll(BLOCK)].map(({ index, groups }) => ({
    page,
    line: text.slice(0, index).split('\n').length,
    code: groups?.['code'] ?? '',
    source: groups?.['source'],
    output: groups?.['output'],
  }))
}

/** The text that a block must be, to the letter. */
export function sourceText(source: string): string {
  const [path = '', region] = source.split('#')
  const text = readFileSync(new URL(path, root), 'utf8')
  if (region === undefined) return text
  const [, indent = '', found] =
    text.match(new RegExp(`^( *)// #region ${region}\n(.*?)^ *// #endregion\n`, 'ms')) ?? []
  if (found === undefined) throw new Error(`${path} has no region ${region}`)
  return found.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
}

/** The programs: all files of `docs/examples` but the tests. */
export function programs(): string[] {
  return readdirSync(new URL(examples, root), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !['dist', 'node_modules', 'test'].includes(entry.name))
    .flatMap(({ name }) =>
      readdirSync(new URL(`${examples}/${name}`, root)).map((file) => `${examples}/${name}/${file}`),
    )
}

export function urlOf(program: string): string {
  return new URL(program, root).href
}
