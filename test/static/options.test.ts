/**
 * Options may be `undefined`, which is as if they were not given. Under `exactOptionalPropertyTypes` that compiles only where their types say so.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { parseSync, Visitor, type Node } from 'oxc-parser'
import { expect, it } from 'vitest'

const root = new URL('../../packages/', import.meta.url)
/** What types are called that a program gives. */
const GIVEN =
  /^(?!Checked).*(Options|Flags|Limits|Thresholds|Tuning|Place|Tls|Sasl|Pattern|Range|Timeout|Spec|NewName|MetaField)$/
/** What packages give themselves. */
const INTERNAL = new Set(['ReplicatedTableOptions', 'SecuringOptions', 'ConnectionOptions'])

/** The optional parts of such types that can't be `undefined`. */
function strictPartsOf(path: string): string[] {
  const text = readFileSync(new URL(path, root), 'utf8')
  const { program } = parseSync(path, text)
  const found: string[] = []
  const lookAt = (name: string, declaration: Node): void => {
    if (!GIVEN.test(name) || INTERNAL.has(name)) return
    const isWithin = ({ start, end }: Node): boolean => start >= declaration.start && end <= declaration.end
    new Visitor({
      TSPropertySignature(member) {
        if (!member.optional || !isWithin(member)) return
        const source = text.slice(member.start, member.end)
        if (!source.includes('undefined')) found.push(`${path}, ${name}: ${source}`)
        if (source.includes('Partial<')) found.push(`${path}, ${name}, inside: ${source}`)
      },
    }).visit(program)
  }
  new Visitor({
    TSInterfaceDeclaration: (declaration) => lookAt(declaration.id.name, declaration),
    TSTypeAliasDeclaration: (declaration) => lookAt(declaration.id.name, declaration),
  }).visit(program)
  return found
}

it('whatever may be left out of options may be undefined', () => {
  const sources = readdirSync(root)
    .filter((name) => name !== 'dev-services')
    .flatMap((name) =>
      readdirSync(new URL(`${name}/src`, root), { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.ts') && !path.includes('generated'))
        .map((path) => `${name}/src/${path}`),
    )
  expect(sources.flatMap(strictPartsOf)).toEqual([])
})
