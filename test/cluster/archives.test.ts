// PURPOSE: who works outside of this repository gets packages that can be installed: packed with the command of the README, and used from there.
//
// Nothing is fetched. Each archive is unpacked into a directory of its own, and beside it is linked what its package.json declares, and nothing else: another
// @pidmesh package as its archive has it, a library as this repository has it installed. That is how pnpm lays them out; an import that isn't declared is not found.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, normalize, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

interface Archive {
  readonly dir: string
  readonly manifest: Manifest
  /** Relative to `dir`, without what is linked. */
  readonly files: readonly string[]
  /** The package that it is made of, in this repository. */
  readonly source: string
}

const published = readdirSync(join(root, 'packages')).filter((name) => manifestIn(sourceOf(name)).private !== true)
const work = realpathSync(mkdtempSync(join(tmpdir(), 'pidmesh-archives-')))
const app = join(work, 'app')
const archives = new Map<string, Archive>()

beforeAll(() => {
  pack()
  for (const name of published) archives.set(name, unpack(name))
  for (const archive of archives.values()) linkDeclared(archive)
  const packages = published.map((name) => `@pidmesh/${name}`)
  for (const name of packages) link(app, name, dirOf(name))
  link(app, '@types/node', join(root, 'node_modules/@types/node'))
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }')
}, 60_000)

afterAll(() => rmSync(work, { recursive: true, force: true }))

function sourceOf(name: string): string {
  return join(root, 'packages', name)
}

function manifestIn(dir: string): Manifest {
  const manifest: Manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
  return manifest
}

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 50_000 })
  expect(status, `${command} ${args.join(' ')}\n${error?.message ?? ''}${stdout}${stderr}`).toBe(0)
  return stdout
}

/** Runs what the README says; its pnpm is the one that this repository was installed with. */
function pack(): void {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const command = /^npx -y (pnpm@.* pack --pack-destination) \/somewhere$/m.exec(readme)?.[1]
  if (command === undefined) throw new Error('the README does not say how to pack')
  run('sh', ['-c', `npx -y --prefer-offline ${command} '${work}'`], root)
}

function unpack(name: string): Archive {
  const into = join(work, name)
  mkdirSync(into)
  run('tar', ['-xzf', join(work, `pidmesh-${name}-0.1.0.tgz`), '-C', into], work)
  const dir = join(into, 'package')
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
  return { dir, manifest: manifestIn(dir), files, source: sourceOf(name) }
}

function dirOf(packageName: string): string {
  const archive = archives.get(packageName.replace('@pidmesh/', ''))
  if (archive === undefined) throw new Error(`${packageName} is not packed`)
  return archive.dir
}

function linkDeclared({ dir, manifest, source }: Archive): void {
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    link(dir, name, name.startsWith('@pidmesh/') ? dirOf(name) : join(source, 'node_modules', name))
  }
}

