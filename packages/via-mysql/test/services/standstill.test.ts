/**
 * PURPOSE: what a server gets so late that its caller has given it up is not written any more.
 */
import { standstillRules } from '@pidmesh/via-kit/testing'
import { expect, it } from 'vitest'
import { describeServers, row, textOf, useServer } from './servers.ts'

describeServers('a server that stands still', (server) => {
  const fixture = useServer(server)

  it.each(standstillRules)('$rule', async ({ check }) => {
    const store = await fixture.startStore({ ttlMs: 1_500, timeoutMs: 500 })
    const standStill = (): (() => void) => {
      fixture.service.pause()
      return () => fixture.service.resume()
    }
    await expect(check({ store, standStill })).resolves.toBeUndefined()
  })

  it('a take that waits for a lock until nobody waits for it any more takes nothing', async () => {
    const table = fixture.freshTable()
    const [slow, other] = [await fixture.startStore({ table, timeoutMs: 300 }), await fixture.startStore({ table })]
    await other.put([row('a', '1')])
    await fixture.admin.query(`START TRANSACTION; SELECT * FROM ${table} WHERE name = 'a' FOR UPDATE`)
    await expect(slow.take([row('a', 'late')])).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    await fixture.admin.query('COMMIT')
    // It has stood in line for the row before this.
    expect((await other.take([row('a', '2')])).map(({ former }) => textOf(former))).toEqual(['a of 1'])
  })
})
