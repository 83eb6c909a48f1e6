import type { NodeOptions } from '@pidmesh/runtime'
import { expect, it } from 'vitest'
import { checkNodeOptions } from '../src/options.ts'
import { systemComponents } from '../src/start-node.ts'

const required = { name: 'a@127.0.0.1', cookie: 'a test cookie' }

it.each([
  [undefined, true],
  [true, true],
  [false, false],
])('a node that is started with busyWait: %s waits awake: %s', (busyWait, waits) => {
  expect(systemComponents(checkNodeOptions({ ...required, busyWait })).busyWait !== undefined).toBe(waits)
})

it('an option that is undefined is one that was not given', () => {
  const unset: { readonly [Option in Exclude<keyof NodeOptions, keyof typeof required>]: undefined } = {
    port: undefined,
    bindHost: undefined,
    seeds: undefined,
    discovery: undefined,
    advertise: undefined,
    tls: undefined,
    transport: undefined,
    hidden: undefined,
    connectAll: undefined,
    allowInsecureBind: undefined,
    netTickTimeMs: undefined,
    busyWait: undefined,
    turnBudgetMs: undefined,
    longScheduleMs: undefined,
    mailbox: undefined,
    propagation: undefined,
    logger: undefined,
    logLevel: undefined,
  }
  const shown = (options: NodeOptions) => {
    const { advertise, ...checked } = checkNodeOptions(options)
    return { ...checked, advertised: advertise('127.0.0.1:7001') }
  }
  expect(shown({ ...required, ...unset })).toEqual(shown(required))
})