function link(into: string, name: string, target: string): void {
  const path = join(into, 'node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(realpathSync(target), path)
}

/** As they are imported: `@pidmesh/runtime`, `@pidmesh/runtime/testing`, … */
function entries(): readonly string[] {
  return [...archives.values()].flatMap(({ manifest }) =>
    Object.keys(manifest.exports).map((path) => `${manifest.name}${path.slice(1)}`),
  )
}

describe('an archive', () => {
  it('is made of each package that is not private, and of no other', () => {
    const made = readdirSync(work).filter((file) => file.endsWith('.tgz'))
    expect(made).toEqual(published.map((name) => `pidmesh-${name}-0.1.0.tgz`))
  })

  it.each(published)(
    'of %s has a licence, a readme, what is built, what it is built from, and nothing else',
    (name) => {
      const { files, manifest, source } = archived(name)
      const [own, ofCode] = [files.filter((file) => !file.includes('/')), files.filter((file) => file.includes('/'))]
      expect(own.toSorted()).toEqual(['LICENSE', 'README.md', 'package.json'])
      const bins = Object.values(manifest.bin ?? {}).map((file) => normalize(file))
      expect(ofCode.filter((file) => !/^(dist|src)\//.test(file)).toSorted()).toEqual(bins)
      const sources = ofCode.filter((file) => /^src\/.*(?<!\.d)\.ts$/.test(file)).map((file) => file.slice(4, -3))
      const scripts = ofCode
        .filter((file) => /^dist\/(?!.*\/generated\/).*\.js$/.test(file))
        .map((file) => file.slice(5, -3))
      expect(scripts.toSorted()).toEqual(sources.toSorted())
      for (const file of scripts) {
        for (const ending of ['.js.map', '.d.ts', '.d.ts.map']) expect(ofCode).toContain(`dist/${file}${ending}`)
      }
      for (const file of ofCode.filter((one) => one.startsWith('src/')))
        expect(existsSync(join(source, file))).toBe(true)
      expect(ofCode.filter((file) => /\.tsbuildinfo$|(^|\/)draft-|\.test\./.test(file))).toEqual([])
    },
  )

  it.each(published)('of %s has the sources that its maps name', (name) => {
    const { dir, files } = archived(name)
    const maps = files.filter((file) => file.endsWith('.map'))
    expect(maps.length).toBeGreaterThan(0)
    for (const map of maps) {
      const { sources }: { sources: string[] } = JSON.parse(readFileSync(join(dir, map), 'utf8'))
      for (const path of sources) expect(files, map).toContain(relative(dir, resolve(dir, dirname(map), path)))
    }
  })

  it.each(published)('of %s asks for versions that a registry knows, and has the files that it exports', (name) => {
    const { files, manifest } = archived(name)
    const versions = Object.values({ ...manifest.dependencies, ...manifest.peerDependencies })
    expect(versions.filter((version) => !/^\^?\d+\.\d+\.\d+$/.test(version))).toEqual([])
    for (const [path, conditions] of Object.entries(manifest.exports)) {
      expect(Object.keys(conditions), path).toEqual(['types', 'default'])
      for (const file of Object.values(conditions)) expect(files).toContain(normalize(file))
    }
    expect(Object.keys(manifest.exports)).toEqual(Object.keys(manifestIn(sourceOf(name)).exports))
  })

  function archived(name: string): Archive {
    const archive = archives.get(name)
    if (archive === undefined) throw new Error(`${name} is not packed`)
    return archive
  }
})

describe('a project that has the archives', () => {
  it('imports every entry, and requires it', () => {
    const program = `
import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
for (const name of ${JSON.stringify(entries())}) console.log(name, Object.keys(await import(name)).length > 0, require(name) === await import(name))`
    writeFileSync(join(app, 'import.js'), program)
    const lines = entries().map((name) => `${name} true true\n`)
    expect(run(process.execPath, ['import.js'], app)).toBe(lines.join(''))
  })

  it.each(['nodenext', 'bundler'])(
    'compiles with moduleResolution %s, all declarations checked',
    (moduleResolution) => {
      const lines = entries().map((name, index) => `export * as m${index} from '${name}'\n`)
      writeFileSync(join(app, 'all.ts'), lines.join(''))
      cpSync(join(root, 'docs/examples/readme/counter.ts'), join(app, 'counter.ts'))
      const compilerOptions = {
        target: 'es2023',
        module: moduleResolution === 'nodenext' ? 'nodenext' : 'esnext',
        moduleResolution,
        types: ['node'],
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        verbatimModuleSyntax: true,
        isolatedModules: true,
      }
      writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['all.ts', 'counter.ts'] }))
      expect(run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], app)).toBe('')
    },
  )

  it('runs the program of the README with two nodes', () => {
    cpSync(join(root, 'docs/examples/dist/readme/counter.js'), join(app, 'counter.js'))
    const lines = run(process.execPath, ['counter.js'], app).split('\n')
    expect(lines.filter((line) => line !== '' && !line.startsWith('{'))).toEqual(['7', '7'])
  })

  it('is told that it has two copies of the runtime', () => {
    const copy = join(work, 'copy')
    cpSync(dirOf('@pidmesh/runtime'), copy, { recursive: true, verbatimSymlinks: true })
    const program = `
import { GlobalEts } from '@pidmesh/global-ets'
import { startNode } from '${join(copy, 'dist/index.js')}'
const node = await startNode({ name: 'a@127.0.0.1', cookie: 'a-shared-secret' })
console.log(await GlobalEts.start(node).catch((error) => error.code + ' ' + error.message))
await node.stop()`
    writeFileSync(join(app, 'two.js'), program)
    expect(run(process.execPath, ['two.js'], app)).toContain(
      'ERR_BAD_ARGUMENT who calls is a node, or the self of a process, not one of another copy of @pidmesh/runtime',
    )
  })

  it('has the command pidmesh', () => {
    const { dir, manifest } = archives.get('cli') ?? {}
    expect(dir).toBeDefined()
    const help = run(process.execPath, [join(dir ?? '', manifest?.bin?.['pidmesh'] ?? ''), 'certs', '--help'], app)
    expect(help).toContain('Usage: pidmesh certs')
  })
})
