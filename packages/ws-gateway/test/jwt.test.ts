import { Authenticated } from '@pidmesh/ws-gateway'
import type { KeyObject } from 'node:crypto'
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MemoryLogger } from '@pidmesh/runtime/testing'
import {
  jwtVerifier,
  type JwtAlgorithm,
  type JwtClaims,
  type JwtKey,
  type JwtOptions,
  type JwtVerifier,
} from '@pidmesh/ws-gateway/jwt'
import { SignJWT, type JWTPayload } from 'jose'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, onTestFinished, vi } from 'vitest'

const NOW_S = 1_800_000_000
const secret = randomBytes(64)
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed = generateKeyPairSync('ed25519')

const expected = { issuer: 'https://issuer.example', audience: 'chat', wallMs: () => NOW_S * 1_000 }
const good: JWTPayload = { iss: expected.issuer, aud: 'chat', sub: 'alice', exp: NOW_S + 60 }

const sign = (claims: JWTPayload, alg: string, key: KeyObject | Uint8Array, kid?: string): Promise<string> =>
  new SignJWT(claims).setProtectedHeader(kid === undefined ? { alg } : { alg, kid }).sign(key)

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('a token', () => {
  const verify = jwtVerifier({
    ...expected,
    key: rsa.publicKey,
    principal: ({ sub }) => (sub === undefined ? undefined : { user: sub }),
  })
  const ofRsa = (claims: JWTPayload) => sign(claims, 'RS256', rsa.privateKey)

  it('that is good says who the client is, and until when', async () => {
    const expiresAtMs = (NOW_S + 65) * 1_000
    expect(await verify(await ofRsa(good))).toEqual(new Authenticated({ user: 'alice' }, { expiresAtMs }))
    const { exp: _, ...forEver } = good
    expect(await verify(await ofRsa(forEver))).toEqual(new Authenticated({ user: 'alice' }))
    expectTypeOf(verify).returns.resolves.toEqualTypeOf<Authenticated<{ user: string }> | undefined>()
  })

  it('is good as before where options are undefined: that is as if they were not given', async () => {
    const unset: { readonly [Option in keyof Omit<JwtOptions, 'key' | keyof typeof expected>]-?: undefined } = {
      jwksUrl: undefined,
      jwksStaleS: undefined,
      log: undefined,
      algorithms: undefined,
      clockToleranceS: undefined,
      requiredClaims: undefined,
      maxTokenAgeS: undefined,
    }
    const same = jwtVerifier({ ...expected, ...unset, key: rsa.publicKey, principal: undefined })
    expect(await same(await ofRsa(good))).toMatchObject({ principal: good, expiresAtMs: (NOW_S + 65) * 1_000 })
    const fetched = jwtVerifier({ ...expected, wallMs: undefined, jwksUrl: 'https://issuer.example/', key: undefined })
    expect(fetched).toBeTypeOf('function')
  })

  it('is good from `nbf` to `exp`, and five seconds more on either side', async () => {
    expect(await verify(await ofRsa({ ...good, exp: NOW_S - 4 }))).toBeDefined()
    expect(await verify(await ofRsa({ ...good, exp: NOW_S - 6 }))).toBe(undefined)
    expect(await verify(await ofRsa({ ...good, nbf: NOW_S + 4 }))).toBeDefined()
    expect(await verify(await ofRsa({ ...good, nbf: NOW_S + 6 }))).toBe(undefined)
    const strict = jwtVerifier({ ...expected, key: rsa.publicKey, clockToleranceS: 0 })
    expect(await strict(await ofRsa({ ...good, exp: NOW_S - 1 }))).toBe(undefined)
  })

  it('without a claim that is required is not good', async () => {
    const strict = jwtVerifier({ ...expected, key: rsa.publicKey, requiredClaims: ['exp', 'sub'] })
    expect(await strict(await ofRsa(good))).toBeDefined()
    const { exp: _, ...forEver } = good
    expect(await strict(await ofRsa(forEver))).toBe(undefined)
    const { sub: __, ...ofNobody } = good
    expect(await strict(await ofRsa(ofNobody))).toBe(undefined)
  })

  it('that is too old, or does not say how old it is, is not good where an age is given; and expires by that', async () => {
    const young = jwtVerifier({ ...expected, key: rsa.publicKey, maxTokenAgeS: 30 })
    expect(await young(await ofRsa({ ...good, iat: NOW_S - 36 }))).toBe(undefined)
    expect(await young(await ofRsa(good))).toBe(undefined)
    const { exp: _, ...forEver } = good
    for (const claims of [good, forEver])
      expect((await young(await ofRsa({ ...claims, iat: NOW_S - 10 })))?.expiresAtMs).toBe((NOW_S + 25) * 1_000)
  })

  it('of another issuer, or for another audience, or that says neither, is not good', async () => {
    for (const wrong of [
      { iss: 'https://evil.example' },
      { aud: 'mail' },
      { aud: ['mail', 'x'] },
      { iss: undefined },
      { aud: undefined },
    ]) {
      expect(await verify(await ofRsa({ ...good, ...wrong } as JWTPayload))).toBe(undefined)
    }
    expect(await verify(await ofRsa({ ...good, aud: ['mail', 'chat'] }))).toBeDefined()
  })

  it('of another key, or one that was changed, is not good', async () => {
    expect(await verify(await sign(good, 'RS256', otherRsa.privateKey))).toBe(undefined)
    const [header, , signature] = (await ofRsa(good)).split('.')
    expect(await verify(`${header}.${base64({ ...good, sub: 'root' })}.${signature}`)).toBe(undefined)
  })

  it('that is none is not good, and nothing throws', async () => {
    const long = `${await ofRsa({ ...good, more: 'x'.repeat(20_000) })}`
    for (const wrong of [
      '',
      '.',
      '..',
      'a.b.c',
      '\u0000',
      'ä.ö.ü',
      `${base64({})}.${base64({})}.`,
      long,
      7 as unknown as string,
    ]) {
      expect(await verify(wrong)).toBe(undefined)
    }
  })

  it('with claims that are nobody is refused by `principal`; without a `principal` the claims are it', async () => {
    expect(await verify(await ofRsa({ iss: expected.issuer, aud: 'chat' }))).toBe(undefined)
    const claims = jwtVerifier({ ...expected, key: rsa.publicKey })
    expect((await claims(await ofRsa({ ...good, role: 'admin' })))?.principal['role']).toBe('admin')
  })

  it('with a `principal` in options that were made elsewhere has its type', () => {
    const options = { ...expected, key: rsa.publicKey, principal: ({ sub }: JwtClaims) => ({ user: sub ?? 'nobody' }) }
    expectTypeOf(jwtVerifier(options)).toEqualTypeOf<JwtVerifier<{ user: string }>>()
    expectTypeOf(jwtVerifier({ ...expected, key: rsa.publicKey })).toEqualTypeOf<JwtVerifier<JwtClaims>>()
    const withoutIssuer = () =>
      // @ts-expect-error it is said that the issuer and the audience are missing, and not that there were no `principal`
      jwtVerifier({
        key: rsa.publicKey,
        principal: ({ sub }) => (sub === undefined ? undefined : { user: sub }),
      })
    expect(withoutIssuer).toThrow('issuer')
  })

  it('is not wrong for a mistake in `principal`: that goes to the caller', async () => {
    const broken = jwtVerifier({
      ...expected,
      key: rsa.publicKey,
      principal: (): string => {
        throw new RangeError('mine')
      },
    })
    await expect(broken(await ofRsa(good))).rejects.toThrow(RangeError)
  })
})

