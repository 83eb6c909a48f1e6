import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { MAX_DEPTH, MAX_MESSAGES } from '../../src/codec/codec.ts'
import { chooseProtocol, createCodecs, PROTOCOLS } from '../../src/codec/protocols.ts'

it('the first subprotocol of the client that is known is spoken; without one frames are bare', () => {
  expect(chooseProtocol([])).toEqual({ subprotocol: undefined, codec: 'bare' })
  expect(chooseProtocol(['graphql-ws', 'PIDMESH.JSON.1', 'pidmesh.json.2'])).toMatchObject({ codec: 'bare' })
  expect(chooseProtocol(['pidmesh.token.abc', 'pidmesh.json.1'])).toEqual({
    subprotocol: 'pidmesh.json.1',
    codec: 'json',
  })
  expect(chooseProtocol(new Set(['pidmesh.msgpack.1', 'pidmesh.json.1']))).toMatchObject({ codec: 'msgpack' })
  expect(chooseProtocol(['__proto__', 'toString'])).toMatchObject({ codec: 'bare' })
})

it('docs/gateway-protocol.md lists every subprotocol and both limits, and each has a codec', () => {
  const text = readFileSync(new URL('../../../../docs/gateway-protocol.md', import.meta.url), 'utf8')
  expect(text).toContain(`| messages in a frame | 1 to ${MAX_MESSAGES} |`)
  expect(text).toContain(`| levels of a message or control | ${MAX_DEPTH}: `)
  const codecs = createCodecs()
  for (const { subprotocol, codec } of PROTOCOLS) {
    expect(text).toContain(`| \`${subprotocol}\` |`)
    expect(codecs[codec].name).toBe(codec)
  }
})
