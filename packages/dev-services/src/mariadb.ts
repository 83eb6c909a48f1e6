/**
 * A MariaDB for tests, benchmarks and the demo: data, socket, grants and passwords of its own, in a folder that goes with it.
 *
 *   startMariadb ─▶ mariadb-install-db ─▶ mariadbd ─▶ on each start: users, rights, the database (init.sql)
 *
 * Nobody else's server is touched, no configuration of the system is read, and root has no way in over TCP.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pathOf } from './programs.ts'
import { ServerProcess, ServiceMissing, freePort, makeFolder } from './server-process.ts'

const DATABASE = 'pidmesh'
const USER = 'pidmesh'
const ADMIN = 'pidmesh_admin'
const READY_WITHIN_MS = 30_000
/** A port that was free may be somebody's by the time that the server wants it. */
const MAX_TRIES = 3
/** Written by the server when it has its port: that it listens, and not somebody else. */
const PID_FILE = 'mariadb.pid'
/** Of a look whether it answers. */
const GREETING_WITHIN_MS = 1_000
/** Debian has the server there, and not in everybody's PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin']
/** Small and quick. What was committed outlives a kill of the process, not one of the machine. */
const FRUGAL = [
  '--innodb-buffer-pool-size=8M',
  '--innodb-log-file-size=4M',
  '--innodb-doublewrite=0',
  '--innodb-use-native-aio=0',
  '--innodb-flush-log-at-trx-commit=2',
]

/** Why MariaDB can't be started here, and how to get it; `undefined` if it can. */
export function mariadbMissing(): string | undefined {
  const missing = ['mariadbd', 'mariadb-install-db'].find((program) => pathOf(program, SYSTEM_FOLDERS) === undefined)
  return missing && `${missing} is not here: it is in the Debian package mariadb-server`
}

/**
 * Resolves when it can be used.
 * @throws ServiceMissing by rejection, if it isn't installed
 */
export async function startMariadb(options?: MariadbOptions): Promise<MariadbService> {
  for (let tries = 1; ; tries++) {
    try {
      return await MariadbService.start(options)
    } catch (error) {
      if (tries === MAX_TRIES || error instanceof ServiceMissing) throw error
    }
  }
}

export interface MariadbOptions {
  /** Further arguments of mariadbd, as `--ssl-cert=…`. @default none */
  readonly more?: readonly string[]
}

export class MariadbService {
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

  static async start({ more = [] }: MariadbOptions = {}): Promise<MariadbService> {
    const install = pathOf('mariadb-install-db', SYSTEM_FOLDERS)
    const program = pathOf('mariadbd', SYSTEM_FOLDERS)
    if (install === undefined || program === undefined) throw new ServiceMissing(mariadbMissing() ?? 'it is gone')
    const access = { port: await freePort(), password: secret(), adminPassword: secret() }
    const made = makeFolder('mariadb')
    const { folder } = made
    // Root starts it as root: who else could read the folder?
    const asRoot = process.getuid?.() === 0 ? ['--user=root'] : []
    const init = join(folder, 'init.sql')
    try {
      await promisify(execFile)(install, [
        '--no-defaults',
        `--datadir=${join(folder, 'data')}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        ...asRoot,
        ...FRUGAL,
      ])
      writeFileSync(init, initOf(access), { mode: 0o600 })
      const server = await ServerProcess.start({
        name: 'MariaDB',
        command: [
          program,
          '--no-defaults',
          `--datadir=${join(folder, 'data')}`,
          `--socket=${join(folder, 'mariadb.sock')}`,
          `--pid-file=${join(folder, PID_FILE)}`,
          `--port=${access.port}`,
          '--bind-address=127.0.0.1',
          `--init-file=${init}`,
          ...asRoot,
          ...FRUGAL,
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
        isReady: async () => existsSync(join(folder, PID_FILE)) && (await greets(access.port)),
        withinMs: READY_WITHIN_MS,
      })
      return new MariadbService(server, made, access)
    } catch (error) {
      made.remove()
      throw error
    }
  }

  get isRunning(): boolean {
    return this.server.isRunning
  }

  /** Resolves when it stands still, and answers nobody. The system goes on taking connections for it. */
  async pause(): Promise<void> {
    const { server } = this
    server.pause()
    // The signal stops one thread after the other: on a busy machine some still answer.
    while (server.isRunning && !standsStill(server.pid)) await new Promise((resolve) => setTimeout(resolve, 1))
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
function initOf({ password, adminPassword }: Access): string {
  return [
    `CREATE DATABASE IF NOT EXISTS ${DATABASE};`,
    `CREATE OR REPLACE USER '${USER}'@'127.0.0.1' IDENTIFIED BY '${password}';`,
    `GRANT ALL ON ${DATABASE}.* TO '${USER}'@'127.0.0.1';`,
    `CREATE OR REPLACE USER '${ADMIN}'@'127.0.0.1' IDENTIFIED BY '${adminPassword}';`,
    `GRANT ALL ON *.* TO '${ADMIN}'@'127.0.0.1' WITH GRANT OPTION;`,
    `DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost';`,
    `ALTER USER 'root'@'localhost' IDENTIFIED BY '${secret()}';`,
    'FLUSH PRIVILEGES;',
    '',
  ].join('\n')
}

/** Whether all threads of the process do, as far as the system says so. */
function standsStill(pid: number): boolean {
  const threads = `/proc/${pid}/task`
  try {
    return readdirSync(threads).every((thread) => /\) T /.test(readFileSync(join(threads, thread, 'stat'), 'utf8')))
  } catch {
    // A thread has just ended; or this system has no such files.
    return !existsSync(threads)
  }
}

/** Whether it speaks first, as MariaDB does as soon as it takes users in. The port alone says nothing: it is open earlier. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (greeted: boolean): void => {
      socket.destroy()
      resolve(greeted)
    }
    socket.setTimeout(GREETING_WITHIN_MS, () => end(false))
    socket.once('data', () => end(true))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
  })
}
