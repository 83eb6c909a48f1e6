// A copy of this repository's checks and package manifests around a few small sources, in a temporary directory,
// so that the real check command can be run on code that is wrong.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const root = join(import.meta.dirname, '../..')

/** Every file that is needed for each check to have something to pass. */
const cleanSources: Record<string, string> = {
  'packages/runtime/src/ids.ts': `export interface Pid {
  readonly id: number
}
`,
  'packages/runtime/src/index.ts': `import type { Pid } from './ids.ts'

export type { Pid } from './ids.ts'

export async function exited(pid: Pid): Promise<Pid> {
  await Promise.resolve()
  return pid
}
`,
  'packages/runtime/src/system/system-clock.ts': `export function nowMs(): number {
  return Date.now()
}
`,
  'packages/runtime/src/testing/index.ts': `import type { Pid } from '../ids.ts'

export const firstPid: Pid = { id: 1 }
`,
  'packages/runtime/src/wire/dist.proto': `syntax = "proto3";

package fixture;

message Tick {
  double count = 1;
}
`,
  'packages/runtime/src/wire/codec.ts': `import { fixture } from './generated/dist.js'

export function encode(count: number): Uint8Array {
  return fixture.Tick.encode({ count }).finish()
}
`,
  'packages/gen-server/src/index.ts': `import type { Pid } from '@pidmesh/runtime'

export interface Server {
  readonly pid: Pid
  readonly startedAt: Date
}

export function startedAt(atMs: number): Date {
  return new Date(atMs)
}
`,
  'packages/gen-server/test/server.test.ts': `import { exited } from '@pidmesh/runtime'
import { firstPid } from '@pidmesh/runtime/testing'
import { expect, test } from 'vitest'
import { startedAt } from '../src/index.ts'

test('a server knows when it started', async () => {
  await exited(firstPid)
  expect(startedAt(0)).toEqual(new Date(0))
})
`,
  'packages/global-ets/src/index.ts': `import type { Server } from '@pidmesh/gen-server'

export type Names = Map<string, Server>
`,
  'packages/ws-gateway/src/index.ts': `import type { Server } from '@pidmesh/gen-server'
import type { WebSocket } from 'ws'

export type Sockets = Map<WebSocket, Server>
`,
}

export interface Outcome {
  readonly exitCode: number | null
  readonly output: string
}

export class Fixture {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'pidmesh-checks-'))

  constructor() {
    const copied = [
      'package.json',
      'tsconfig.base.json',
      'tsconfig.json',
      '.oxfmtrc.json',
      '.oxlintrc.json',
      '.gitignore',
      'scripts',
    ]
    for (const name of [...copied, 'vitest.config.ts'])
      cpSync(join(root, name), join(this.dir, name), { recursive: true })

    // The installed modules themselves are shared; their caches, and the links between the packages, are not.
    mkdirSync(join(this.dir, 'node_modules'))
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (name !== '.cache') symlinkSync(join(root, 'node_modules', name), join(this.dir, 'node_modules', name))
    }
    for (const name of ['runtime', 'gen-server', 'global-ets', 'ws-gateway']) {
      for (const part of ['package.json', 'tsconfig.json', 'node_modules']) {
        const path = join('packages', name, part)
        const isOwn = (from: string): boolean => !from.includes('/node_modules/.')
        cpSync(join(root, path), join(this.dir, path), { recursive: true, verbatimSymlinks: true, filter: isOwn })
      }
    }
    for (const [path, text] of Object.entries(cleanSources)) this.write(path, text)
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.dir, path)), { recursive: true })
    writeFileSync(join(this.dir, path), text)
  }

  /** Takes a file away, or brings back what it was. */
  restore(path: string): void {
    const text = cleanSources[path]
    if (text === undefined) rmSync(join(this.dir, path), { recursive: true, force: true })
    else this.write(path, text)
  }

  /** `pnpm check:static`, or only some of its checks. */
  check(...names: string[]): Outcome {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/check-static.mjs', ...names], {
      cwd: this.dir,
      encoding: 'utf8',
      timeout: 55_000,
    })
    // Some of the tools colour what they say when CI is set, whatever NO_COLOR says.
    return { exitCode: status, output: stripVTControlCharacters(stdout + stderr) }
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}
