import { MysqlLocations, type MysqlOptions } from '@pidmesh/via-mysql'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { checkOptions } from '../src/options.ts'

const SECRET = 'tell-nobody'
const url = `mysql://user:${SECRET}@db.example:3307/names`

function refusal(options: unknown): string {
  try {
    void new MysqlLocations(options as MysqlOptions)
  } catch (error) {
    expect(error).toMatchObject({ name: 'PidmeshError', code: 'ERR_BAD_OPTION' })
    const { message } = error as Error
    expect(inspect(error)).not.toContain(SECRET)
    return message
  }
  throw new Error('nothing was refused')
}

describe('the options', () => {
  it('have defaults', () => {
    expect(checkOptions({ url })).toEqual({
      server: { host: 'db.example', port: 3307, user: 'user', password: SECRET, database: 'names', tls: undefined },
      table: 'pidmesh_names',
      ttlMs: 30_000,
      timeoutMs: 2_000,
      connections: 2,
      createTable: true,
    })
  })

  it('that are undefined are as if they were not given', () => {
    const unset = { table: undefined, ttlMs: undefined, timeoutMs: undefined, connections: undefined }
    const more = { ...unset, createTable: undefined, ssl: undefined }
    const parts = { host: undefined, port: undefined, password: undefined }
    const ofUrl: MysqlOptions = { url, user: undefined, database: undefined, ...parts, ...more }
    const inParts: MysqlOptions = { url: undefined, user: 'user', database: 'names', ...parts, ...more }
    const tls = { ca: undefined, cert: undefined, key: undefined, allowAnyServer: undefined }
    expect(checkOptions(ofUrl)).toEqual(checkOptions({ url }))
    expect(checkOptions(inParts)).toEqual(checkOptions({ user: 'user', database: 'names' }))
    expect(checkOptions({ url, ssl: tls })).toEqual(checkOptions({ url, ssl: true }))
  })

  it('may say the server part by part', () => {
    const given = { user: 'user', database: 'names' }
    const server = { ...given, port: 3306, password: undefined }
    expect(checkOptions(given).server).toEqual({ ...server, host: '127.0.0.1', tls: undefined })
    expect(checkOptions({ ...given, host: 'db', ssl: true }).server).toEqual({ ...server, host: 'db', tls: {} })
  })

  it('take a url with what is special in it, and an address of IPv6', () => {
    const { server } = checkOptions({ url: 'mysql://us%40er:p%3A%2F%25w@[::1]/na%20mes' })
    expect(server).toMatchObject({ host: '::1', port: 3306, user: 'us@er', password: 'p:/%w', database: 'na mes' })
  })

  it('are what they were when they were checked, whatever becomes of what was given', () => {
    const ssl = { allowAnyServer: false }
    const { server } = checkOptions({ url, ssl })
    ssl.allowAnyServer = true
    expect(server.tls).toEqual({ allowAnyServer: false })
  })

  it.each([
    [undefined, 'options must be an object'],
    [{ url, tabel: 'x' }, 'unknown option "tabel"'],
    [{ url, host: 'db' }, 'url and host exclude each other'],
    [{ url, password: SECRET }, 'url and password exclude each other'],
    [{ url: SECRET }, 'url must be of the form'],
    [{ url: `postgres://user:${SECRET}@db/names` }, 'url must be of the form'],
    [{ url: 7 }, 'url must be of the form'],
    [SECRET, 'options must be an object, not some text'],
    [{ user: 'user', database: 'names', port: SECRET }, 'port must be a whole number from 1 to 65535, not some text'],
    [{ url, ssl: [] }, 'ssl must be true, false or an object'],
    [{ url, ssl: { cert: '', key: '' } }, 'ssl.cert must be a text'],
    [{ url: `mysql://user:${SECRET}@db` }, 'url must say the user, the host and the database'],
    [{ url: `mysql://:${SECRET}@db/names` }, 'url must say the user'],
    [{ url: `${url}?multipleStatements=true` }, 'nothing after the database'],
    [{ url: `mysql://user:%E0${SECRET}@db/names` }, 'no percent-encoding'],
    [{ user: 'user' }, 'database must be a text'],
    [{ database: 'names' }, 'user must be a text'],
    [{ user: 'user', database: 'names', password: 7 }, 'password must be a text'],
    [{ user: 'user', database: 'names', host: '' }, 'host must be a text'],
    [{ user: 'user', database: 'names', port: 70_000 }, 'port must be a whole number from 1 to 65535'],
    [{ url, ssl: SECRET }, 'ssl must be true, false or an object'],
    [{ user: 'user', database: 'names', ssl: true }, 'not an address'],
    [{ url: 'mysql://user@[::1]/names', ssl: true }, 'not an address'],
    [{ url, ssl: { verify: false } }, 'unknown option "ssl.verify"; there are: ca, cert, key, allowAnyServer'],
    [{ url, ssl: { key: SECRET } }, 'ssl.cert and ssl.key go together'],
    [{ url, ssl: { key: SECRET, cert: SECRET } }, 'must be a certificate and its key in PEM form'],
    [{ url, ssl: { ca: SECRET } }, 'ssl.ca must be a certificate, or several, in PEM form'],
    [{ url, ssl: { ca: [SECRET] } }, 'ssl.ca must be a text'],
    [{ url, ssl: { allowAnyServer: 1 } }, 'ssl.allowAnyServer must be true or false'],
    [{ url, table: 'names; DROP TABLE users' }, 'table must be up to 64 letters'],
    [{ url, table: '`names`' }, 'table must be'],
    [{ url, table: '1st' }, 'table must be'],
    [{ url, table: 'x'.repeat(65) }, 'table must be'],
    [{ url, ttlMs: 0 }, 'ttlMs must be a whole number'],
    [{ url, ttlMs: 1.5 }, 'ttlMs must be a whole number'],
    [{ url, timeoutMs: Infinity }, 'timeoutMs must be a whole number'],
    [{ url, timeoutMs: '2000' }, 'timeoutMs must be a whole number'],
    [{ url, connections: 65 }, 'connections must be a whole number from 1 to 64'],
    [{ url, createTable: 'no' }, 'createTable must be true or false'],
  ])('that can’t be are refused at once, without a secret in the message: %#', (options, problem) => {
    expect(refusal(options)).toContain(problem)
  })

  it('with a secret in them don’t show in the store', () => {
    expect(inspect(new MysqlLocations({ url }), { depth: 9, showHidden: true })).not.toContain(SECRET)
  })
})

it('a place is a URL or its parts: the compiler refuses none and both', () => {
  // @ts-expect-error -- nowhere
  expect(() => checkOptions({})).toThrow('or give a url')
  // @ts-expect-error -- both
  expect(() => checkOptions({ url: 'mysql://u:p@h/d', host: 'h' })).toThrow('exclude each other')
})
