/**
 * A MariaDB, and a MySQL, for the tests of one file, or why there is none: then they are skipped, and one line says so.
 */
import {
  mariadbMissing,
  mustSkip,
  mysqlMissing,
  startMariadb,
  startMysql,
  type SqlServerOptions,
  type SqlService,
} from '@pidmesh/dev-services'
import { StoreError, type LocationRow } from '@pidmesh/via-kit'
import { MysqlLocations, type MysqlOptions, type MysqlTuning } from '@pidmesh/via-mysql'
import { createConnection, type Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe } from 'vitest'

export interface SqlServer {
  readonly name: 'MariaDB' | 'MySQL'
  readonly missing: string | undefined
  readonly start: (options?: SqlServerOptions) => Promise<SqlService>
  /** Arguments with which it has no TLS. */
  readonly withoutTls: readonly string[]
  /** Has its certificate read again. */
  readonly reloadTls: string
  /** Those that could change what a statement means. */
  readonly sqlModes: string
}

const servers: readonly SqlServer[] = [
  {
    name: 'MariaDB',
    missing: mariadbMissing(),
    start: startMariadb,
    withoutTls: ['--skip-ssl'],
    reloadTls: 'FLUSH SSL',
    sqlModes: 'ANSI,NO_BACKSLASH_ESCAPES,SIMULTANEOUS_ASSIGNMENT',
  },
  {
    name: 'MySQL',
    missing: mysqlMissing(),
    start: startMysql,
    withoutTls: ['--tls-version='],
    reloadTls: 'ALTER INSTANCE RELOAD TLS',
    sqlModes: 'ANSI,NO_BACKSLASH_ESCAPES',
  },
]

function saysWhere(options: MysqlTuning | MysqlOptions): options is MysqlOptions {
  return 'url' in options || 'host' in options
}

export class Fixture {
  private readonly server: SqlServer
  private readonly stores: MysqlLocations[] = []
  private tables = 0
  private started: { readonly service: SqlService; readonly admin: Connection } | undefined

  constructor(server: SqlServer) {
    this.server = server
  }

  get service(): SqlService {
    if (this.started === undefined) throw new Error('it has not been started')
    return this.started.service
  }

  /** Of a user that may do all. */
  get admin(): Connection {
    if (this.started === undefined) throw new Error('it has not been started')
    return this.started.admin
  }

  async start(options?: SqlServerOptions): Promise<void> {
    const service = await this.server.start(options)
    const admin = await createConnection({ uri: service.adminUrl, multipleStatements: true })
    admin.on('error', () => undefined)
    this.started = { service, admin }
  }

  async stop(): Promise<void> {
    this.started?.admin.destroy()
    await this.started?.service.stop()
  }

  /** After the server was away. */
  async adminAgain(): Promise<void> {
    const { service } = this
    const admin = await createConnection({ uri: service.adminUrl, multipleStatements: true })
    admin.on('error', () => undefined)
    this.started = { service, admin }
  }

  /** The name of a table that isn't there. */
  freshTable(): string {
    return `names_${++this.tables}`
  }

  /** A store that is stopped after the test: of this server, unless the options say where it is. */
  store(options: MysqlTuning | MysqlOptions): MysqlLocations {
    const where: MysqlOptions = saysWhere(options) ? options : { ...options, url: this.service.url }
    const store = new MysqlLocations({ timeoutMs: 10_000, ...where })
    this.stores.push(store)
    return store
  }

  async startStore(options: MysqlTuning | MysqlOptions = {}): Promise<MysqlLocations> {
    const store = this.store({ table: this.freshTable(), ...options })
    await answerOf(() => store.start())
    return store
  }

  async stopStores(): Promise<void> {
    await Promise.all(this.stores.splice(0).map((store) => store.stop()))
  }

  /** Makes all rows of the table older than they are. */
  async age(table: string, ms: number): Promise<void> {
    await this.admin.query(`UPDATE ${table} SET last_active_at = last_active_at - INTERVAL ? MICROSECOND`, [ms * 1_000])
  }

  async count(table: string): Promise<number> {
    const [rows] = await this.admin.query(`SELECT COUNT(*) AS count FROM ${table}`)
    return (rows as [{ count: number }])[0].count
  }
}

/** What a call answers at last. On a machine that is busy with something else one with a short deadline may fail at first. */
export async function answerOf<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    try {
      return await call()
    } catch (error) {
      const isLate = error instanceof StoreError && error.code === 'ERR_STORE_UNAVAILABLE'
      if (!isLate || tries === 20) throw error
    }
  }
}

/** Runs the tests with each server that is here. */
export function describeServers(title: string, tests: (server: SqlServer) => void): void {
  for (const server of servers) {
    describe.skipIf(mustSkip(server.missing))(`${title}: ${server.name}`, () => {
      tests(server)
    })
  }
}

/** Gives the tests of a `describe` a server of their own. */
export function useServer(server: SqlServer, options?: SqlServerOptions): Fixture {
  const fixture = new Fixture(server)
  beforeAll(() => fixture.start(options))
  afterEach(() => fixture.stopStores())
  afterAll(() => fixture.stop())
  return fixture
}

export function row(name: string, owner: string, value: string = `${name} of ${owner}`): LocationRow {
  return { name, owner, value: Buffer.from(value) }
}

export function textOf(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString()
}
