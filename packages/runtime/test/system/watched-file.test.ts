/**
 * Real files, and real nodes that find each other by one. Whether the watch works is seen by refreshes that come much too late to help.
 */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNode, watchedFile, type Node } from '@pidmesh/runtime'
import { MemoryLogger } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/system/system-clock.ts'
import { systemRandom } from '../../src/system/system-random.ts'

const NEVER_MS = 24 * 60 * 60_000
const SOON = { timeout: 15_000 }

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pidmesh-nodes-'))
  path = join(folder, 'nodes')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What the file is seen to list, until the test ends. */
function watch(refreshMs: number, file: string = path): { list: readonly string[] | undefined; log: MemoryLogger } {
  const seen = { list: undefined as readonly string[] | undefined, log: new MemoryLogger() }
  const end = watchedFile(file, { refreshMs }).start(
    (addresses) => {
      seen.list = addresses
    },
    { clock: systemClock, random: systemRandom, log: seen.log },
  )
  onTestFinished(end)
  return seen
}

/** Replaces the file in one step, as an editor does. */
function replace(text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

/** Points a link to another folder in one step, as the kubelet does when a ConfigMap changes: `nodes` is a link through it. */
function pointTo(generation: string, text: string): void {
  mkdirSync(join(folder, generation))
  writeFileSync(join(folder, generation, 'nodes'), text)
  symlinkSync(generation, join(folder, '..data_tmp'))
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
}

describe('a watched file', () => {
  it('is read at once, and again when it is written, replaced, removed and made again', async () => {
    writeFileSync(path, 'b:1\n')
    const seen = watch(NEVER_MS)
    await expect.poll(() => seen.list, SOON).toEqual(['b:1'])
    writeFileSync(path, 'b:2\n')
    await expect.poll(() => seen.list, SOON).toEqual(['b:2'])
    for (const port of [3, 4]) {
      replace(`b:${port}\n`)
      await expect.poll(() => seen.list, SOON).toEqual([`b:${port}`])
    }
    unlinkSync(path)
    await expect
      .poll(() => seen.log.lines.map(({ message }) => message), SOON)
      .toContain('discovery fails; what it has found stays')
    expect(seen.list).toEqual(['b:4'])
    writeFileSync(path, 'b:5\n')
    await expect.poll(() => seen.list, SOON).toEqual(['b:5'])
  })

  it('may be made after the node is started', async () => {
    const seen = watch(NEVER_MS)
    await expect.poll(() => seen.log.lines, SOON).toHaveLength(1)
    writeFileSync(path, 'b:1\n')
    await expect.poll(() => seen.list, SOON).toEqual(['b:1'])
  })

  it('may be a link that changes as a ConfigMap does', async () => {
    pointTo('..1', 'b:1\n')
    symlinkSync('..data/nodes', path)
    const seen = watch(NEVER_MS)
    await expect.poll(() => seen.list, SOON).toEqual(['b:1'])
    for (const generation of [2, 3]) {
      pointTo(`..${generation}`, `b:${generation}\n`)
      await expect.poll(() => seen.list, SOON).toEqual([`b:${generation}`])
    }
  })

  it('is looked at again where nothing can be watched: in a folder that does not exist yet, or is replaced', async () => {
    const below = join(folder, 'later')
    const seen = watch(100, join(below, 'nodes'))
    for (const port of [1, 2]) {
      mkdirSync(below)
      writeFileSync(join(below, 'nodes'), `b:${port}\n`)
      await expect.poll(() => seen.list, SOON).toEqual([`b:${port}`])
      rmSync(below, { recursive: true })
    }
  })

  it('may have a mebibyte', async () => {
    writeFileSync(path, `b:1\n${'#'.repeat(1024 * 1024 - 4)}`)
    const seen = watch(NEVER_MS)
    await expect.poll(() => seen.list, SOON).toEqual(['b:1'])
  })

  it.skipIf(process.platform !== 'linux')('is not open any more when it has been read', async () => {
    const openFiles = (): readonly string[] =>
      readdirSync('/proc/self/fd').flatMap((number) => {
        // The folder itself was open for this.
        const link = join('/proc/self/fd', number)
        return lstatSync(link, { throwIfNoEntry: false }) === undefined ? [] : [readlinkSync(link)]
      })
    writeFileSync(path, 'b:1\n')
    const seen = watch(NEVER_MS)
    await expect.poll(() => seen.list, SOON).toEqual(['b:1'])
    expect(openFiles()).not.toContain(path)
  })

  it('that is too large, or no file, is not read, and what was found stays', async () => {
    writeFileSync(path, 'b:1\n')
    const seen = watch(100)
    await expect.poll(() => seen.list, SOON).toEqual(['b:1'])
    replace(`c:1\n${'#'.repeat(1024 * 1024)}\n`)
    const problems = (): unknown[] => seen.log.lines.flatMap(({ fields }) => fields['problem'] ?? [])
    await expect.poll(problems, SOON).toEqual([expect.stringContaining('more than 1048576 bytes')])
    replace('b:2\n')
    await expect.poll(() => seen.list, SOON).toEqual(['b:2'])
    unlinkSync(path)
    mkdirSync(path)
    await expect.poll(() => problems().at(-1), SOON).toMatch(/ENOENT|is not a file/)
    expect(seen.list).toEqual(['b:2'])
  })

  it.each<[string, unknown, object]>([
    ['a path that is none', '', {}],
    ['a path that is no text', 7, {}],
    ['a path that no file can have', 'nodes\0', {}],
    ['an impossible refresh', 'nodes', { refreshMs: 0 }],
    ['an unknown option', 'nodes', { refresh: 100 }],
  ])('is refused with %s', (_what, wrongPath, options) => {
    expect(() => watchedFile(wrongPath as string, options)).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_OPTION' }),
    )
  })
})

describe('nodes that share a watched file', () => {
  it('find each other when it says so', async () => {
    const nodes: Node[] = []
    onTestFinished(async () => {
      for (const node of nodes) await node.stop()
    })
    for (const name of ['a', 'b', 'c']) {
      const options = { name: `${name}@127.0.0.1`, cookie: 'secret cookie', logLevel: 'silent' } as const
      nodes.push(await startNode({ ...options, discovery: watchedFile(path) }))
    }
    const connected = (): number[] => nodes.map((node) => node.nodes().length)
    expect(connected()).toEqual([0, 0, 0])
    replace(`# all but the last\n${nodes[0]?.address}\n${nodes[1]?.address}\n`)
    await expect.poll(connected, SOON).toEqual([2, 2, 2])
  })
})
