// The checks bite: each of these mistakes makes the real command fail, for its own reason; without them it passes.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Fixture } from './fixture.ts'

interface Mistake {
  readonly title: string
  /** The files that it takes, by path; the first is the one that must be named. */
  readonly files: Readonly<Record<string, string>>
  readonly complaint: string
}

const imports: readonly Mistake[] = [
  {
    title: 'the runtime imports a type of a package above it',
    files: { 'packages/runtime/src/wrong.ts': `export type { Server } from '@pidmesh/gen-server'\n` },
    complaint: 'packages/runtime may not import @pidmesh/gen-server',
  },
  {
    title: 'the gateway imports global-ets, which only its tests may',
    files: { 'packages/ws-gateway/src/wrong.ts': `import type { Names } from '@pidmesh/global-ets'\n` },
    complaint: 'packages/ws-gateway may not import @pidmesh/global-ets',
  },
  {
    title: 'an import past the exports of a package',
    files: { 'packages/gen-server/src/wrong.ts': `import type { Pid } from '@pidmesh/runtime/src/ids.ts'\n` },
    complaint: '@pidmesh/runtime/src/ids.ts is not in the exports of @pidmesh/runtime',
  },
  {
    title: 'a relative path out of the package, in a type',
    files: { 'packages/gen-server/test/wrong.ts': `export type P = import('../../runtime/src/ids.ts').Pid\n` },
    complaint: '../../runtime/src/ids.ts leaves the package',
  },
  {
    title: 'a module that package.json does not declare',
    files: { 'packages/gen-server/src/wrong.ts': `import { pino } from 'pino'\n` },
    complaint: 'pino is not in the dependencies of packages/gen-server/package.json',
  },
  {
    title: 'a cycle',
    files: {
      'packages/runtime/src/wrong.ts': `export * from './wrong-b.ts'\n`,
      'packages/runtime/src/wrong-b.ts': `export * from './wrong.ts'\n`,
    },
    complaint: 'a cycle between files',
  },
  {
    title: 'a generated type outside wire/',
    files: { 'packages/runtime/src/node/wrong.ts': `import type { fixture } from '../wire/generated/dist.js'\n` },
    complaint: 'packages/runtime/src/wire/generated/ is for packages/runtime/src/wire/',
  },
  {
    title: 'a driver outside its files',
    files: { 'packages/runtime/src/transport/wrong.ts': `export * from '@grpc/grpc-js'\n` },
    complaint:
      '@grpc/grpc-js is for packages/runtime/src/transport/sockets/grpc.ts, packages/runtime/src/transport/sockets/grpc-link.ts, packages/runtime/src/transport/sockets/grpc-tls.ts, packages/runtime/src/transport/sockets/grpc-stranger.ts only',
  },
  {
    title: 'the testing tools in the runtime itself',
    files: { 'packages/runtime/src/node/wrong.ts': `export const load = () => import('../testing/index.ts')\n` },
    complaint: 'packages/runtime/src/testing/ is for',
  },
  {
    title: 'the testing tools in another package',
    files: { 'packages/gen-server/src/wrong.ts': `import { firstPid } from '@pidmesh/runtime/testing'\n` },
    complaint: '@pidmesh/runtime/testing is for tests only',
  },
  {
    title: 'a file system in the core',
    files: { 'packages/global-ets/src/wrong.ts': `import { readFileSync } from 'fs'\n` },
    complaint: 'node:fs is ambient state',
  },
  {
    title: 'new Date() in the core',
    files: { 'packages/gen-server/src/wrong.ts': `export const startedAt: Date = new Date()\n` },
    complaint: 'the core asks its Clock',
  },
]

