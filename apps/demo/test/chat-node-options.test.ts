import { describe, expect, it } from 'vitest'

import { parseChatNodeOptions } from '../src/chat-node-options.ts'
import { OptionError } from '../src/option-error.ts'

const GOOD = '--name chat1@127.0.0.1 --port 8081 --mesh-port 7001'

const parse = (line: string, cookie: string | undefined = 'secret', store?: string) =>
  parseChatNodeOptions(line.split(' ').filter(Boolean), { PIDMESH_COOKIE: cookie, PIDMESH_STORE: store })

describe('the command line of a chat node', () => {
  it('tells who it is, where it listens and whom it knows', () => {
    const more = '--seed 127.0.0.1:7001 --seed 127.0.0.1:7002 --url-of chat2@127.0.0.1=http://127.0.0.1:8082/'
    expect(parse(`${GOOD} ${more}`)).toEqual({
      do: 'start',
      options: {
        name: 'chat1@127.0.0.1',
        host: '127.0.0.1',
        port: 8081,
        meshPort: 7001,
        seeds: ['127.0.0.1:7001', '127.0.0.1:7002'],
        cookie: 'secret',
        names: { via: 'global-ets' },
        urls: [
          { name: 'chat1@127.0.0.1', url: 'http://127.0.0.1:8081' },
          { name: 'chat2@127.0.0.1', url: 'http://127.0.0.1:8082' },
        ],
      },
    })
  })

  it('needs the cookie from the environment', () => {
    expect(() => parse(GOOD, '')).toThrow('PIDMESH_COOKIE')
  })

  it("takes the store's address from the environment, if names are kept in one", () => {
    const names = { via: 'redis', store: 'redis://127.0.0.1:6379' }
    expect(parse(`${GOOD} --via redis`, 'secret', names.store)).toMatchObject({ options: { names } })
    expect(parse(GOOD, 'secret', names.store)).toMatchObject({ options: { names: { via: 'global-ets' } } })
    const like = 'the environment variable PIDMESH_STORE takes, with --via kafka, an address like 127.0.0.1:9092'
    expect(() => parse(`${GOOD} --via kafka`)).toThrow(new OptionError(like))
  })

  it.each([
    ['--port 8081 --mesh-port 7001', '--name is missing'],
    ['--name chat1@127.0.0.1 --port 8081', '--mesh-port is missing'],
    [GOOD.replace('8081', '0'), '--port takes a whole number from 1 to 65535, not "0"'],
    [GOOD.replace('@', '-'), '--name takes a name like chat1@127.0.0.1, not "chat1-127.0.0.1"'],
    [`${GOOD} --seed 7001`, '--seed takes an address like 127.0.0.1:7001, not "7001"'],
    [`${GOOD} --via x`, '--via takes one of global-ets, redis, mysql, kafka, redis-pubsub, not "x"'],
    [`${GOOD} --cookie x`, "unknown option '--cookie'"],
    [
      `${GOOD} --url-of chat2=ftp://x`,
      '--url-of takes a pair like chat1@127.0.0.1=http://127.0.0.1:8081, not "chat2=ftp://x"',
    ],
  ])('refuses %s with one line', (line, message) => {
    expect(() => parse(line)).toThrow(new OptionError(message))
  })
})
