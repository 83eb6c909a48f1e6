// Unpacks the browser of the npm package @sparticuz/chromium into this package's node_modules/.cache, once, and prints that directory.
//
// The package is made for AWS. It unpacks into the system's temporary directory, and takes whatever is there under its names for finished:
// so it gets a directory of its own, which becomes the real one when it is complete. It brings the libraries that a machine without a desktop
// lacks (NSS, NSPR, expat), but unpacks them only where it believes to be on AWS: so it is told that it is. Its fonts.conf knows AWS's
// directories only, and without a font the first text field crashes the page: so it gets another one.
// In a process of its own, because all of this is said by environment variables.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const manifest = fileURLToPath(new URL('../../package.json', import.meta.resolve('@sparticuz/chromium')))
const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
const cache = fileURLToPath(new URL('../node_modules/.cache/pidmesh', import.meta.url))
const dir = join(cache, `chromium-${version}`)

if (!existsSync(dir)) await unpack()
console.log(dir)

async function unpack() {
  const fresh = `${dir}.${process.pid}`
  try {
    mkdirSync(fresh, { recursive: true })
    process.env['TMPDIR'] = fresh
    process.env['AWS_EXECUTION_ENV'] = 'AWS_Lambda_nodejs22.x'
    const { default: chromium } = await import('@sparticuz/chromium')
    await chromium.executablePath()
    writeFileSync(join(fresh, 'fonts/fonts.conf'), fontsConf())
    becomeReal(fresh)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

function becomeReal(/** @type {string} */ fresh) {
  try {
    renameSync(fresh, dir)
  } catch (error) {
    // Another run may have been faster.
    if (!existsSync(dir)) throw error
  }
}

function fontsConf() {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(dir, 'fonts')}</dir>
  <cachedir>${join(dir, 'fonts-cache')}</cachedir>
</fontconfig>
`
}
