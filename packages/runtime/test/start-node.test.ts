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
  expect(shown({ ...required, mailbox: { limit: undefined, policy: undefined } })).toEqual(shown(required))
})

it('an option that was not given is what the documents say', () => {
  expect(checkNodeOptions(required)).toMatchObject({
    listenAddress: '127.0.0.1:0',
    seeds: [],
    discoveries: [],
    tls: undefined,
    transport: 'grpc',
    connectAll: true,
    hidden: false,
    // Of four ticks.
    tickMs: 1_000,
    busyWait: true,
    turnBudgetMs: 5,
    longScheduleMs: 50,
    mailbox: { limit: 100_000, policy: 'log' },
    propagation: undefined,
    logLevel: 'info',
  })
})

it.each<[string, { readonly [Option in keyof NodeOptions]?: unknown }]>([
  ['a list of cookies of which one is too short', { cookie: ['a test cookie', 'short'] }],
  ['a list of no cookies', { cookie: [] }],
  ['a port below 0', { port: -1 }],
  ['a port above 65535', { port: 65_536 }],
  ['half a port', { port: 0.5 }],
  ['a netTickTimeMs below 100', { netTickTimeMs: 99 }],
  ['a netTickTimeMs of more than a day', { netTickTimeMs: 86_400_001 }],
  ['a turnBudgetMs below 0.1', { turnBudgetMs: 0.09 }],
  ['a turnBudgetMs without an end', { turnBudgetMs: Infinity }],
  ['a longScheduleMs of 0', { longScheduleMs: 0 }],
  ['a transport that there is not', { transport: 'udp' }],
  ['a logLevel that there is not', { logLevel: 'trace' }],
  ['a mailbox without room', { mailbox: { limit: 0 } }],
  ['a mailbox whose policy there is not', { mailbox: { policy: 'wait' } }],
])('%s is refused', (_what, wrong) => {
  expect(() => checkNodeOptions({ ...required, ...wrong } as NodeOptions)).toThrowError(
    expect.objectContaining({ code: 'ERR_BAD_OPTION' }),
  )
})

it.each<Partial<NodeOptions>>([
  { port: 65_535 },
  { netTickTimeMs: 100 },
  { netTickTimeMs: 86_400_000 },
  { turnBudgetMs: 0.1 },
  { longScheduleMs: Infinity },
])('what is just within the bounds of an option is taken: %o', (more) => {
  expect(() => checkNodeOptions({ ...required, ...more })).not.toThrow()
})

it.each(['localhost', '::1', '[::1]', '127.0.0.1', '127.1.2.3'])('without TLS a node may listen on %s', (bindHost) => {
  expect(() => checkNodeOptions({ ...required, bindHost })).not.toThrow()
})

it.each(['0.0.0.0', '::', '10.1.2.3', '127.example', '127.0.0.1.example', 'localhost.example'])(
  'without TLS a node may not listen on %s, which others may reach, unless that is meant',
  (bindHost) => {
    expect(() => checkNodeOptions({ ...required, bindHost })).toThrowError(
      expect.objectContaining({ code: 'ERR_INSECURE_BIND' }),
    )
    expect(() => checkNodeOptions({ ...required, bindHost, allowInsecureBind: true })).not.toThrow()
  },
)
