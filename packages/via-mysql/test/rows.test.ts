import type { LocationRow } from '@pidmesh/via-kit'
import { describe, expect, it } from 'vitest'
import { packetsOf, takenOf } from '../src/mysql-locations.ts'
import { Statements } from '../src/statements.ts'

function row(name: string, owner: string, bytes: number = 1): LocationRow {
  return { name, owner, value: new Uint8Array(bytes) }
}

describe('the rows of a call', () => {
  it('are sorted by the bytes of their names, those of one name in their order', () => {
    const [packet] = packetsOf([
      row('b', '1'),
      row('é', '1'),
      row('a', '1'),
      row('z', '1'),
      row('a', '2'),
      row('B', '1'),
    ])
    expect(packet?.map(({ name, owner }) => name + owner)).toEqual(['B1', 'a1', 'a2', 'b1', 'z1', 'é1'])
  })

  it('are in one packet, unless they are too large for it', () => {
    expect([...packetsOf([])]).toEqual([])
    const half = 524_288
    const sizes = (...bytes: number[]): number[] =>
      [...packetsOf(bytes.map((size, at) => row(`${at}`, '1', size)))].map((packet) => packet.length)
    expect(sizes(half, half)).toEqual([2])
    expect(sizes(half, half + 1, 1)).toEqual([1, 2])
    expect(sizes(9 * half, 9 * half)).toEqual([1, 1])
  })

  it('are written and told about in one packet that ends its transaction: who stands still holds no lock', () => {
    const statements = new Statements('names', 30_000)
    for (const { sql } of [statements.put([row('a', '1')], 1), statements.take([row('a', '1')], 1)]) {
      expect(sql.startsWith('START TRANSACTION; ')).toBe(true)
      expect(sql.endsWith('; COMMIT')).toBe(true)
    }
    expect(statements.probe().sql.endsWith('; ROLLBACK')).toBe(true)
  })

  it('of nobody who is alive have no former; of one name each has the epoch after that of the one before', () => {
    const was = (name: string, owner: string, isAlive: number) =>
      [Buffer.from(name), Buffer.from(owner), Buffer.from(`of ${owner}`), isAlive] as const
    const rows = [row('a', '2'), row('b', '2'), row('c', '2'), row('a', '3'), row('a', '3')]
    const epochs = ['a', 'b', 'c'].map((name, at) => [Buffer.from(name), 10 * (at + 1)] as const)
    const taken = [...takenOf(rows, [was('a', '1', 1), was('b', '1', 0), was('c', '2', 1)], epochs)]
    expect(taken.map(([name, { epoch }]) => `${name}${epoch}`)).toEqual(['a8', 'b20', 'c30', 'a9', 'a10'])
    expect(taken.map(([, { former }]) => former && Buffer.from(former).toString())).toEqual([
      'of 1',
      undefined,
      undefined,
      '\0',
      undefined,
    ])
  })
})
