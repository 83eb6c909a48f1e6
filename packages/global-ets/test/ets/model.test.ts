/** Tables of each type against a list of rows that knows the rules and nothing else. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { Ets, type EtsType } from '@pidmesh/global-ets'
import { compareKeys, type EtsKey } from '../../src/ets/key.ts'

interface Item {
  readonly id: EtsKey
  readonly n: number
}

const cluster = new TestCluster()
let node: Node

beforeAll(async () => {
  node = await cluster.start('a')
})

afterAll(async () => {
  await cluster.stop()
})

/** Two keys are one: by order in an `ordered_set`, by kind and value elsewhere. */
const keyText = (key: EtsKey): string =>
  Array.isArray(key) ? `[${key.map(keyText).join()}]` : `${typeof key} ${String(key === 0 ? 0 : key)}`

class Model {
  items: Item[] = []
  private readonly type: EtsType

  constructor(type: EtsType) {
    this.type = type
  }

  has = (a: EtsKey, b: EtsKey): boolean =>
    this.type === 'ordered_set' ? compareKeys(a, b) === 0 : keyText(a) === keyText(b)
  of = (key: EtsKey): Item[] => this.items.filter(({ id }) => this.has(id, key))

  insert(item: Item): void {
    const same = this.of(item.id)
    if (this.type === 'set' || this.type === 'ordered_set') {
      if (same.length > 0) this.items = this.items.map((one) => (this.has(one.id, item.id) ? item : one))
      else this.items.push(item)
    } else if (this.type === 'duplicate_bag' || !same.some(({ n }) => n === item.n)) this.items.push(item)
  }

  delete(key: EtsKey): void {
    this.items = this.items.filter(({ id }) => !this.has(id, key))
  }
}

const key = fc.constantFrom<EtsKey>(
  0,
  -0,
  1,
  1n,
  2.5,
  true,
  false,
  '',
  'a',
  'ab',
  '1',
  [],
  [1],
  [1n],
  ['a', 1],
  [['a']],
)
const item = fc.record({ id: key, n: fc.integer({ min: 0, max: 2 }) })
const step = fc.oneof(
  fc.record({ type: fc.constant('insert' as const), items: fc.array(item, { maxLength: 4 }) }),
  fc.record({ type: fc.constant('insertNew' as const), items: fc.array(item, { minLength: 1, maxLength: 2 }) }),
  fc.record({ type: fc.constant('delete' as const), key }),
  fc.record({ type: fc.constant('deleteObject' as const), item }),
  fc.record({ type: fc.constant('take' as const), key }),
  fc.record({ type: fc.constant('selectDelete' as const), n: fc.integer({ min: 0, max: 2 }) }),
)

const inSomeOrder = (items: readonly Item[]): string[] => items.map(({ id, n }) => `${keyText(id)} ${n}`).toSorted()

function newTable(type: EtsType): Ets<Item, 'id', EtsType> {
  switch (type) {
    case 'set':
      return Ets.new<Item, 'id'>(node, 't', { key: 'id', type })
    case 'ordered_set':
      return Ets.new<Item, 'id'>(node, 't', { key: 'id', type })
    case 'bag':
      return Ets.new<Item, 'id'>(node, 't', { key: 'id', type })
    case 'duplicate_bag':
      return Ets.new<Item, 'id'>(node, 't', { key: 'id', type })
  }
}

describe.each<EtsType>(['set', 'ordered_set', 'bag', 'duplicate_bag'])('a table of type %s', (type) => {
  it('does what a list with the rules of its type does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), key, (steps, probe) => {
        const table = newTable(type)
        const model = new Model(type)
        for (const one of steps) {
          switch (one.type) {
            case 'insert':
              table.insert(one.items)
              for (const each of one.items) model.insert(each)
              break
            case 'insertNew': {
              const isNew = one.items.every(({ id }) => model.of(id).length === 0)
              expect(table.insertNew(one.items)).toBe(isNew)
              if (isNew) for (const each of one.items) model.insert(each)
              break
            }
            case 'delete':
              table.delete(one.key)
              model.delete(one.key)
              break
            case 'take':
              expect(table.take(one.key)).toEqual(model.of(one.key))
              model.delete(one.key)
              break
            case 'deleteObject':
              table.deleteObject(one.item)
              model.items = model.items.filter(
                // By the row itself: 1 and 1n are one key of an ordered set, but two values.
                ({ id, n }) => n !== one.item.n || keyText(id) !== keyText(one.item.id),
              )
              break
            case 'selectDelete': {
              const left = model.items.filter(({ n }) => n !== one.n)
              expect(table.selectDelete({ n: one.n })).toBe(model.items.length - left.length)
              model.items = left
            }
          }
          expect(table.size).toBe(model.items.length)
          expect(inSomeOrder(table.tab2list())).toEqual(inSomeOrder(model.items))
          expect(table.lookup(probe)).toEqual(model.of(probe))
          expect(table.member(probe)).toBe(model.of(probe).length > 0)
          expect(inSomeOrder(table.select({ n: (n) => n > 0 }))).toEqual(
            inSomeOrder(model.items.filter(({ n }) => n > 0)),
          )
          const paged: Item[] = []
          for (let page = table.select({}, 2); ; page = page.more()) {
            paged.push(...page.rows)
            if (page.more === undefined) break
          }
          expect(paged).toEqual(table.tab2list())
          const keys: EtsKey[] = []
          for (let at = table.first(); at !== undefined; at = table.next(at)) keys.push(at)
          const back: EtsKey[] = []
          for (let at = table.last(); at !== undefined; at = table.prev(at)) back.push(at)
          expect(back.toReversed()).toEqual(keys)
          expect(new Set(keys.map(keyText))).toEqual(new Set(model.items.map(({ id }) => keyText(id))))
          if (type === 'ordered_set') expect(keys).toEqual(keys.toSorted(compareKeys))
        }
        table.deleteTable()
      }),
      { numRuns: 150 },
    )
  })
})
