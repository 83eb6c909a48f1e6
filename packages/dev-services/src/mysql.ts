/**
 * A MySQL, from where `scripts/fetch-mysql.mjs` has unpacked it: with the libraries that it was built with, beside the system's.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startSqlServer, type SqlServerKind, type SqlServerOptions, type SqlService } from './sql-server.ts'

/** Has the folders of its packages, and `mysqld`, which runs it. */
const UNPACKED = join(import.meta.dirname, '../../../node_modules/.cache/pidmesh/mysql')
const SERVER = join(UNPACKED, 'mysqld')
/** No options that the system has, and texts of messages that are its own. */
const ALWAYS = ['--no-defaults', `--basedir=${join(UNPACKED, 'usr')}`] as const

const MYSQL: SqlServerKind = {
  name: 'MySQL',
  missing: mysqlMissing,
  programs: () => ({
    install: [SERVER, ...ALWAYS, '--initialize-insecure'],
    server: [SERVER, ...ALWAYS, '--mysqlx=OFF', '--secure-file-priv=NULL', '--log-error-verbosity=2'],
  }),
  closeRoot: [],
}

/** Why MySQL can't be started here, and how to get it; `undefined` if it can. */
export function mysqlMissing(): string | undefined {
  if (existsSync(SERVER)) return undefined
  return 'MySQL is not here: npx -y pnpm@12.21.0 fetch:mysql (it wants apt-get and dpkg-deb, as Debian has them)'
}

/**
 * Resolves when it can be used.
 * @throws ServiceMissing by rejection, if it has not been fetched
 */
export function startMysql(options?: SqlServerOptions): Promise<SqlService> {
  return startSqlServer(MYSQL, options)
}