describe('the algorithm', () => {
  it('`none` is none', async () => {
    for (const alg of ['none', 'NONE', '']) {
      const token = `${base64({ alg, typ: 'JWT' })}.${base64(good)}.`
      expect(await jwtVerifier({ ...expected, key: rsa.publicKey })(token)).toBe(undefined)
      expect(await jwtVerifier({ ...expected, key: secret })(token)).toBe(undefined)
    }
  })

  it('HMAC with the public key as the secret is refused, in each form that the key may have been taken in', async () => {
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const der = rsa.publicKey.export({ type: 'spki', format: 'der' })
    const body = `${base64({ alg: 'HS256' })}.${base64(good)}`
    for (const key of [pem, rsa.publicKey, rsa.publicKey.export({ format: 'jwk' })]) {
      const verify = jwtVerifier({ ...expected, key })
      expect(await verify(await sign(good, 'RS256', rsa.privateKey))).toBeDefined()
      for (const forged of [pem, pem.trim(), der]) {
        expect(await verify(`${body}.${createHmac('sha256', forged).update(body).digest('base64url')}`)).toBe(undefined)
      }
    }
  })

  it('fits the key, by default any that does', async () => {
    const keys: readonly [JwtKey, KeyObject | Uint8Array, readonly JwtAlgorithm[]][] = [
      [secret, secret, ['HS256', 'HS384', 'HS512']],
      [rsa.publicKey, rsa.privateKey, ['RS256', 'RS512', 'PS256']],
      [ec.publicKey, ec.privateKey, ['ES256']],
      [ed.publicKey, ed.privateKey, ['EdDSA', 'Ed25519']],
    ]
    for (const [key, signer, algorithms] of keys) {
      for (const alg of algorithms) {
        const token = await sign(good, alg, signer)
        expect(await jwtVerifier({ ...expected, key })(token)).toBeDefined()
        const others = algorithms.filter((one) => one !== alg)
        if (others.length > 0)
          expect(await jwtVerifier({ ...expected, key, algorithms: others })(token)).toBe(undefined)
      }
    }
  })
})

