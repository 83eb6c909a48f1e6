import { StoreError } from '@pidmesh/via-kit'
import { ErrorReply } from 'redis'
import { describe, expect, it } from 'vitest'
import { Bound, MAX_BYTES, MAX_CALLS } from '../src/bound.ts'
import type { Connection } from '../src/connection.ts'
import { redirectionOf, storeError } from '../src/errors.ts'
import { OnDemand, pauseMs } from '../src/on-demand.ts'
import { groupsOf } from '../src/redis-locations.ts'

describe('pauses between attempts', () => {
  it('grow up to a second, and are of random length', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 100].map((failures) => pauseMs(failures, 1))).toEqual([
      50, 100, 200, 400, 800, 1_000, 1_000, 1_000,
    ])
    expect(pauseMs(100, 0)).toBe(500)
  })
})

describe('a connection on demand', () => {
  const open = { isOpen: true } as Connection

  it('is opened once for all who ask meanwhile, in their order', async () => {
    let opened = 0
    const connection = new OnDemand(() => {
      opened++
      return Promise.resolve(open)
    })
    const order: number[] = []
    await Promise.all([1, 2, 3].map((who) => connection.get().then(() => order.push(who))))
    await connection.get()
    expect([opened, order]).toEqual([1, [1, 2, 3]])
  })

  it('that has failed is not tried again before the pause is over', async () => {
    let opened = 0
    const connection = new OnDemand(() => Promise.reject(new Error(`${++opened}`)))
    await expect(connection.get()).rejects.toThrow('1')
    await expect(connection.get()).rejects.toThrow('1')
    await expect.poll(() => connection.get().catch((error: Error) => error.message)).toBe('2')
  })
})

describe('a connection on demand that is ended', () => {
  it('is so also if it is just being opened', async () => {
    let ended = 0
    const opened = { isOpen: true, end: () => void ended++ } as Partial<Connection> as Connection
    let open: (connection: Connection) => void = () => undefined
    const connection = new OnDemand(
      () =>
        new Promise((resolve) => {
          open = resolve
        }),
    )
    const got = connection.get()
    connection.end()
    expect(ended).toBe(0)
    open(opened)
    await got
    expect(ended).toBe(1)
  })
})

describe('what waits', () => {
  it('is bounded in number and in bytes, and what has come back makes room', () => {
    const bound = new Bound()
    const release = bound.take('here', MAX_BYTES)
    expect(() => bound.take('here', 1)).toThrow(StoreError)
    release()
    const releases = Array.from({ length: MAX_CALLS }, () => bound.take('here', 0))
    expect(() => bound.take('here', 0)).toThrow(expect.objectContaining({ code: 'ERR_STORE_OVERLOADED' }))
    releases[0]?.()
    bound.take('here', 0)
  })

  it('may be larger than all that may wait, if it waits alone', () => {
    const bound = new Bound()
    bound.take('here', MAX_BYTES * 2)
    expect(() => bound.take('here', 0)).toThrow(StoreError)
  })
})

describe('rows with a name twice', () => {
  it('are written one after the other, and all others at once', () => {
    const rows = ['a', 'b', 'a', 'c', 'c'].map((name) => ({ name }))
    expect(groupsOf(rows).map((group) => group.map(({ name }) => name).join(''))).toEqual(['ab', 'ac', 'c'])
    expect(groupsOf([])).toEqual([])
  })
})

describe('what Redis says', () => {
  it.each([
    ['WRONGPASS invalid username-password pair', 'ERR_STORE_UNFIT'],
    ['NOAUTH Authentication required.', 'ERR_STORE_UNFIT'],
    ["NOPERM User somebody has no permissions to run the 'eval' command", 'ERR_STORE_UNFIT'],
    ["READONLY You can't write against a read only replica.", 'ERR_STORE_UNFIT'],
    ["ERR Error running script: @user_script:9: -READONLY You can't write", 'ERR_STORE_UNFIT'],
    ["ERR unknown command 'SPUBLISH', with args beginning with: somebody", 'ERR_STORE_UNFIT'],
    ['LOADING Redis is loading the dataset in memory', 'ERR_STORE_UNAVAILABLE'],
    ['CLUSTERDOWN The cluster is down', 'ERR_STORE_UNAVAILABLE'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'ERR_STORE_UNAVAILABLE'],
    ['ERR max number of clients reached', 'ERR_STORE_UNAVAILABLE'],
    ['MISCONF Redis is configured to save RDB snapshots', 'ERR_STORE_UNAVAILABLE'],
    // By Redis 6, of a script.
    [
      "ERR Error running script (call to f_0a9a51): @user_script:24: @user_script: 24: -OOM command not allowed when used memory > 'maxmemory'. ",
      'ERR_STORE_UNAVAILABLE',
    ],
    [
      'ERR Error running script (call to f_0a9a51): @user_script:24: @user_script: 24: -MISCONF Redis is configured to save RDB snapshots. ',
      'ERR_STORE_UNAVAILABLE',
    ],
  ])('%s: %s, and nothing of it is passed on but its first word', (reply, code) => {
    const error = storeError(new ErrorReply(reply), 'host:1')
    expect(error).toMatchObject({ name: 'StoreError', code })
    expect(error.message).toMatch(/host:1/)
    expect(error.message).not.toMatch(/somebody|user_script/)
    expect(error.cause).toBeUndefined()
  })

  it('where it sends a question is read', () => {
    const read = (message: string): unknown => redirectionOf(new ErrorReply(message))
    expect(read('MOVED 3999 127.0.0.1:6381')).toEqual({ type: 'moved', slot: 3_999, host: '127.0.0.1', port: 6_381 })
    expect(read('ASK 1 ::1:7')).toEqual({ type: 'ask', slot: 1, host: '::1', port: 7 })
    expect(read('MOVED 1 :7')).toEqual({ type: 'moved', slot: 1, host: '', port: 7 })
    expect(read('ERR no')).toBeUndefined()
    expect(redirectionOf(new Error('MOVED 1 a:7'))).toBeUndefined()
  })
})
