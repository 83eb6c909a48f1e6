// Fetches a MySQL server for the tests of via-mysql, unless it is there. Needs apt-get and dpkg-deb, not root; nothing is installed.
//
//   apt-get, with state and sources of this run ─▶ packages of Debian's unstable ─▶ dpkg-deb -x ─▶ node_modules/.cache/pidmesh/mysql   (by renaming: all of it or nothing)
//
// Debian's releases have MariaDB alone; unstable has MySQL too. It wants a libc that is newer than the system's: it comes with all libraries that it needs, down to
// the loader, and `mysqld` in that folder starts it with these.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, takesNoArguments } from './workspace.mjs'

takesNoArguments('Fetches a MySQL server for the tests, unless it is there.')

const PACKAGE = 'mysql-server-core'
const SUITE = 'sid'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
/** The server's package has a script in Perl; the server needs none. */
const NOT_NEEDED = /^(lib)?perl/

const cache = join(root, 'node_modules/.cache/pidmesh')
const mysql = join(cache, 'mysql')

class FetchFailed extends Error {}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 * @returns what the command has printed
 */
function run(command, args, env = {}) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  if (error !== undefined) throw new FetchFailed(`${command} does not start (${error.message}); it is Debian's`)
  if (status !== 0) throw new FetchFailed(`${command} has ended with ${status}: ${stderr.trim()}`)
  return stdout
}

/** Where the system gets its packages from. */
function mirror() {
  const targets = run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(COMPONENT)', 'Created-By: Packages'])
  const [uri] = targets.split('\n').filter((line) => line.endsWith('/debian/ main') || line.endsWith('/debian main'))
  if (uri === undefined) throw new FetchFailed('the sources of apt-get name no mirror of Debian')
  return uri.split(' ')[0]
}

/**
 * Sources, state and cache of a run of apt-get: as if nothing were installed.
 *
 * @param {string} folder
 */
function makeAptFolder(folder) {
  for (const part of ['state/lists/partial', 'cache/archives/partial', 'sources'])
    mkdirSync(join(folder, part), { recursive: true })
  writeFileSync(join(folder, 'status'), '')
  writeFileSync(
    join(folder, 'sources/debian.sources'),
    `Types: deb\nURIs: ${mirror()}\nSuites: ${SUITE}\nComponents: main\nSigned-By: ${KEYRING}\n`,
  )
  const config = join(folder, 'apt.conf')
  writeFileSync(
    config,
    [
      `Dir::State "${folder}/state";`,
      `Dir::State::status "${folder}/status";`,
      `Dir::Cache "${folder}/cache";`,
      'Dir::Etc::sourcelist "/dev/null";',
      `Dir::Etc::sourceparts "${folder}/sources";`,
      'APT::Sandbox::User "";',
      'Debug::NoLocking "true";',
      'Acquire::Retries "3";',
      'Acquire::Languages "none";',
      '',
    ].join('\n'),
  )
  return { APT_CONFIG: config }
}

/**
 * @param {string} archives a folder of packages
 * @param {string} target
 */
function unpack(archives, target) {
  for (const file of readdirSync(archives)) {
    if (file.endsWith('.deb') && !NOT_NEEDED.test(file)) run('dpkg-deb', ['--extract', join(archives, file), target])
  }
  const libraries = readdirSync(join(target, 'usr/lib')).find((name) => name.endsWith('-linux-gnu'))
  const loader =
    libraries && readdirSync(join(target, 'usr/lib', libraries)).find((name) => name.startsWith('ld-linux'))
  if (loader === undefined || !existsSync(join(target, 'usr/sbin/mysqld')))
    throw new FetchFailed(`${PACKAGE} is not laid out as it was: no loader, or no server`)
  writeFileSync(
    join(target, 'mysqld'),
    `#!/bin/sh
usr=$(dirname "$0")/usr
exec "$usr/lib/${libraries}/${loader}" --library-path "$usr/lib/${libraries}" "$usr/sbin/mysqld" "$@"
`,
    { mode: 0o755 },
  )
}

function fetchMysql() {
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'mysql-fetch-'))
  try {
    const env = makeAptFolder(folder)
    run('apt-get', ['--quiet', 'update'], env)
    run('apt-get', ['--quiet', '--yes', '--no-install-recommends', '--download-only', 'install', PACKAGE], env)
    const unpacked = join(folder, 'mysql')
    unpack(join(folder, 'cache/archives'), unpacked)
    if (!existsSync(mysql)) renameSync(unpacked, mysql)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

try {
  if (!existsSync(mysql)) fetchMysql()
  console.log(
    `MySQL is there: ${run(join(mysql, 'mysqld'), ['--version'])
      .replace(/^.*?Ver/, 'version')
      .trim()}`,
  )
} catch (error) {
  if (!(error instanceof FetchFailed)) throw error
  console.error(`MySQL is not fetched: ${error.message}`)
  process.exitCode = 1
}
