/** What doesn't compile. The code is never run: each line with an `@ts-expect-error` is an error of the types, or the check of the types fails. */
import { Ets, type CounterUpdate, type EtsType, type Pattern, type ReadableTable } from '@pidmesh/global-ets'
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

  // What is wrong is what the compiler tells, and not that the table were of another type, or the update a list.
  Ets.new<Room, 'name'>(self, 't', {
    // @ts-expect-error the key is another field
    key: 'guests',
    type: 'ordered_set',
  })
  Ets.new<Room, 'name'>(self, 't', {
    key: 'name',
    type: 'bag',
    // @ts-expect-error it is maxRows
    maxRow: 5,
  })
  set.updateCounter('a', {
    // @ts-expect-error no counter
    field: 'of',
    by: 1,
  })
  set.updateCounter('a', [
    {
      field: 'guests',
      // @ts-expect-error a number is added
      by: '1',
    },
  ])
  set.updateCounter(
    'a',
    { field: 'guests', by: 1 },
    // @ts-expect-error fields of the row are missing
    { guests: 1 },
  )
  const type = 'bag' as EtsType
  const any = Ets.new<Room, 'name'>(self, 't', { key: 'name', type })
  expectTypeOf(any).toEqualTypeOf<Ets<Room, 'name', EtsType>>()
  // @ts-expect-error it may be a bag, which has no counters
  any.updateCounter('a', { field: 'guests', by: 1 })
  const updates = [{ field: 'guests', by: 1 }] as const
  expectTypeOf(set.updateCounter('a', updates)).toEqualTypeOf<number[]>()
  const one: CounterUpdate<Room, 'name'> = { field: 'guests', by: 1 }
  expectTypeOf(set.updateCounter('a', one)).toEqualTypeOf<number>()

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
