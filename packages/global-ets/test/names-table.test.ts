import { GlobalEts, type NameRow, type ReadableTable } from '@pidmesh/global-ets'
import { handler } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let table: ReadableTable<NameRow<{ room?: string }>>

beforeEach(async () => {
  cluster = new TestCluster()
  const [a, b] = [await cluster.start('a'), await cluster.start('b')]
  const names = await cluster.run(GlobalEts.start<{ room?: string }>(a))
  const others = await cluster.run(GlobalEts.start<{ room?: string }>(b))
  await cluster.advance(50)
  names.registerName('carol', a.spawn(handler(() => () => undefined)), { room: 'lobby' })
  names.registerName('bob', a.spawn(handler(() => () => undefined)))
  others.registerName('alice', b.spawn(handler(() => () => undefined)), { room: 'lobby' })
  await cluster.advance(10)
  table = names.asTable()
})

afterEach(async () => {
  await cluster.stop()
})

const namesOf = (rows: readonly { readonly name: string }[]): string[] => rows.map(({ name }) => name)

describe('the rows of a replicated table, read as those of any table', () => {
  it('are there by key and in key order, whichever node they are of', () => {
    expect(table.size).toBe(3)
    expect(table.member('bob')).toBe(true)
    expect(table.lookup('alice')).toMatchObject([{ name: 'alice', node: 'b@127.0.0.1', meta: { room: 'lobby' } }])
    expect(table.lookup('nobody')).toEqual([])
    expect(namesOf(table.tab2list())).toEqual(['alice', 'bob', 'carol'])
    expect([table.first(), table.next('alice'), table.next('carol')]).toEqual(['alice', 'bob', undefined])
    expect(table.fold((count, row) => (row.node === 'local' ? count + 1 : count), 0)).toBe(2)
  })

  it('are selected by what their fields are, all or page by page', () => {
    expect(namesOf(table.select({ node: 'local' }))).toEqual(['bob', 'carol'])
    expect(namesOf(table.select({ meta: ({ room }) => room === 'lobby' }))).toEqual(['alice', 'carol'])
    expect(namesOf(table.select({ name: 'bob', node: 'local' }))).toEqual(['bob'])
    expect(table.selectCount({ name: 'alice', node: 'local' })).toBe(0)
    const page = table.select({}, 2)
    expect(namesOf(page.rows)).toEqual(['alice', 'bob'])
    const next = page.more?.()
    expect(namesOf(next?.rows ?? [])).toEqual(['carol'])
    expect(next?.more).toBeUndefined()
    expect(() => table.select({}, 0)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
  })
})
