import { StoreError } from '@pidmesh/via-kit'
import type { MysqlOptions } from '@pidmesh/via-mysql'
import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { describeServers, row, useServer } from './servers.ts'

const SECRET = 'tell-nobody'
const MEDIUMBLOB_BYTES = 0xff_ffff
const COLUMNS = {
  name: 'VARBINARY(256) NOT NULL PRIMARY KEY',
  owner: 'VARBINARY(200) NOT NULL',
  value: 'MEDIUMBLOB NOT NULL',
  epoch: 'BIGINT NOT NULL',
  last_active_at: 'DATETIME(6) NOT NULL, KEY (last_active_at)',
}

describeServers('what can’t be used', (server) => {
  const fixture = useServer(server, { more: server.withoutTls })

  /** The message with which a start is refused. It, and all that a log could show of it, has no secret in it. */
  async function refusal(options: MysqlOptions): Promise<string> {
    const store = fixture.store(options)
    const error: unknown = await store.start().catch((reason: unknown) => reason)
    if (!(error instanceof StoreError)) throw error
    expect(error.code).toBe('ERR_STORE_UNFIT')
    const { username, password } = new URL(fixture.service.url)
    const shown = [
      error.stack,
      inspect(error, { depth: 9, showHidden: true }),
      JSON.stringify(error),
      inspect(store, { depth: 9 }),
    ]
    for (const secret of [SECRET, password, `'${username}'`, 'limited_user']) expect(shown.join()).not.toContain(secret)
    await store.stop()
    return error.message
  }

  async function makeTable(changed: Partial<Record<keyof typeof COLUMNS, string>>, more: string = ''): Promise<string> {
    const table = fixture.freshTable()
    const columns = Object.entries({ ...COLUMNS, ...changed }).filter(([, type]) => type !== '')
    await fixture.admin.query(
      `CREATE TABLE pidmesh.${table} (${columns.map(([name, type]) => `${name} ${type}`).join()}) ${more}`,
    )
    return table
  }

  /** Of a user that may only do so much. */
  async function limited(rights: string, table: string): Promise<string> {
    await fixture.admin.query(
      `DROP USER IF EXISTS 'limited_user'@'127.0.0.1'; CREATE USER 'limited_user'@'127.0.0.1' IDENTIFIED BY '${SECRET}'; GRANT ${rights} ON pidmesh.${table} TO 'limited_user'@'127.0.0.1'`,
    )
    return `mysql://limited_user:${SECRET}@127.0.0.1:${fixture.service.port}/pidmesh`
  }

  it('a store that has started shows no password, whoever shows or logs it', async () => {
    const store = await fixture.startStore()
    const { password } = new URL(fixture.service.url)
    expect(`${inspect(store, { depth: 50, showHidden: true })} ${JSON.stringify(store)}`).not.toContain(password)
  })

  it('a wrong password, user or database is told as what it is', async () => {
    const { port, username, password } = new URL(fixture.service.url)
    const where = { host: '127.0.0.1', port: Number(port), user: username, password, database: 'pidmesh' }
    expect(await refusal({ ...where, password: SECRET })).toContain('the user or the password is wrong')
    expect(await refusal({ ...where, user: SECRET })).toContain('the user or the password is wrong')
    expect(await refusal({ ...where, database: SECRET })).toContain('the user has no right to the database')
    const admin = new URL(fixture.service.adminUrl)
    const asAdmin = { ...where, user: admin.username, password: admin.password }
    expect(await refusal({ ...asAdmin, database: SECRET })).toContain('there is no such database')
  })

  it('an account that is locked, and one whose password has expired, are told as what they are', async () => {
    const table = fixture.freshTable()
    const url = await limited('ALL', table)
    const alter = (what: string): Promise<unknown> =>
      fixture.admin.query(`ALTER USER 'limited_user'@'127.0.0.1' ${what}`)
    await alter('ACCOUNT LOCK')
    expect(await refusal({ url, table })).toContain('the account of the user is locked')
    await alter('ACCOUNT UNLOCK')
    await alter('PASSWORD EXPIRE')
    expect(await refusal({ url, table })).toContain('the password of the user has expired')
  })

  it('a server without TLS is no server for who asks for TLS', async () => {
    const { url } = fixture.service
    expect(await refusal({ url, ssl: { allowAnyServer: true } })).toContain('HANDSHAKE_NO_SSL_SUPPORT')
  })

  it('a table that was made by hand is fit', async () => {
    const tables = [
      await makeTable({}),
      await makeTable({ value: 'LONGBLOB NOT NULL', epoch: 'BIGINT UNSIGNED NOT NULL' }),
      await makeTable({
        last_active_at:
          'DATETIME(3) NOT NULL, KEY (last_active_at), note TEXT, at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP',
      }),
      await makeTable({ name: 'VARBINARY(300) NOT NULL PRIMARY KEY', owner: 'VARBINARY(255) NOT NULL' }),
    ]
    for (const table of tables) {
      const store = await fixture.startStore({ table, createTable: false })
      expect(await store.put([row('a', '1')])).toEqual([true])
      expect(await store.put([row('a', '2')])).toEqual([false])
      expect(await store.take([row('a', '2')])).toMatchObject([{ former: Buffer.from('a of 1') }])
      expect((await store.find(['a'])).map(String)).toEqual(['a of 2'])
    }
  })

  it.each([
    [{ name: 'VARCHAR(256) NOT NULL PRIMARY KEY' }, 'name is of type varchar, not varbinary'],
    [{ name: 'VARBINARY(64) NOT NULL PRIMARY KEY' }, 'name has 64 bytes, not 256'],
    [{ name: 'VARBINARY(256) NOT NULL, KEY (name)' }, 'its primary key is not name, all of it and nothing else'],
    [{ name: 'VARBINARY(256) NOT NULL, PRIMARY KEY (name, epoch)' }, 'its primary key is not name'],
    [{ name: 'VARBINARY(256) NOT NULL, PRIMARY KEY (name(8))' }, 'its primary key is not name'],
    [{ owner: '' }, 'it has no column owner'],
    [{ owner: 'VARBINARY(200)' }, 'owner may be NULL'],
    [{ owner: 'VARBINARY(200) NOT NULL, UNIQUE one_each (owner)' }, 'it has another unique index, one_each'],
    [{ value: 'BLOB NOT NULL' }, 'value is of type blob, not mediumblob or longblob'],
    [{ epoch: 'INT NOT NULL' }, 'epoch is of type int, not bigint'],
    [{ last_active_at: 'DATETIME(6) NOT NULL' }, 'it has no index of last_active_at'],
    [{ last_active_at: 'DATETIME NOT NULL, KEY (last_active_at)' }, 'last_active_at has 0 digits of a second, not 3'],
  ])('a table of another shape is refused, and what differs is told: %j', async (changed, difference) => {
    const table = await makeTable(changed)
    const message = await refusal({ url: fixture.service.url, table })
    expect(message).toContain(`the table ${table} is not as it must be: `)
    expect(message).toContain(difference)
  })

  it('a table without transactions is refused, as is one into which no row can be written', async () => {
    const { url } = fixture.service
    expect(await refusal({ url, table: await makeTable({}, 'ENGINE = MyISAM') })).toContain('its engine is MyISAM')
    const table = await makeTable({ owner: 'VARBINARY(200) NOT NULL, more INT NOT NULL' })
    expect(await refusal({ url, table })).toContain('a column without which no row can be written')
    const view = fixture.freshTable()
    await fixture.admin.query(`CREATE VIEW pidmesh.${view} AS SELECT * FROM pidmesh.${await makeTable({})}`)
    expect(await refusal({ url, table: view })).toContain('its engine is none')
  })

  it('a user without the rights is told so', async () => {
    const table = await makeTable({})
    for (const rights of ['SELECT', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT, DELETE'])
      expect(await refusal({ url: await limited(rights, table), table })).toContain('the user lacks a right')
    expect(await refusal({ url: await limited('INSERT, UPDATE, DELETE', table), table })).toContain('lacks a right')
    const absent = fixture.freshTable()
    expect(await refusal({ url: await limited('SELECT', table), table: absent })).toContain('the user lacks a right')
    const options = { url: await limited('SELECT', table), table: absent, createTable: false }
    expect(await refusal(options)).toContain(`the table ${absent} is not there, or the user has no right to it`)
  })

  it('SELECT, INSERT, UPDATE and DELETE on a table that is there are all that is needed', async () => {
    const table = await makeTable({})
    const store = await fixture.startStore({ url: await limited('SELECT, INSERT, UPDATE, DELETE', table), table })
    expect(await store.put([row('a', '1')])).toEqual([true])
    await store.take([row('a', '2')])
    await store.release([row('a', '2')])
    expect(await store.sweep()).toBe(0)
  })

  it('a server that is read-only is refused, one that becomes so says so, and works when it is over', async () => {
    const store = await fixture.startStore()
    await fixture.admin.query('SET GLOBAL read_only = 1')
    try {
      expect(await refusal({ url: fixture.service.url })).toContain('it is read-only')
      for (const write of [() => store.put([row('a', '1')]), () => store.take([row('a', '1')])])
        await expect(write()).rejects.toMatchObject({ code: 'ERR_STORE_UNFIT' })
      expect(await store.find(['a'])).toEqual([undefined])
    } finally {
      await fixture.admin.query('SET GLOBAL read_only = 0')
    }
    expect(await store.put([row('a', '1')])).toEqual([true])
  })

  it('a value that is larger than what the server takes is refused, and the next call works', async () => {
    const table = fixture.freshTable()
    const store = await fixture.startStore({ table })
    const large = { name: 'a', owner: '1', value: new Uint8Array(MEDIUMBLOB_BYTES + 1) }
    await expect(store.put([large])).rejects.toMatchObject({ name: 'StoreError' })
    expect(await store.put([row('a', '1')])).toEqual([true])
  })

  it('nodes that start at once make one table, and all are fit', async () => {
    const table = fixture.freshTable()
    const stores = await Promise.all(Array.from({ length: 6 }, () => fixture.startStore({ table })))
    const told = await Promise.all(stores.map((store, at) => store.put([row('a', `${at}`)])))
    expect(told.flat().filter(Boolean)).toHaveLength(1)
  })

  it('the sql_mode and the isolation of the server make no difference', async () => {
    await fixture.admin.query(
      `SET GLOBAL sql_mode = '${server.sqlModes}'; SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE; SET GLOBAL autocommit = 0`,
    )
    try {
      const table = fixture.freshTable()
      const [one, other] = [await fixture.startStore({ table }), await fixture.startStore({ table })]
      expect(await one.put([row("a'\\", '1')])).toEqual([true])
      await fixture.age(table, 40_000)
      expect(await other.put([row("a'\\", '2')])).toEqual([true])
      expect((await one.find(["a'\\"])).map(String)).toEqual(["a'\\ of 2"])
      await one.release([row("a'\\", '2')])
      expect(await other.find(["a'\\"])).toEqual([undefined])
    } finally {
      await fixture.admin.query(
        'SET GLOBAL sql_mode = DEFAULT; SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET GLOBAL autocommit = 1',
      )
    }
  })
})
