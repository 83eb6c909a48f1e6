/** What doesn't compile. The code is never run: each line with an `@ts-expect-error` is an error of the types, or the check of the types fails. */
import { Ets, type Pattern, type ReadableTable } from '@pidmesh/global-ets'
import type { Context } from '@pidmesh/runtime'
import { expect, expectTypeOf, it } from 'vitest'

interface Room {
  readonly name: string
  readonly guests: number
  readonly at?: number
  readonly of: { readonly floor: number }
}

export function neverRun(self: Context): void {
  const set = Ets.new<Room, 'name'>(self, 't', { key: 'name' })
  const bag = Ets.new<Room, 'name'>(self, 't', { key: 'name', type: 'bag' })
  const ordered = Ets.new<Room, 'name'>(self, 't', { key: 'name', type: 'ordered_set' })
  expectTypeOf(set.first()).toEqualTypeOf<string | undefined>()
  expectTypeOf(set.updateCounter('a', { field: 'guests', by: 1 })).toEqualTypeOf<number>()
  expectTypeOf(ordered.updateCounter('a', [{ field: 'guests', by: 1 }])).toEqualTypeOf<number[]>()
  expectTypeOf(set.lookupElement('a', 'at')).toEqualTypeOf<number | undefined>()
  expectTypeOf(set).toExtend<ReadableTable<Room>>()

  // @ts-expect-error a field that may be absent is no key
  Ets.new<Room, 'at'>(self, 't', { key: 'at' })
  // @ts-expect-error an object is no key
  Ets.new<Room, 'of'>(self, 't', { key: 'of' })
  // @ts-expect-error the key is another field
  Ets.new<Room, 'name'>(self, 't', { key: 'guests' })
  // @ts-expect-error a key of another type
  set.lookup(1)
  // @ts-expect-error a field is missing
  set.insert({ name: 'a' })
  // @ts-expect-error no counter
  set.updateCounter('a', { field: 'of', by: 1 })
  // @ts-expect-error a threshold without what is set then
  set.updateCounter('a', { field: 'guests', by: 1, threshold: 3 })
  // @ts-expect-error the key is not changed
  set.updateElement('a', { name: 'b' })
  // @ts-expect-error a bag has no counters
  bag.updateCounter('a', { field: 'guests', by: 1 })
  // @ts-expect-error a set has no order
  set.prefix('a')
  // @ts-expect-error a pattern of a field that isn't there
  const pattern: Pattern<Room> = { nane: 'a' }
  // @ts-expect-error rows that were read are not changed
  for (const row of set.select(pattern)) row.guests = 1
}

it('is checked by the compiler', () => {
  expect(neverRun).toBeTypeOf('function')
})
