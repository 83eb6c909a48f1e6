// What every script needs: where the repository is, which packages it has, and how a tool is started.
// Tools are started as `node <their bin file>`, so that nothing depends on `pnpm`, or on a global tool, being on the PATH.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** The repository that the command is run in: pnpm sets the working directory to it, and so do the tests of the checks. */
export const root = process.cwd()

/**
 * @typedef {object} PackageJson
 * @property {string} name
 * @property {string} version
 * @property {Record<string, string>} [scripts]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, Record<string, string>>} [exports]
 * @property {string | Record<string, string>} [bin]
 */

/** @param {string} path */
export const readPackageJson = (path) => /** @type {PackageJson} */ (JSON.parse(readFileSync(path, 'utf8')))

/** Directories, relative to the root, of one folder of packages: `packages/runtime`, … */
export function packageDirs(/** @type {string[]} */ ...folders) {
  return folders.flatMap((folder) => {
    if (!existsSync(join(root, folder))) return []
    return readdirSync(join(root, folder))
      .map((name) => `${folder}/${name}`)
      .filter((dir) => existsSync(join(root, dir, 'package.json')))
  })
}

/** What `tsc -b` builds: packages and apps, parts of apps with a tsconfig.json of their own, such as apps/demo/page, and the programs of the documents. */
export function buildProjects() {
  const apps = packageDirs('apps')
  const parts = apps.flatMap((dir) => readdirSync(join(root, dir)).map((part) => `${dir}/${part}`))
  return [...packageDirs('packages'), ...apps, ...parts, 'docs/examples'].filter((dir) =>
    existsSync(join(root, dir, 'tsconfig.json')),
  )
}

/** The JavaScript file behind a command of an installed package. */
export function binOf(/** @type {string} */ packageName, command = packageName) {
  const manifest = join(root, 'node_modules', packageName, 'package.json')
  const { bin } = readPackageJson(manifest)
  const file = typeof bin === 'string' ? bin : bin?.[command]
  if (file === undefined) throw new Error(`${packageName} has no command ${command}`)
  return resolve(dirname(manifest), file)
}

/**
 * Runs `node file ...args` in the root, with its output passed through; true if it succeeded.
 * @param {string} file
 * @param {string[]} args
 */
export function runNode(file, ...args) {
  const { status, error } = spawnSync(process.execPath, [file, ...args], { cwd: root, stdio: 'inherit' })
  if (error) throw error
  return status === 0
}

/**
 * Of a script that takes no arguments: says what it does if it is asked, and ends it if it is given any.
 * @param {string} does
 */
export function takesNoArguments(does) {
  const [first] = process.argv.slice(2)
  if (first === undefined) return
  console.log(first === '--help' ? does : `${does}\nIt takes no arguments, and not ${first}.`)
  process.exit(first === '--help' ? 0 : 2)
}
