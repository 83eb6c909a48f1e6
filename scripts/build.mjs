// Generated code, then every package and app by project references, then what tsc doesn't copy, then the demo's page.
// Incremental, and silent if nothing changed.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { binOf, buildProjects, packageDirs, readPackageJson, root, runNode, takesNoArguments } from './workspace.mjs'

takesNoArguments("Builds all packages, apps and the demo's page, as far as something has changed.")

const fail = (/** @type {string} */ step) => {
  console.error(`build failed: ${step}`)
  process.exit(1)
}

if (!runNode(join(root, 'scripts/generate.mjs'))) fail('generate')

if (!runNode(binOf('typescript', 'tsc'), '-b', ...buildProjects())) fail('tsc -b')

for (const dir of packageDirs('packages')) copyGenerated(join(root, dir, 'src'), join(root, dir, 'dist'))

if (!buildPage('apps/demo')) fail('build:page')

/** Copies src/…/generated/* to dist/…/generated/*, if it differs. */
function copyGenerated(/** @type {string} */ from, /** @type {string} */ to, isGenerated = false) {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) {
      copyGenerated(source, target, isGenerated || entry.name === 'generated')
    } else if (isGenerated && !entry.name.startsWith('draft-')) {
      const content = readFileSync(source)
      if (existsSync(target) && readFileSync(target).equals(content)) continue
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, content)
    }
  }
}

/** Runs the package's own script `build:page` as pnpm would: in its directory, with its commands first on the PATH. */
function buildPage(/** @type {string} */ dir) {
  const manifest = join(root, dir, 'package.json')
  const script = existsSync(manifest) ? readPackageJson(manifest).scripts?.['build:page'] : undefined
  if (script === undefined) return true
  const path = [join(root, dir, 'node_modules/.bin'), join(root, 'node_modules/.bin'), process.env['PATH']].join(
    delimiter,
  )
  const { status } = spawnSync(script, {
    cwd: join(root, dir),
    env: { ...process.env, PATH: path },
    shell: true,
    stdio: 'inherit',
  })
  return status === 0
}
