/**
 * PURPOSE: names in a table of MariaDB hold the rules that every way of keeping names holds, between two nodes that are connected.
 */
import { conformance, locationCapabilities, LoopbackLab, storeRules } from '@pidmesh/via-kit/testing'
import { LocationVia, MysqlLocations } from '@pidmesh/via-mysql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isMissing, useMariadb } from './mariadb.ts'

describe.skipIf(isMissing)('names in MariaDB, as a way of keeping them', () => {
  const fixture = useMariadb()
  let lab: LoopbackLab
  beforeAll(async () => {
    const { url } = fixture.service
    lab = await LoopbackLab.start((node) =>
      LocationVia.start(node, { store: new MysqlLocations({ url, timeoutMs: 10_000 }) }),
    )
  })
  afterAll(() => lab.stop())

  it('say what they can do', () => expect(lab.members[0].names.capabilities).toEqual(locationCapabilities))

  it.each(conformance.filter(({ needs }) => needs(locationCapabilities)))('$rule', async ({ check }) => {
    await expect(check(lab)).resolves.toBeUndefined()
  })
})

describe.skipIf(isMissing)('a store in MariaDB', () => {
  const fixture = useMariadb()
  let store: MysqlLocations
  beforeAll(async () => {
    store = new MysqlLocations({ url: fixture.service.url, ttlMs: 2_000, timeoutMs: 10_000 })
    await store.start()
  })
  afterAll(() => store.stop())

  it.concurrent.each(storeRules)('$rule', { timeout: 30_000 }, async ({ check }) => {
    await expect(check({ store })).resolves.toBeUndefined()
  })
})