const others: readonly Mistake[] = [
  {
    title: 'Date.now() in the core',
    files: { 'packages/runtime/src/node/clock.ts': `export const startedAtMs: number = Date.now()\n` },
    complaint: 'Error/eslint(no-restricted-properties',
  },
  {
    title: 'a timer in the core',
    files: { 'packages/global-ets/src/timer.ts': `setTimeout(() => {}, 1)\n` },
    complaint: 'Error/eslint(no-restricted-globals',
  },
  {
    title: 'an any in a public signature',
    files: { 'packages/gen-server/src/any.ts': `export function send(message: any): void {\n  void message\n}\n` },
    complaint: 'Error/typescript(no-explicit-any',
  },
  {
    title: 'a floating promise, of a function of another package, in a test',
    files: {
      'packages/gen-server/test/floating.ts': `import { exited } from '@pidmesh/runtime'\n\nexited({ id: 1 })\n`,
    },
    complaint: 'Error/typescript(no-floating-promises',
  },
  {
    title: 'a switch that forgets a case, although it has a default',
    files: {
      'packages/gen-server/src/switch.ts': `export function f(kind: 'a' | 'b'): number {
  switch (kind) {
    case 'a':
      return 1
    default:
      return 2
  }
}
`,
    },
    complaint: 'Error/typescript(switch-exhaustiveness-check',
  },
  {
    title: 'a console in a package',
    files: { 'packages/ws-gateway/src/console.ts': `console.log('here')\n` },
    complaint: 'Error/eslint(no-console',
  },
  {
    title: 'an enum',
    files: { 'packages/ws-gateway/src/enum.ts': `export enum State {\n  open,\n}\n` },
    complaint: 'TS1294',
  },
  {
    title: 'a type test that no longer holds',
    files: {
      'packages/gen-server/test/type-test.ts': `// @ts-expect-error: a number is a number\nexport const one: number = 1\n`,
    },
    complaint: 'TS2578',
  },
  {
    title: 'a file that is not formatted',
    files: { 'packages/gen-server/src/format.ts': `export const one: number = 1;\n` },
    complaint: ' (',
  },
]

describe('check:static', () => {
  let fixture: Fixture
  let touched: string[] = []
  const write = (files: Mistake['files']): void => {
    touched.push(...Object.keys(files))
    for (const [path, text] of Object.entries(files)) fixture.write(path, text)
  }
  const restore = (): void => {
    for (const path of touched) fixture.restore(path)
    touched = []
  }
  beforeAll(() => {
    fixture = new Fixture()
  })
  afterAll(() => fixture.remove())

  test('passes on clean sources, and says how many files it has seen', () => {
    const { exitCode, output } = fixture.check()
    expect(output).toMatch(/^imports: [1-9]\d* in [1-9]\d* files, 0 problems$/m)
    expect(exitCode, output).toBe(0)
  })

  describe('imports', () => {
    afterEach(restore)

    test.each(imports)('fails on $title', ({ files, complaint }) => {
      write(files)
      const { exitCode, output } = fixture.check('imports')
      expect(output).toContain(Object.keys(files)[0])
      expect(output).toContain(complaint)
      expect(exitCode).toBe(1)
    })

    test('fails on a package without sources, instead of passing for want of them', () => {
      touched.push('packages/global-ets/src/index.ts')
      rmSync(join(fixture.dir, 'packages/global-ets/src'), { recursive: true })
      const { exitCode, output } = fixture.check('imports')
      expect(output).toContain('packages/global-ets: no source file was found')
      expect(exitCode).toBe(1)
    })
  })

  // All mistakes at once, because each run takes long: every one must be told of as an error, in its own file.
  describe('format, types, lint', () => {
    let lines: string[]
    let exitCode: number | null
    beforeAll(() => {
      for (const { files } of others) write(files)
      const outcome = fixture.check('format', 'types', 'lint')
      lines = outcome.output.split('\n')
      exitCode = outcome.exitCode
    })
    afterAll(restore)

    test('fail', () => {
      expect(lines).toContain('check failed: format, types, lint')
      expect(exitCode).toBe(1)
    })

    test.each(others)('complain about $title', ({ files, complaint }) => {
      const [file = ''] = Object.keys(files)
      expect(lines.filter((line) => line.startsWith(file))).toContainEqual(expect.stringContaining(complaint))
    })
  })

  test('one mistake fails the whole command', () => {
    write({ 'packages/gen-server/src/wrong.ts': `import { exited } from '@pidmesh/runtime'\n\nexited({ id: 1 })\n` })
    const { exitCode, output } = fixture.check()
    restore()
    expect(output).toContain('check failed: lint\n')
    expect(exitCode).toBe(1)
  })
})
