/**
 * The options of a discovery by DNS. What it does with a name server: test/cluster/discovery.test.ts.
 */
import { dns } from '@pidmesh/runtime'
import { expect, it } from 'vitest'

const right = { name: 'mesh.chat.svc.cluster.local', port: 7_001 }

it.each([
  ['no name', { name: undefined }],
  ['a name that is an address with a port', { name: 'mesh.local:7001' }],
  ['no port', { port: undefined }],
  ['an impossible port', { port: 70_000 }],
  ['a port that is a text', { port: '7001' }],
  ['a port beside SRV, whose records have their own', { type: 'SRV' }],
  ['a type that is none', { type: 'MX' }],
  ['an impossible refresh', { refreshMs: Number.NaN }],
  ['an impossible timeout', { timeoutMs: 100 }],
  ['name servers by name', { servers: ['ns.local'] }],
  ['name servers with an impossible port', { servers: ['127.0.0.1:0'] }],
  ['no name servers', { servers: [] }],
  ['a misspelt option', { refresh: 1_000 }],
])('a discovery by DNS is refused with %s', (_what, wrong) => {
  expect(() => dns({ ...right, ...(wrong as object) })).toThrowError(
    expect.objectContaining({ code: 'ERR_BAD_OPTION' }),
  )
})

it('a discovery by DNS is refused with servers that throw when they are looked at', () => {
  const servers = new Proxy(['10.0.0.10'], {
    get: () => {
      throw new Error('hostile')
    },
  })
  expect(() => dns({ ...right, servers })).toThrowError(
    expect.objectContaining({ code: 'ERR_BAD_OPTION', message: "the options of dns can't be read" }),
  )
})

it('an option of a discovery by DNS that is undefined is one that was not given', () => {
  const unset = { refreshMs: undefined, timeoutMs: undefined, servers: undefined }
  expect(dns({ ...right, ...unset, type: undefined }).start).toBeTypeOf('function')
  expect(dns({ name: right.name, ...unset, type: 'SRV', port: undefined }).start).toBeTypeOf('function')
})

it('a discovery by DNS takes addresses and services, and name servers of either family', () => {
  const servers = ['10.0.0.10', '127.0.0.1:5353', 'fd00::a', '[fd00::a]:5353']
  expect(dns({ ...right, servers }).start).toBeTypeOf('function')
  expect(dns({ name: '_mesh._tcp.mesh.chat.svc.cluster.local', type: 'SRV', servers }).start).toBeTypeOf('function')
})
