import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { describe, expect, it } from 'vitest'

interface Bundle {
  readonly code: string
  /** The files that it is made of. */
  readonly files: readonly string[]
}

/** What a page gets of an entry. */
async function bundle(entry: string): Promise<Bundle> {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rollupOptions: {
        input: fileURLToPath(new URL(entry, import.meta.url)),
        preserveEntrySignatures: 'strict',
      },
    },
  })
  const outputs = (Array.isArray(built) ? built : [built]).flatMap((one) => ('output' in one ? one.output : []))
  const chunks = outputs.flatMap((output) => (output.type === 'chunk' ? [output] : []))
  return {
    code: chunks.map(({ code }) => code).join(''),
    files: chunks.flatMap(({ moduleIds, imports }) => [...moduleIds, ...imports]),
  }
}

describe('the client in a page', () => {
  it('is less than 5 kB, compressed, and of its own files only', async () => {
    const { code, files } = await bundle('../src/index.ts')
    expect(code).toContain('pidmesh.json.1')
    expect(files.filter((file) => !file.includes('/packages/client/src/'))).toEqual([])
    expect(files.length).toBeGreaterThan(10)
    expect(gzipSync(code).length).toBeLessThan(5_000)
  })

  it('has MessagePack only where that is imported', async () => {
    const { files } = await bundle('../src/msgpack.ts')
    const others = files.filter((file) => !file.includes('/packages/client/src/'))
    expect(others.length).toBeGreaterThan(0)
    expect(others.filter((file) => !file.includes('/@msgpack/msgpack/') && !file.startsWith('\0'))).toEqual([])
  })
})
