/**
 * A server that speaks MySQL's protocol, for tests, benchmarks and the demo: data, socket, grants and passwords of its own, in a folder that goes with it.
 *
 *   startSqlServer(kind) ─▶ install ─▶ server ─▶ on each start: users, rights, the database (init.sql)
 *
 * Which server it is, a `SqlServerKind` says. Nobody else's server is touched, no configuration of the system is read, and root has no way in over TCP.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, isAnswering } from './ports.ts'
import { ServerProcess, ServiceMissing, makeFolder, runToEnd } from './server-process.ts'

const DATABASE = 'pidmesh'
const USER = 'pidmesh'
const ADMIN = 'pidmesh_admin'
const READY_WITHIN_MS = 30_000
/** A port that was free may be somebody's by the time that the server wants it. */
const MAX_TRIES = 3
/** Written by the server when it has its port: that it listens, and not somebody else. */
const PID_FILE = 'server.pid'
/** Small and quick. What was committed outlives a kill of the process, not one of the machine. */
const FRUGAL = [
  '--innodb-buffer-pool-size=8M',
  '--innodb-doublewrite=0',
  '--innodb-use-native-aio=0',
  '--innodb-flush-log-at-trx-commit=2',
]

export interface SqlServerOptions {
  /** Further arguments of the server, as `--ssl-cert=…`. @default none */
  readonly more?: readonly string[]
}

/** What one such server has of its own. */
export interface SqlServerKind {
  readonly name: string
  /** Why it can't be started here, and how to get it; `undefined` if it can. */
  missing(): string | undefined
  /** Its programs, if nothing is missing. */
  programs(): SqlPrograms
  /** Statements which see to it that root gets in no more, of one line each. */
  readonly closeRoot: readonly string[]
}

/** Each a program and the arguments that it always has. */
export interface SqlPrograms {
  /** Makes a folder of data. */
  readonly install: readonly [string, ...string[]]
  readonly server: readonly [string, ...string[]]
}

/**
 * Resolves when it can be used.
 * @throws ServiceMissing by rejection, if it isn't installed
 */
export async function startSqlServer(kind: SqlServerKind, options: SqlServerOptions = {}): Promise<SqlService> {
  for (let tries = 1; ; tries++) {
    try {
      return await SqlService.start(kind, options)
    } catch (error) {
      if (tries === MAX_TRIES || error instanceof ServiceMissing) throw error
    }
  }
}

export class SqlService {
  private server: ServerProcess
  private readonly folder: ReturnType<typeof makeFolder>
  readonly port: number
  /** `mysql://user:password@127.0.0.1:port/database`: of a user that has all rights on its database, and none beside. */
  readonly url: string
  /** The same, of a user that may do all. */
  readonly adminUrl: string

  private constructor(server: ServerProcess, folder: ReturnType<typeof makeFolder>, access: Access) {
    this.server = server
    this.folder = folder
    this.port = access.port
    this.url = urlOf(access, USER, access.password)
    this.adminUrl = urlOf(access, ADMIN, access.adminPassword)
  }

  static async start(kind: SqlServerKind, { more = [] }: SqlServerOptions): Promise<SqlService> {
    const missing = kind.missing()
    if (missing !== undefined) throw new ServiceMissing(missing)
    const { install, server: program } = kind.programs()
    const access = { port: await freePort(), password: secret(), adminPassword: secret() }
    const made = makeFolder(kind.name.toLowerCase())
    const { folder } = made
    // Root starts it as root: who else could read the folder?
    const asRoot = process.getuid?.() === 0 ? ['--user=root'] : []
    const both = [`--datadir=${join(folder, 'data')}`, ...asRoot, ...FRUGAL]
    const init = join(folder, 'init.sql')
    try {
      await runToEnd([...install, ...both], folder)
      writeFileSync(init, initOf(access, kind), { mode: 0o600 })
      const server = await ServerProcess.start({
        name: kind.name,
        command: [
          ...program,
          ...both,
          `--socket=${join(folder, 'server.sock')}`,
          `--pid-file=${join(folder, PID_FILE)}`,
          `--port=${access.port}`,
          '--bind-address=127.0.0.1',
          `--init-file=${init}`,
          '--skip-log-bin',
          '--skip-name-resolve',
          '--performance-schema=OFF',
          '--key-buffer-size=1M',
          '--max-connect-errors=1000000',
          '--max-connections=100',
          ...more,
        ],
        folder,
        isTemporary: true,
        // It speaks first as soon as it takes users in. The port alone says nothing: it is open earlier.
        isReady: async () => existsSync(join(folder, PID_FILE)) && (await isAnswering(access.port)),
        withinMs: READY_WITHIN_MS,
      })
      return new SqlService(server, made, access)
    } catch (error) {
      made.remove()
      throw error
    }
  }

  get isRunning(): boolean {
    return this.server.isRunning
  }

  /** It stands still, and answers nobody. The system goes on taking connections for it. */
  pause(): void {
    this.server.pause()
  }

  resume(): void {
    this.server.resume()
  }

  /** As `kill -9`. Its data stays. */
  kill(): Promise<void> {
    return this.server.kill()
  }

  /** After `kill`: on the same port, with the same data, users and passwords. */
  async startAgain(): Promise<void> {
    rmSync(join(this.folder.folder, PID_FILE), { force: true })
    this.server = await this.server.startAgain()
  }

  /** Resolves when it has ended, and its data is gone. */
  async stop(): Promise<void> {
    await this.server.stop()
    this.folder.remove()
  }
}

interface Access {
  readonly port: number
  readonly password: string
  readonly adminPassword: string
}

function urlOf({ port }: Access, user: string, password: string): string {
  return `mysql://${user}:${password}@127.0.0.1:${port}/${DATABASE}`
}

/** Of letters and digits: it stands in URLs and in SQL. */
function secret(): string {
  return randomBytes(18).toString('hex')
}

/** Run by the server on each start, before anybody gets in: a statement on a line of its own. */
function initOf({ password, adminPassword }: Access, { closeRoot }: SqlServerKind): string {
  return [
    `CREATE DATABASE IF NOT EXISTS ${DATABASE};`,
    ...userOf(USER, password),
    `GRANT ALL ON ${DATABASE}.* TO '${USER}'@'127.0.0.1';`,
    ...userOf(ADMIN, adminPassword),
    `GRANT ALL ON *.* TO '${ADMIN}'@'127.0.0.1' WITH GRANT OPTION;`,
    ...closeRoot,
    `ALTER USER 'root'@'localhost' IDENTIFIED BY '${secret()}';`,
    'FLUSH PRIVILEGES;',
    '',
  ].join('\n')
}

function userOf(user: string, password: string): readonly string[] {
  return [
    `CREATE USER IF NOT EXISTS '${user}'@'127.0.0.1';`,
    `ALTER USER '${user}'@'127.0.0.1' IDENTIFIED BY '${password}';`,
  ]
}
