/**
 * PURPOSE: names in a table of MariaDB, or of MySQL, hold the rules that every way of keeping names holds, between two nodes that are connected.
 */
import { conformance, locationCapabilities, LoopbackLab, storeRules } from '@pidmesh/via-kit/testing'
import { LocationVia, MysqlLocations } from '@pidmesh/via-mysql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeServers, useServer } from './servers.ts'

describeServers('names in a table', (server) => {
  const fixture = useServer(server)
  let lab: LoopbackLab
  let store: MysqlLocations
  beforeAll(async () => {
    const { url } = fixture.service
    lab = await LoopbackLab.start((node) =>
      LocationVia.start(node, { store: new MysqlLocations({ url, timeoutMs: 10_000 }) }),
    )
    store = new MysqlLocations({ url, table: 'of_the_rules', ttlMs: 2_000, timeoutMs: 10_000 })
    await store.start()
  })
  afterAll(() => Promise.all([lab.stop(), store.stop()]))

  describe('as a way of keeping them', () => {
    it('say what they can do', () => expect(lab.members[0].names.capabilities).toEqual(locationCapabilities))

    it.each(conformance.filter(({ needs }) => needs(locationCapabilities)))('$rule', async ({ check }) => {
      await expect(check(lab)).resolves.toBeUndefined()
    })
  })

  describe('as a store', () => {
    it.concurrent.each(storeRules)('$rule', { timeout: 30_000 }, async ({ check }) => {
      await expect(check({ store })).resolves.toBeUndefined()
    })
  })
})
