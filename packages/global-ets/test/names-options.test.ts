import { readFileSync } from 'node:fs'
import type { GlobalEtsOptions } from '@pidmesh/global-ets'
import { expect, it } from 'vitest'
import { checkNamesOptions } from '../src/names-options.ts'

it('an option that is undefined is one that was not given', () => {
  const unset: { readonly [Option in keyof Required<GlobalEtsOptions>]: undefined } = {
    scope: undefined,
    policy: undefined,
    loser: undefined,
    metadata: undefined,
    countedPrefixes: undefined,
    ordered: undefined,
    quota: undefined,
  }
  expect(checkNamesOptions(unset)).toEqual(checkNamesOptions({}))
  const quota = { maxNamesPerNode: undefined, maxOpsPerSecond: undefined }
  expect(checkNamesOptions({ quota })).toEqual(checkNamesOptions({}))
})

it('the defaults are those that docs/names.md says', () => {
  const text = readFileSync(new URL('../../../docs/names.md', import.meta.url), 'utf8')
  expect(checkNamesOptions({})).toEqual({
    scope: 'default',
    policy: 'smaller_node',
    loser: 'exit',
    metadata: undefined,
    countedPrefixes: [],
    ordered: false,
    quota: { maxRowsPerNode: 1_000_000, maxOpsPerSecond: 100_000 },
  })
  for (const [option, byDefault] of [
    ['scope', "`'default'`"],
    ['policy', "`'smaller_node'`"],
    ['loser', "`'exit'`"],
    ['metadata', 'any object'],
    ['countedPrefixes', 'none'],
    ['ordered', '`false`'],
    ['quota', '`{ maxNamesPerNode: 1_000_000, maxOpsPerSecond: 100_000 }`'],
  ])
    expect(text).toContain(`\n| \`${option}\` | ${byDefault} |`)
})
