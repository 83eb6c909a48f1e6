// Applies import-rules.mjs to every import statement of the repository: parses each file (type-only imports, `import()`,
// `import('…').Type`, re-exports and `import … = require()` count), and reports
//   - what is not declared in the nearest package.json            - a relative path that leaves its package
//   - an import past the `exports` of a package                   - an import against the layers
//   - a confined module or place imported from elsewhere          - a cycle between files, with its path (types alone make none)
//   - in the core: Node's modules of ambient state, `new Date()`
// It says how many files it has seen, and fails if a package has none.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, posix } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'
import { confined, core, insides, layers } from './import-rules.mjs'
import { packageDirs, readPackageJson, root } from './workspace.mjs'

/** @typedef {{ specifier: string | undefined, names: string[] | undefined, line: number, isType: boolean }} Import */

const folders = ['packages', 'apps', 'docs/examples', 'bench', 'test', 'scripts', 'vitest.config.ts']
const isSource = /\.[cm]?[jt]sx?$/
const skipped = new Set(['node_modules', 'dist', 'generated', 'reports', 'coverage'])
const builtins = new Set(builtinModules)

/** @type {string[]} */
const problems = []
/** @type {Map<string, Map<string, number>>} file → the files of this repository that it imports → line */
const graph = new Map()
let importCount = 0

const rootPackage = { dir: '', manifest: readPackageJson(join(root, 'package.json')) }
const packages = new Map(
  [...packageDirs('packages', 'apps', 'docs', 'test'), 'bench']
    .filter((dir) => existsSync(join(root, dir, 'package.json')))
    .map((dir) => [dir, { dir, manifest: readPackageJson(join(root, dir, 'package.json')) }]),
)
const packagesByName = new Map([...packages.values()].map((one) => [one.manifest.name, one]))

const files = folders.flatMap((folder) => [...sourcesBelow(folder)])
for (const file of files) checkFile(file)
reportCycles()

for (const dir of packageDirs('packages', 'apps')) {
  if (!files.some((file) => file.startsWith(`${dir}/src/`))) problems.push(`${dir}: no source file was found`)
  if (dir.startsWith('packages/') && layers[dir] === undefined) problems.push(`${dir}: not in scripts/import-rules.mjs`)
}
if (files.length === 0 || importCount === 0) problems.push('no file, or no import, was found')

for (const problem of problems) console.error(problem)
console.log(`imports: ${importCount} in ${files.length} files, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

/** @returns {Generator<string>} */
function* sourcesBelow(/** @type {string} */ path) {
  if (!existsSync(join(root, path))) return
  if (isSource.test(path)) {
    yield path
    return
  }
  for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
    if (skipped.has(entry.name)) continue
    const below = `${path}/${entry.name}`
    if (entry.isDirectory()) yield* sourcesBelow(below)
    else if (entry.isFile() && isSource.test(entry.name)) yield below
  }
}

function checkFile(/** @type {string} */ file) {
  const inCore = isIn(file, core.files) && !isIn(file, core.except)
  const owner = packageOf(file)
  /** @type {Map<string, number>} */
  const targets = new Map()
  graph.set(file, targets)

  const { imports, ambientDates } = parse(file)
  if (inCore) for (const line of ambientDates) problems.push(`${file}:${line}: the core asks its Clock, not \`Date\``)
  importCount += imports.length
  for (const one of imports) {
    const problem = (/** @type {string} */ text) => problems.push(`${file}:${one.line}: ${text}`)
    const { specifier } = one
    if (specifier === undefined) {
      if (file.startsWith('packages/')) problem('an import() of something that is computed')
      continue
    }
    const builtin = specifier.replace(/^node:/, '')
    if (specifier.startsWith('node:') || builtins.has(builtin)) {
      if (inCore) checkBuiltin(builtin, one, problem)
    } else if (specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(file), specifier.replace(/\?.*$/, ''))
      if (packageOf(target) !== owner) problem(`${specifier} leaves the package: import it by its name`)
      checkPlace(file, target, problem)
      if (!one.isType) targets.set(target, one.line)
    } else {
      const target = checkPackage(file, owner, specifier, problem)
      if (target !== undefined && !one.isType) targets.set(target, one.line)
    }
  }
}

/**
 * Checks an import of another package by name.
 * @param {string} file
 * @param {typeof rootPackage} owner
 * @param {string} specifier
 * @param {(text: string) => void} problem
 * @returns {string | undefined} the file of this repository that it stands for
 */
function checkPackage(file, owner, specifier, problem) {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  const isPackageSource = file.startsWith('packages/') && file.startsWith(`${owner.dir}/src/`)
  const isItself = name === owner.manifest.name
  const { dependencies, peerDependencies, devDependencies } = owner.manifest
  const declared = { ...dependencies, ...peerDependencies, ...(isPackageSource ? undefined : devDependencies) }
  if (!isItself && !(name in declared))
    problem(`${name} is not in the dependencies of ${owner.dir || '.'}/package.json`)

  const other = packagesByName.get(name)
  if (isPackageSource) {
    if (other !== undefined && !isItself && !layers[owner.dir]?.includes(name))
      problem(`${owner.dir} may not import ${name}`)
    if (isItself) problem(`${specifier} is this package: import the file by its relative path`)
    for (const [module, places] of Object.entries(confined)) {
      const isThat = specifier === module || specifier.startsWith(`${module}/`)
      if (isThat && !isIn(file, places)) problem(`${module} is for ${places.join(', ') || 'tests'} only`)
    }
  }

  if (other === undefined) return undefined
  const target = other.manifest.exports?.[`.${specifier.slice(name.length)}`]
  if (target === undefined) {
    problem(`${specifier} is not in the exports of ${name}`)
    return undefined
  }
  const source = target['@pidmesh/source']
  return source === undefined ? undefined : posix.join(other.dir, source)
}