describe('a bad option', () => {
  const bad = expect.objectContaining({ code: 'ERR_BAD_OPTION' })
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey
  const wrong: readonly Partial<Record<keyof JwtOptions | 'principal' | 'more', unknown>>[] = [
    { key: undefined },
    { jwksUrl: 'https://issuer.example/jwks' },
    { key: undefined, jwksUrl: 'http://issuer.example/jwks' },
    { key: undefined, jwksUrl: 'file:///etc/passwd' },
    { key: undefined, jwksUrl: 'nonsense' },
    { key: undefined, jwksUrl: 'https://issuer.example/jwks', algorithms: ['HS256'] },
    { key: 'a secret that is text, however long it may be' },
    { key: new Uint8Array(31) },
    { key: weak },
    { key: rsa.privateKey },
    { key: rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) },
    { key: rsa.privateKey.export({ format: 'jwk' }) },
    { key: generateKeyPairSync('x25519').publicKey },
    { key: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey },
    { key: 7 },
    { key: {} },
    { algorithms: [] },
    { algorithms: ['none'] },
    { algorithms: ['RS256', 'HS256'] },
    { algorithms: ['ES256'] },
    { algorithms: 'RS256' },
    { issuer: undefined },
    { issuer: '' },
    { audience: [] },
    { audience: ['a', 7] },
    { clockToleranceS: -1 },
    { clockToleranceS: NaN },
    { requiredClaims: 'exp' },
    { key: undefined, jwksUrl: 'https://issuer.example/jwks', jwksStaleS: -1 },
    { key: undefined, jwksUrl: 'https://issuer.example/jwks', log: {} },
    { requiredClaims: ['exp', 7] },
    { maxTokenAgeS: 0 },
    { maxTokenAgeS: '10 minutes' },
    { principal: 'sub' },
    { more: 1 },
  ]

  it.each(wrong.map((one) => [Object.keys(one).join(', '), one] as const))('is told at once: %s', (_, one) => {
    const options = { ...expected, key: rsa.publicKey, ...one } as JwtOptions
    expect(() => jwtVerifier(options)).toThrow(bad)
  })
})

