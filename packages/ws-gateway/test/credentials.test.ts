import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkCredentialOptions, findToken, offeredSubprotocols, unwantedQueryToken } from '../src/credentials.ts'

const none = new URLSearchParams()
const inHeader = (authorization: string) => findToken({ authorization }, none, {})
const inProtocol = (protocol: string) => findToken({ 'sec-websocket-protocol': protocol }, none, {})
const inCookie = (cookie: string) => findToken({ cookie }, none, { cookie: 'session' })

describe('the token of an upgrade', () => {
  it('stands in the header, whatever the case of its scheme', () => {
    expect(inHeader('Bearer a.b-c_d~e+f/g==')).toEqual({ token: 'a.b-c_d~e+f/g==', from: 'header' })
    expect(inHeader('bEARER  abc')).toEqual({ token: 'abc', from: 'header' })
    for (const wrong of ['', 'Bearer', 'Bearer ', 'Bearer a b', 'Basic YTpi', 'XBearer a', 'Bearera', 'Bearer ä']) {
      expect(inHeader(wrong)).toBe(undefined)
    }
  })

  it('or among the subprotocols, which are offered without it', () => {
    const header = 'pidmesh.json.1, pidmesh.token.abc.def'
    expect(inProtocol(header)).toEqual({ token: 'abc.def', from: 'subprotocol' })
    expect(offeredSubprotocols(header)).toEqual(['pidmesh.json.1'])
    expect(offeredSubprotocols(undefined)).toEqual([])
    for (const wrong of ['pidmesh.json.1', 'pidmesh.token.', 'pidmesh.token.a,pidmesh.token.b', 'Pidmesh.token.a']) {
      expect(inProtocol(wrong)).toBe(undefined)
    }
    expect(offeredSubprotocols(new Array<string>(1_000).fill('a').join(','))).toHaveLength(16)
  })

  it('or in the cookie that is configured, and in no other', () => {
    expect(inCookie('a=1; session=abc=; b=2')).toEqual({ token: 'abc=', from: 'cookie' })
    expect(inCookie('session="abc"')).toEqual({ token: 'abc', from: 'cookie' })
    expect(findToken({ cookie: 'session=abc' }, none, {})).toBe(undefined)
    for (const wrong of [
      'session',
      'session=',
      'xsession=abc',
      'session2=abc',
      'a=session=abc',
      'session=a b',
      ';;=;',
    ]) {
      expect(inCookie(wrong)).toBe(undefined)
    }
  })

  it('is none if two cookies of the name differ: one may have been tossed there', () => {
    expect(inCookie('session=abc; session=evil')).toBe(undefined)
    expect(inCookie('session=abc; session=abc')).toMatchObject({ token: 'abc' })
  })

  it('or in the query, if that is wanted', () => {
    const query = new URLSearchParams('room=1&t=abc')
    expect(findToken({}, query, { queryParameter: 't' })).toEqual({ token: 'abc', from: 'query' })
    expect(findToken({}, query, {})).toBe(undefined)
    expect(findToken({}, new URLSearchParams('t=a&t=b'), { queryParameter: 't' })).toBe(undefined)
  })

  it('is taken from the first place that has one', () => {
    const query = new URLSearchParams('t=fourth')
    const options = { cookie: 'session', queryParameter: 't' }
    const headers = {
      authorization: 'Bearer first',
      'sec-websocket-protocol': 'pidmesh.token.second',
      cookie: 'session=third',
    }
    expect(findToken(headers, query, options)).toMatchObject({ token: 'first' })
    expect(findToken({ ...headers, authorization: 'Basic x' }, query, options)).toMatchObject({ token: 'second' })
    expect(findToken({ cookie: headers.cookie }, query, options)).toMatchObject({ token: 'third' })
    expect(findToken({}, query, options)).toMatchObject({ token: 'fourth' })
  })

  it('is none if it is longer than 8 KiB', () => {
    expect(inHeader(`Bearer ${'a'.repeat(8_192)}`)).toBeDefined()
    for (const find of [
      (t: string) => inHeader(`Bearer ${t}`),
      (t: string) => inProtocol(`pidmesh.token.${t}`),
      (t: string) => inCookie(`session=${t}`),
    ]) {
      expect(find('a'.repeat(8_193))).toBe(undefined)
    }
  })

  it('is printable and without blanks, whatever the headers are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const one of [
          inHeader(text),
          inHeader(`Bearer ${text}`),
          inProtocol(`pidmesh.token.${text}`),
          inCookie(`session=${text}`),
        ]) {
          if (one !== undefined) expect(one.token).toMatch(/^[!-~]+$/)
        }
      }),
    )
  })
})

it('a token in the query that nobody has asked for is told by the name of its parameter', () => {
  const unwanted = (query: string, queryParameter?: string) =>
    unwantedQueryToken(new URLSearchParams(query), { queryParameter })
  expect(unwanted('access_token=a')).toBe('access_token')
  expect(unwanted('room=1&token=')).toBe('token')
  expect(unwanted('room=1&mytoken=a')).toBe(undefined)
  expect(unwanted('token=a', 'token')).toBe(undefined)
  expect(unwanted('access_token=a', 'token')).toBe('access_token')
})

it('a name that no cookie or parameter can have is a bad option', () => {
  const bad = expect.objectContaining({ code: 'ERR_BAD_OPTION' })
  expect(checkCredentialOptions({ cookie: '__Host-session', queryParameter: 'access_token' })).toBeDefined()
  for (const name of ['', 'a b', 'a=b', 'a;b', 'ä', 7 as unknown as string]) {
    expect(() => checkCredentialOptions({ cookie: name })).toThrow(bad)
    expect(() => checkCredentialOptions({ queryParameter: name })).toThrow(bad)
  }
})
