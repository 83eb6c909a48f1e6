/**
 * PURPOSE: names in a table of MariaDB, or of MySQL, hold the rules that every way of keeping names holds, between two nodes that are connected.
 */
import { conformance, locationCapabilities, LoopbackLab, storeRules } from '@pidmesh/via-kit/testing'
import { LocationVia, MysqlLocations } from '@pidmesh/via-mysql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeServers, useServer } from './servers.ts'

describeServers('names in a table, as a way of keeping them', (server) => {
  const fixture = useServer(server)
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

describeServers('a store in a table', (server) => {
  const fixture = useServer(server)
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
