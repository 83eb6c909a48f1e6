/**
 * PURPOSE: what a server gets so late that its caller has given it up is not written any more.
 */
import { standstillRules } from '@pidmesh/via-kit/testing'
import { expect, it } from 'vitest'
import { describeServers, useServer } from './servers.ts'

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
})