/**
 * @param {string} builtin
 * @param {Import} one
 * @param {(text: string) => void} problem
 */
function checkBuiltin(builtin, { names }, problem) {
  const allowed = core.builtins[builtin]
  if (allowed === undefined) return
  if (allowed.length === 0) problem(`node:${builtin} is ambient state: the core has ports for it`)
  else if (!names?.every((name) => allowed.includes(name))) {
    problem(`of node:${builtin} the core may import only ${allowed.join(', ')}, each by its name`)
  }
}

/**
 * @param {string} file
 * @param {string} target
 * @param {(text: string) => void} problem
 */
function checkPlace(file, target, problem) {
  for (const { place, importers } of insides) {
    if (target.startsWith(place) && !isIn(file, importers)) problem(`${place} is for ${importers.join(', ')} only`)
  }
}

/**
 * Every import of a file, and, by line, each `new Date()` and `Date()`.
 * @returns {{ imports: Import[], ambientDates: number[] }}
 */
function parse(/** @type {string} */ file) {
  const text = readFileSync(join(root, file), 'utf8')
  const { program, errors } = parseSync(file, text)
  for (const { message } of errors) problems.push(`${file}: ${message}`)
  const lineAt = (/** @type {number} */ offset) => text.slice(0, offset).split('\n').length

  /** @type {Import[]} */
  const imports = []
  /** @type {number[]} */
  const ambientDates = []
  /** @type {(node: { start: number }, source: { value?: unknown } | null, names?: string[], isType?: boolean) => void} */
  const add = ({ start }, source, names, isType = false) => {
    const specifier = source?.value
    imports.push({
      line: lineAt(start),
      specifier: typeof specifier === 'string' ? specifier : undefined,
      names,
      isType,
    })
  }
  new Visitor({
    ImportDeclaration(node) {
      const names = node.specifiers.map((one) => (one.type === 'ImportSpecifier' ? nameOf(one.imported) : '*'))
      add(node, node.source, names, node.importKind === 'type' || isAllTypes(node.specifiers, 'importKind'))
    },
    ExportNamedDeclaration(node) {
      if (node.source)
        add(
          node,
          node.source,
          node.specifiers.map((one) => nameOf(one.local)),
          node.exportKind === 'type' || isAllTypes(node.specifiers, 'exportKind'),
        )
    },
    ExportAllDeclaration: (node) => add(node, node.source),
    ImportExpression: (node) => add(node, 'value' in node.source ? node.source : null),
    TSImportType: (node) => add(node, node.source, undefined, true),
    TSExternalModuleReference: (node) => add(node, node.expression),
    NewExpression({ start, callee, arguments: given }) {
      if (callee.type === 'Identifier' && callee.name === 'Date' && given.length === 0) ambientDates.push(lineAt(start))
    },
    CallExpression({ start, callee }) {
      if (callee.type === 'Identifier' && callee.name === 'Date') ambientDates.push(lineAt(start))
    },
  }).visit(program)
  return { imports, ambientDates }
}

/**
 * `import { type A, type B }`: nothing of the file is needed at run time. A cycle of such imports is a type's own recursion, and is no cycle
 * between modules.
 * @param {readonly object[]} specifiers
 * @param {'importKind' | 'exportKind'} kind
 */
function isAllTypes(specifiers, kind) {
  return specifiers.length > 0 && specifiers.every((one) => kind in one && Reflect.get(one, kind) === 'type')
}

/** @param {{ type: 'Literal', value: string } | { type: 'Identifier', name: string }} node */
function nameOf(node) {
  return node.type === 'Identifier' ? node.name : node.value
}

/** Each cycle once, as the shortest way from its first file back to itself. */
function reportCycles() {
  /** @type {Set<string>} */
  const told = new Set()
  for (const start of [...graph.keys()].toSorted()) {
    if (told.has(start)) continue
    const cycle = shortestCycle(start)
    if (cycle === undefined) continue
    for (const file of cycle) told.add(file)
    problems.push(`a cycle between files:\n    ${cycle.join('\n  → ')}`)
  }
}

/** @returns {string[] | undefined} */
function shortestCycle(/** @type {string} */ start) {
  /** @type {Map<string, string>} */
  const cameFrom = new Map()
  const queue = [start]
  for (const file of queue) {
    for (const next of graph.get(file)?.keys() ?? []) {
      if (next === start) {
        const way = [file, start]
        for (let at = cameFrom.get(file); at !== undefined; at = cameFrom.get(at)) way.unshift(at)
        return way
      }
      if (cameFrom.has(next)) continue
      cameFrom.set(next, file)
      queue.push(next)
    }
  }
  return undefined
}

function isIn(/** @type {string} */ file, /** @type {string[]} */ places) {
  // A place is a file, a folder (`…/`), or the beginning of file names (`…/grpc`).
  return places.some((place) => file.startsWith(place))
}

/** The package that a file belongs to: the nearest package.json upwards. */
function packageOf(/** @type {string} */ file) {
  let dir = posix.dirname(file)
  while (!packages.has(dir) && dir !== '.' && dir !== '..') dir = posix.dirname(dir)
  return packages.get(dir) ?? rootPackage
}
