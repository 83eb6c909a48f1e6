/**
 * A MariaDB, from where the system has it.
 */
import { pathOf } from './programs.ts'
import { startSqlServer, type SqlServerKind, type SqlServerOptions, type SqlService } from './sql-server.ts'

/** Debian has the server there, and not in everybody's PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin']
const INSTALL = 'mariadb-install-db'
const SERVER = 'mariadbd'
/** No options that the system has, and a small log. */
const ALWAYS = ['--no-defaults', '--innodb-log-file-size=4M'] as const

const MARIADB: SqlServerKind = {
  name: 'MariaDB',
  missing: mariadbMissing,
  programs: () => ({
    install: [
      pathOf(INSTALL, SYSTEM_FOLDERS) ?? INSTALL,
      ...ALWAYS,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ],
    server: [pathOf(SERVER, SYSTEM_FOLDERS) ?? SERVER, ...ALWAYS],
  }),
  closeRoot: ["DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost';"],
}

/** Why MariaDB can't be started here, and how to get it; `undefined` if it can. */
export function mariadbMissing(): string | undefined {
  const missing = [SERVER, INSTALL].find((program) => pathOf(program, SYSTEM_FOLDERS) === undefined)
  return missing && `${missing} is not here: it is in the Debian package mariadb-server`
}

/**
 * Resolves when it can be used.
 * @throws ServiceMissing by rejection, if it isn't installed
 */
export function startMariadb(options?: SqlServerOptions): Promise<SqlService> {
  return startSqlServer(MARIADB, options)
}
