import { freePort } from '@pidmesh/dev-services'
import { createConnection } from 'mysql2/promise'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { answerOf, describeServers, row, textOf, useServer } from './servers.ts'

const TIMEOUT_MS = 1_000
/** Beside the deadline: this process may be busy. */
const SLACK_MS = 4_000

/** The code with which it rejects, and expects that it does so in time. */
async function codeOf(call: Promise<unknown>, withinMs: number = TIMEOUT_MS): Promise<string> {
  const begunMs = performance.now()
  const error: unknown = await call.then(
    () => new Error('it did not reject'),
    (reason: unknown) => reason,
  )
  expect(performance.now() - begunMs).toBeLessThan(withinMs + SLACK_MS)
  if (!(error instanceof Error && 'code' in error)) throw error
  return String(error.code)
}

/** That of the administrator is one of them. */
function sockets(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length
}

describeServers('a server that fails', (server) => {
  const fixture = useServer(server)

  afterEach(() => fixture.service.resume())

  async function connectionsOfStores(): Promise<number> {
    const [rows] = await fixture.admin.query(
      "SELECT COUNT(*) AS count FROM information_schema.processlist WHERE user = 'pidmesh'",
    )
    return (rows as [{ count: number }])[0].count
  }

  /** Resolves when a statement of a store waits for a lock. */
  async function lockWait(): Promise<void> {
    await expect
      .poll(
        async () => {
          const [rows] = await fixture.admin.query(
            "SELECT COUNT(*) AS count FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
          )
          return (rows as [{ count: number }])[0].count
        },
        // It is brought up to date if nobody has looked for 100 ms.
        { interval: 150 },
      )
      .toBe(1)
  }

  it('nobody listens at the start: it rejects', async () => {
    const [port, where] = [await freePort(), { user: 'u', password: 'p', database: 'd' }]
    const store = fixture.store({ host: '127.0.0.1', port, ...where, timeoutMs: TIMEOUT_MS })
    expect(await codeOf(store.start())).toBe('ERR_STORE_UNAVAILABLE')
    await store.stop()
  })

  it('somebody listens who says nothing: the start rejects in time, and cuts the connection off', async () => {
    const silent: Socket[] = []
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      silent.push(socket)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const where = { host: '127.0.0.1', port, user: 'u', database: 'd', timeoutMs: TIMEOUT_MS }
    expect(await codeOf(fixture.store(where).start())).toBe('ERR_STORE_UNAVAILABLE')
    await expect.poll(() => silent[0]?.readyState === 'open' || silent[0]?.resume().closed).toBe(true)
    server.close()
    await once(server, 'close')
  })

  it('somebody listens who says nothing, and is asked again and again: it is dialed with pauses, and calls in between reject at once', async () => {
    let dialed = 0
    const silent = createServer((socket) => {
      dialed++
      socket.on('error', () => undefined).resume()
    }).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const store = fixture.store({ host: '127.0.0.1', port, user: 'u', database: 'd', timeoutMs: 20 })
    const untilMs = performance.now() + 600
    let calls = 0
    for (; performance.now() < untilMs; calls++) expect(await codeOf(store.start())).toBe('ERR_STORE_UNAVAILABLE')
    // Pauses of 25, 50, 100 and 200 ms at the least; without them it is dialed thirty times.
    expect(dialed).toBeLessThanOrEqual(6)
    expect(calls).toBeGreaterThan(dialed)
    silent.close()
  })

  it('somebody listens who is no database server: the start rejects', async () => {
    for (const greeting of ['HTTP/1.1 400 Bad Request\r\n\r\n', '\x01\0\0\0\xff', '\xff\xff\xff\xff'.repeat(10)]) {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.end(greeting, 'latin1')
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const where = { host: '127.0.0.1', port, user: 'u', database: 'd', timeoutMs: TIMEOUT_MS }
      expect(await codeOf(fixture.store(where).start())).toMatch(/^ERR_STORE_/)
      server.close()
      await once(server, 'close')
    }
  })

  it('before start and after stop calls reject, and after the next start they work', async () => {
    const store = fixture.store({ table: fixture.freshTable() })
    expect(await codeOf(store.put([row('a', '1')]))).toBe('ERR_STORE_UNAVAILABLE')
    await store.start()
    await store.put([row('a', '1')])
    await store.stop()
    expect(await codeOf(store.find(['a']))).toBe('ERR_STORE_UNAVAILABLE')
    await store.start()
    expect((await store.find(['a'])).map(textOf)).toEqual(['a of 1'])
  })

  it('a server is killed in the midst of calls: they reject, as do all until it is back; then the same store works', async () => {
    const store = await fixture.startStore({ timeoutMs: TIMEOUT_MS })
    await answerOf(() => store.put([row('a', '1')]))
    fixture.service.pause()
    const underWay = [store.put([row('b', '1')]), store.find(['a']), store.find(['b'])].map((call) => codeOf(call))
    await fixture.service.kill()
    expect(new Set(await Promise.all(underWay))).toEqual(new Set(['ERR_STORE_UNAVAILABLE']))
    for (let call = 0; call < 5; call++) expect(await codeOf(store.find(['a']))).toBe('ERR_STORE_UNAVAILABLE')
    await fixture.service.startAgain()
    await fixture.adminAgain()
    expect((await answerOf(() => store.find(['a']))).map(textOf)).toEqual(['a of 1'])
    expect(await answerOf(() => store.put([row('a', '1'), row('c', '1')]))).toEqual([true, true])
  })

  it('a server was away and is back while nobody called: the next call works', async () => {
    const store = await fixture.startStore({ timeoutMs: TIMEOUT_MS })
    const before = sockets()
    await fixture.service.kill()
    await expect.poll(sockets).toBeLessThan(before)
    await fixture.service.startAgain()
    await fixture.adminAgain()
    expect(await answerOf(() => store.put([row('a', '1')]))).toEqual([true])
  })

  it('somebody ends its connections: the next call works', async () => {
    const store = await fixture.startStore()
    await Promise.all([store.find(['a']), store.find(['b'])])
    const [connections] = await fixture.admin.query(
      "SELECT id FROM information_schema.processlist WHERE user = 'pidmesh'",
    )
    for (const { id } of connections as { id: number }[]) await fixture.admin.query('KILL ?', [id])
    await expect.poll(connectionsOfStores).toBe(0)
    await expect.poll(() => store.put([row('a', '1')]).catch(() => undefined)).toEqual([true])
  })

  it('a server stands still: each call rejects in time, those that wait as well, and too many at once', async () => {
    const store = await fixture.startStore({ timeoutMs: TIMEOUT_MS })
    await Promise.all([answerOf(() => store.put([row('a', '1')])), answerOf(() => store.find(['a']))])
    fixture.service.pause()
    const codes = await Promise.all(Array.from({ length: 300 }, () => codeOf(store.find(['a']))))
    expect(codes.filter((code) => code === 'ERR_STORE_UNAVAILABLE')).toHaveLength(2 + 256)
    expect(codes.filter((code) => code === 'ERR_STORE_OVERLOADED')).toHaveLength(42)
    // Those connections are new: the ones that were stuck are gone.
    expect(await codeOf(store.find(['a']))).toBe('ERR_STORE_UNAVAILABLE')
    fixture.service.resume()
    // After the pause that follows a handshake that was broken off.
    await expect
      .poll(() =>
        store.find(['a']).then(
          (found) => found.map(textOf),
          () => 'not yet',
        ),
      )
      .toEqual(['a of 1'])
  })

  it('an answer that is late is nobody’s, and its connection is not used again', async () => {
    const store = await fixture.startStore({ timeoutMs: TIMEOUT_MS, connections: 1 })
    await answerOf(() => store.put([row('a', '1'), row('b', '1')]))
    for (let round = 0; round < 3; round++) {
      await expect.poll(sockets).toBe(2)
      fixture.service.pause()
      expect(await codeOf(store.find(['a']))).toBe('ERR_STORE_UNAVAILABLE')
      await expect.poll(sockets).toBe(1)
      fixture.service.resume()
      expect((await answerOf(() => store.find(['b']))).map(textOf)).toEqual(['b of 1'])
    }
    await expect.poll(connectionsOfStores).toBe(1)
  })

  it('there are never more connections than were asked for, and those that are idle are used again', async () => {
    const store = await fixture.startStore({ connections: 3 })
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 40 }, (_, at) => store.put([row(`${at}`, '1')])))
      expect(await connectionsOfStores()).toBe(3)
    }
  })

  it('somebody holds a row: the call rejects in time, others work, and that one when it is let go', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table, timeoutMs: TIMEOUT_MS })
    await answerOf(() => store.put([row('a', '1'), row('b', '1')]))
    await fixture.admin.query(`START TRANSACTION; SELECT * FROM ${table} WHERE name = 'a' FOR UPDATE`)
    expect(await codeOf(store.put([row('a', '1')]))).toBe('ERR_STORE_UNAVAILABLE')
    expect(await answerOf(() => store.put([row('b', '1')]))).toEqual([true])
    expect((await answerOf(() => store.find(['a']))).map(textOf)).toEqual(['a of 1'])
    await fixture.admin.query('ROLLBACK')
    await expect.poll(() => store.put([row('a', '1')]).catch(() => undefined)).toEqual([true])
  })

  it('a wait for a lock that the server gives up is made again, while there is time', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table, timeoutMs: 6_000 })
    await store.put([row('a', '1')])
    await fixture.admin.query('SET GLOBAL innodb_lock_wait_timeout = 50')
    await fixture.admin.query(`START TRANSACTION; SELECT * FROM ${table} WHERE name = 'a' FOR UPDATE`)
    const put = store.put([row('a', '1', 'later')])
    const gaveUp = async (): Promise<number> => {
      const [rows] = await fixture.admin.query("SHOW GLOBAL STATUS LIKE 'Com_rollback'")
      return Number((rows as [{ Value: string }])[0].Value)
    }
    const before = await gaveUp()
    await expect.poll(gaveUp).toBeGreaterThan(before)
    await fixture.admin.query('ROLLBACK')
    expect(await put).toEqual([true])
    expect((await store.find(['a'])).map(textOf)).toEqual(['later'])
  })

  it('the victim of a deadlock tries again, and its caller sees nothing of it', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table })
    await store.put(Array.from({ length: 100 }, (_, at) => row(`heavy ${at}`, '1')))
    await store.put([row('a', '1'), row('b', '1')])
    // The one that has written more is spared.
    await fixture.admin.query(`START TRANSACTION; UPDATE ${table} SET epoch = epoch + 1 WHERE name LIKE 'heavy%'`)
    await fixture.admin.query(`SELECT * FROM ${table} WHERE name = 'b' FOR UPDATE`)
    const taken = store.take([row('b', '2'), row('a', '2')])
    await lockWait()
    await fixture.admin.query(`SELECT * FROM ${table} WHERE name = 'a' FOR UPDATE`)
    await fixture.admin.query('COMMIT')
    expect((await taken).map(({ former }) => textOf(former))).toEqual(['b of 1', 'a of 1'])
    expect(await store.put([row('a', '1'), row('b', '2')])).toEqual([false, true])
  })

  it('an epoch is of the moment in which the name is had, not of that in which a take began to wait for it', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table })
    await store.put([row('a', '1')])
    await fixture.admin.query(`START TRANSACTION; DELETE FROM ${table} WHERE name = 'a'`)
    const taken = store.take([row('a', '2'), row('a', '3')])
    await lockWait()
    // What a take would have got that has come in between, and was released.
    const [rows] = await fixture.admin.query(
      "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS epoch; COMMIT",
    )
    const [[{ epoch }]] = rows as unknown as [[{ epoch: number }]]
    const [first, second] = await taken
    expect(first?.epoch).toBeGreaterThan(epoch)
    expect(second?.epoch).toBe((first?.epoch ?? 0) + 1)
  })

  it('a node that is gone in the midst of a call leaves no row locked', async () => {
    const table = fixture.freshTable()
    const [gone, other] = [await fixture.startStore({ table }), await fixture.startStore({ table })]
    for (let round = 0; round < 20; round++) {
      const put = gone.take([row('a', '1'), row('b', '1')]).catch(() => undefined)
      await gone.stop()
      await put
      await other.take([row('a', '2'), row('b', '2')])
      await gone.start()
    }
    expect(await other.put([row('a', '2')])).toEqual([true])
  })

  it('the table is dropped: it is made again, empty, and puts restore what was in it', async () => {
    const table = fixture.freshTable()
    const [one, other] = [await fixture.startStore({ table }), await fixture.startStore({ table })]
    await one.put([row('a', '1')])
    for (const call of ['find', 'put', 'take', 'release', 'sweep']) {
      await fixture.admin.query(`DROP TABLE pidmesh.${table}`)
      if (call === 'find') expect(await one.find(['a'])).toEqual([undefined])
      if (call === 'put') expect(await one.put([row('a', '1')])).toEqual([true])
      if (call === 'take') expect(await one.take([row('a', '1')])).toMatchObject([{ former: undefined }])
      if (call === 'release') expect(await one.release([row('a', '1')])).toEqual([true])
      if (call === 'sweep') expect(await one.sweep()).toBe(0)
    }
    await fixture.admin.query(`DROP TABLE pidmesh.${table}`)
    const told = await Promise.all([one.put([row('a', '1')]), other.put([row('b', '2')])])
    expect(told).toEqual([[true], [true]])
    expect((await other.find(['a', 'b'])).map(textOf)).toEqual(['a of 1', 'b of 2'])
  })

  it('the table is dropped where it must not be made: calls reject, until somebody makes it', async () => {
    const table = fixture.freshTable()
    await fixture.startStore({ table })
    const store = await fixture.startStore({ table, createTable: false })
    await fixture.admin.query(`DROP TABLE pidmesh.${table}`)
    expect(await codeOf(store.put([row('a', '1')]))).toBe('ERR_STORE_UNFIT')
    expect(await codeOf(store.find(['a']))).toBe('ERR_STORE_UNFIT')
    await fixture.startStore({ table })
    expect(await store.put([row('a', '1')])).toEqual([true])
  })

  it('the table is emptied: nobody has a name, and puts restore them', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table })
    const [before] = await store.take([row('a', '1')])
    await fixture.admin.query(`TRUNCATE pidmesh.${table}`)
    expect(await store.find(['a'])).toEqual([undefined])
    expect(await store.put([row('a', '1')])).toEqual([true])
    const [after] = await store.take([row('a', '2')])
    expect(after?.epoch).toBeGreaterThan(before?.epoch ?? Infinity)
  })

  it('the table is changed under way: calls reject', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table })
    await fixture.admin.query(`ALTER TABLE pidmesh.${table} DROP COLUMN value`)
    expect(await codeOf(store.find(['a']))).toBe('ERR_STORE_UNFIT')
    expect(await codeOf(store.put([row('a', '1')]))).toBe('ERR_STORE_UNFIT')
  })

  it('somebody else holds the whole table: a call rejects in time, and leaves nothing behind that waits', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table, timeoutMs: TIMEOUT_MS })
    await fixture.admin.query(`LOCK TABLES ${table} WRITE`)
    expect(await codeOf(store.put([row('a', '1')]))).toBe('ERR_STORE_UNAVAILABLE')
    await expect.poll(connectionsOfStores).toBe(0)
    await fixture.admin.query('UNLOCK TABLES')
    expect(await answerOf(() => store.put([row('a', '1')]))).toEqual([true])
  })

  it('a server is full of connections: the start rejects', async () => {
    await fixture.admin.query('SET GLOBAL max_connections = 10')
    const others = []
    try {
      for (let at = 0; at < 10; at++) others.push(await createConnection(fixture.service.url).catch(() => undefined))
      expect(await codeOf(fixture.store({ timeoutMs: TIMEOUT_MS }).start())).toBe('ERR_STORE_UNAVAILABLE')
    } finally {
      for (const other of others) other?.destroy()
      await fixture.admin.query('SET GLOBAL max_connections = 100')
    }
  })

  it('a stop fails what is under way and what waits, also while the server stands still, and leaves no socket', async () => {
    const store = await fixture.startStore({ timeoutMs: 30_000 })
    await Promise.all([store.find(['a']), store.find(['a'])])
    await expect.poll(sockets).toBe(3)
    fixture.service.pause()
    const calls = Array.from({ length: 5 }, () => codeOf(store.find(['a']), 0))
    // Two are at the server by now, and three wait.
    await new Promise(setImmediate)
    await store.stop()
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['ERR_STORE_UNAVAILABLE']))
    await expect.poll(sockets).toBe(1)
  })

  it('a stop with nothing under way leaves no socket, whether the server answers or not', async () => {
    for (const isPaused of [false, true]) {
      const store = await fixture.startStore()
      await Promise.all([store.find(['a']), store.find(['a'])])
      if (isPaused) fixture.service.pause()
      await store.stop()
      await expect.poll(sockets).toBe(1)
    }
  })

  it('a stop in the midst of a start, and another start: the second one is started', async () => {
    const store = fixture.store({ table: fixture.freshTable() })
    const first = store.start().catch(({ code }) => code as string)
    await store.stop()
    await store.start()
    expect(await first).toBe('ERR_STORE_UNAVAILABLE')
    expect(await store.put([row('a', 'one')])).toEqual([true])
  })

  it('a stop in the midst of a start fails it', async () => {
    const store = fixture.store({ table: fixture.freshTable() })
    const started = codeOf(store.start(), 0)
    await store.stop()
    expect(await started).toBe('ERR_STORE_UNAVAILABLE')
  })
})
