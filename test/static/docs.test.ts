/**
 * What the documents list is what there is.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

/** The TypeScript sources of all packages, generated ones left out. */
function sources(): string[] {
  return readdirSync(new URL('packages', root)).flatMap((name) =>
    readdirSync(new URL(`packages/${name}/src`, root), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.includes('generated'))
      .map((path) => `packages/${name}/src/${path}`),
  )
}

describe('the documents', () => {
  it('docs/errors.md lists every error code that the packages have, and no other', () => {
    // A code is a whole string: parts of other names are not ours.
    const used = new Set(sources().flatMap((path) => read(path).match(/(?<=')ERR_[A-Z_]+(?=')/g) ?? []))
    const listed = [...read('docs/errors.md').matchAll(/^\| `(ERR_[A-Z_]+)`/gm)].map(([, code]) => code)
    expect(sources().length).toBeGreaterThan(40)
    expect(new Set(listed)).toEqual(used)
  })

  it('every file that the README links to is there', () => {
    const paths = [...read('README.md').matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, path = '']) => path)
    expect(paths.length).toBeGreaterThan(5)
    for (const path of paths) expect(existsSync(new URL(path, root)), path).toBe(true)
  })
})
