// A headless browser, from wherever there is one: PIDMESH_CHROMIUM, the system's Chromium, or the one of an npm package, which needs
// nothing but Node and glibc (x64).

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'

const INSTALLED = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** As a value of PIDMESH_CHROMIUM: the one of the npm package, whatever else there is. */
const NPM = 'npm'

const LAUNCH_WITHIN_MS = 20_000
const UNPACK_WITHIN_MS = 30_000

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

type Program = { path: string; env?: Record<string, string> }

/** The first one that starts, or why none did, as one line that says what can be done. */
export async function startBrowser(): Promise<Browser | string> {
  const problems: string[] = []
  for (const candidate of candidates()) {
    try {
      const { path, env } = candidate === NPM ? await unpack() : { path: candidate }
      return await chromium.launch({
        executablePath: path,
        headless: true,
        args: ARGS,
        timeout: LAUNCH_WITHIN_MS,
        env: { ...definedOf(process.env), ...env },
      })
    } catch (error) {
      problems.push(`${candidate}: ${firstLine(error)}`)
    }
  }
  return (
    'no browser could be started: install chromium (Debian: apt-get install chromium), or set PIDMESH_CHROMIUM to the path of one' +
    ` (${problems.join('; ')})`
  )
}

function candidates(): readonly string[] {
  const own = process.env['PIDMESH_CHROMIUM']
  if (own !== undefined && own !== '') return [own]
  return [...INSTALLED.filter((path) => existsSync(path)), NPM]
}

async function unpack(): Promise<Program> {
  const script = fileURLToPath(new URL('unpack-chromium.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: UNPACK_WITHIN_MS })
  const dir = stdout.trim()
  const libraries = [join(dir, 'al2023/lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':')
  return { path: join(dir, 'chromium'), env: { LD_LIBRARY_PATH: libraries, FONTCONFIG_PATH: join(dir, 'fonts') } }
}

function definedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? ''
}
