// Builds the page into dist/page, quietly, and only when something that it is made of has changed.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const pageDir = join(root, 'page')
const outDir = join(root, 'dist/page')
const stampFile = join(root, 'dist/page.stamp')

/** What the page is made of, this file included: it holds vite's options. */
const INPUTS = [
  'page/index.html',
  'page/public',
  'page/src',
  'src/messages.ts',
  'src/limits.ts',
  'src/build-page.ts',
  'package.json',
  '../../packages/client/src',
  '../../pnpm-lock.yaml',
]

await main()

async function main(): Promise<void> {
  const stamp = await hashOf(INPUTS)
  if (existsSync(join(outDir, 'index.html')) && (await readIfThere(stampFile)) === stamp) return
  const freshDir = `${outDir}.${process.pid}`
  try {
    await build(freshDir)
    await replaceDir(freshDir, outDir)
  } finally {
    await rm(freshDir, { recursive: true, force: true })
  }
  await writeFile(stampFile, stamp)
}

async function build(dir: string): Promise<void> {
  // Vite takes longer to load than everything else here together, and mostly is not needed.
  const vite = await import('vite')
  await vite.build({
    configFile: false,
    root: pageDir,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: dir,
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      reportCompressedSize: false,
    },
  })
}

/** A node that is reading the page, or a second build, never sees half of it. */
async function replaceDir(from: string, to: string): Promise<void> {
  const old = `${to}.old.${process.pid}`
  if (existsSync(to)) await rename(to, old)
  await rename(from, to)
  await rm(old, { recursive: true, force: true })
}

async function hashOf(inputs: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const input of inputs) {
    for (const file of await filesUnder(join(root, input))) {
      hash.update(`${relative(root, file)}\0`)
      hash.update(await readFile(file))
    }
  }
  return hash.digest('hex')
}

async function filesUnder(path: string): Promise<readonly string[]> {
  if (!existsSync(path)) return []
  try {
    const entries = await readdir(path, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return [path]
    throw error
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  return existsSync(file) ? readFile(file, 'utf8') : undefined
}
