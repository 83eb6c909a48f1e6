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
})