describe('keys that are fetched', () => {
  let server: Server
  let published: unknown
  let status = 200
  let fetches = 0
  let url: string

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW_S * 1_000 })
    status = 200
    fetches = 0
    server = createServer((_request, response) => {
      fetches++
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(published))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
  })

  afterEach(async () => {
    vi.useRealTimers()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  const publish = (...keys: [kid: string, KeyObject][]) => {
    published = { keys: keys.map(([kid, key]) => ({ ...key.export({ format: 'jwk' }), kid })) }
  }
  const verifier = () => jwtVerifier({ ...expected, jwksUrl: url })

  it('are fetched once for many tokens', async () => {
    publish(['1', rsa.publicKey], ['2', ec.publicKey])
    const verify = verifier()
    const tokens = await Promise.all([
      sign(good, 'RS256', rsa.privateKey, '1'),
      sign(good, 'ES256', ec.privateKey, '2'),
    ])
    for (const token of [...tokens, ...tokens])
      expect(await verify(token)).toMatchObject({ principal: { sub: 'alice' } })
    expect(fetches).toBe(1)
  })

  it('are fetched again for a key that is new, but not more often than every 30 seconds, whatever clients invent', async () => {
    publish(['1', rsa.publicKey])
    const verify = verifier()
    expect(await verify(await sign(good, 'RS256', rsa.privateKey, '1'))).toBeDefined()
    publish(['2', otherRsa.publicKey])
    const fresh = await sign(good, 'RS256', otherRsa.privateKey, '2')
    vi.setSystemTime(NOW_S * 1_000 + 29_000)
    expect(await verify(fresh)).toBe(undefined)
    vi.setSystemTime(NOW_S * 1_000 + 31_000)
    expect(await verify(fresh)).toBeDefined()
    expect(await verify(await sign(good, 'RS256', rsa.privateKey, '1'))).toBe(undefined)
    for (let i = 0; i < 20; i++)
      expect(await verify(await sign(good, 'RS256', rsa.privateKey, `invented ${i}`))).toBe(undefined)
    expect(fetches).toBe(2)
  })

  it('are fetched again after the clock has been set back: not only when it is again what it was', async () => {
    publish(['1', rsa.publicKey])
    const verify = verifier()
    expect(await verify(await sign(good, 'RS256', rsa.privateKey, '1'))).toBeDefined()
    publish(['2', otherRsa.publicKey])
    vi.setSystemTime((NOW_S - 30) * 1_000)
    expect(await verify(await sign(good, 'RS256', otherRsa.privateKey, '2'))).toBeDefined()
    expect(await verify(await sign(good, 'RS256', rsa.privateKey, '1'))).toBe(undefined)
    expect(fetches).toBe(2)
  })

  it('are tried in turn for a token that does not say of which it is', async () => {
    publish(['1', otherRsa.publicKey], ['2', rsa.publicKey])
    const verify = verifier()
    expect(await verify(await sign(good, 'RS256', rsa.privateKey))).toBeDefined()
    expect(await verify(await sign({ ...good, exp: NOW_S - 60 }, 'RS256', rsa.privateKey))).toBe(undefined)
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2_048 })
    expect(await verify(await sign(good, 'RS256', stranger.privateKey))).toBe(undefined)
  })

  it('are no secrets: HMAC and `none` are refused before a key is looked for', async () => {
    published = { keys: [{ kty: 'oct', k: secret.toString('base64url'), kid: '1' }] }
    const verify = verifier()
    expect(await verify(await sign(good, 'HS256', secret, '1'))).toBe(undefined)
    expect(await verify(`${base64({ alg: 'none', kid: '1' })}.${base64(good)}.`)).toBe(undefined)
    expect(fetches).toBe(0)
  })

  it("that can't be had are an error, not a wrong token; then the next token is verified", async () => {
    const verify = verifier()
    const token = await sign(good, 'RS256', rsa.privateKey, '1')
    const away = { code: 'ERR_JWKS' }
    status = 500
    await expect(verify(token)).rejects.toMatchObject(away)
    status = 302
    await expect(verify(token)).rejects.toMatchObject(away)
    status = 200
    for (published of ['nonsense', { keys: 7 }]) await expect(verify(token)).rejects.toMatchObject(away)
    publish(['1', rsa.publicKey])
    expect(await verify(token)).toBeDefined()

    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    // What is known serves on.
    expect(await verify(token)).toBeDefined()
    await expect(verifier()(token)).rejects.toMatchObject(away)
  })

  it('are waited for less long than a gateway waits for `authenticate`: who is late is the issuer, not the client', async () => {
    const timeout = AbortSignal.timeout.bind(AbortSignal)
    const spied = vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => timeout(1))
    onTestFinished(() => spied.mockRestore())
    server.removeAllListeners('request')
    const token = await sign(good, 'RS256', rsa.privateKey, '1')
    await expect(verifier()(token)).rejects.toMatchObject({ code: 'ERR_JWKS' })
    expect(spied.mock.calls[0]?.[0]).toBeLessThanOrEqual(4_000)
  })

  describe('and can not be fetched again after their ten minutes', () => {
    const at = (seconds: number) => vi.setSystemTime((NOW_S + seconds) * 1_000)
    const token = sign({ ...good, exp: NOW_S + 86_400 }, 'RS256', rsa.privateKey, '1')
    const away = { code: 'ERR_JWKS' }
    const start = async (options: Partial<JwtOptions> = {}) => {
      const log = new MemoryLogger()
      publish(['1', rsa.publicKey])
      const verify = jwtVerifier({ ...expected, jwksUrl: url, log, ...options })
      expect(await verify(await token)).toBeDefined()
      status = 500
      return { verify, log }
    }

    it('serve on for an hour, which is said once; it is tried again every 30 seconds', async () => {
      const { verify, log } = await start()
      at(599)
      expect(await verify(await token)).toBeDefined()
      expect(fetches).toBe(1)
      for (const seconds of [601, 602, 630, 632, 4_190]) {
        at(seconds)
        expect(await verify(await token)).toBeDefined()
      }
      expect(fetches).toBe(4)
      expect(log.lines.map(({ level, fields }) => [level, fields['url']])).toEqual([['warn', url]])
      at(4_201)
      for (let n = 0; n < 2; n++) await expect(verify(await token)).rejects.toMatchObject(away)
      status = 200
      expect(await verify(await token)).toBeDefined()
      expect(log.lines).toHaveLength(1)
    })

    it('are told of again the next time; a key that is not among them is nobody’s fault', async () => {
      const { verify, log } = await start()
      at(601)
      expect(await verify(await token)).toBeDefined()
      const fresh = await sign(good, 'RS256', otherRsa.privateKey, '2')
      await expect(verify(fresh)).rejects.toMatchObject(away)
      at(640)
      status = 200
      publish(['2', otherRsa.publicKey])
      expect(await verify(await token)).toBe(undefined)
      expect(
        await verify(await sign({ ...good, exp: NOW_S + 86_400 }, 'RS256', otherRsa.privateKey, '2')),
      ).toBeDefined()
      status = 500
      at(1_300)
      expect(
        await verify(await sign({ ...good, exp: NOW_S + 86_400 }, 'RS256', otherRsa.privateKey, '2')),
      ).toBeDefined()
      expect(log.lines).toHaveLength(2)
    })

    it('are not asked for again by each token of a key that somebody has invented', async () => {
      const { verify } = await start()
      at(60)
      for (let i = 0; i < 5; i++)
        await expect(verify(await sign(good, 'RS256', rsa.privateKey, `invented ${i}`))).rejects.toMatchObject(away)
      expect(fetches).toBe(2)
      at(91)
      status = 200
      publish(['2', otherRsa.publicKey])
      const fresh = await sign(good, 'RS256', otherRsa.privateKey, '2')
      const [one, other] = await Promise.all([verify(fresh), verify(fresh)])
      expect([one, other]).not.toContain(undefined)
      expect(fetches).toBe(3)
    })

    it('are dropped at once if they are wanted so; without a logger Node.js warns', async () => {
      const { verify } = await start({ jwksStaleS: 0 })
      at(601)
      await expect(verify(await token)).rejects.toMatchObject(away)
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      onTestFinished(() => warned.mockRestore())
      status = 200
      const other = verifier()
      expect(await other(await token)).toBeDefined()
      status = 500
      at(1_300)
      expect(await other(await token)).toBeDefined()
      expect(warned.mock.calls.map(([text]) => String(text))).toEqual([expect.stringContaining(url)])
    })
  })
})
