import fs from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { pinoLogger } from '../../src/system/pino-logger.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** Standard error as a file on a disk that is full, or not. */
function disk(): { isFull: boolean; text: string } {
  const state = { isFull: false, text: '' }
  vi.spyOn(fs, 'writeSync').mockImplementation((_fd: number, data: NodeJS.ArrayBufferView | string) => {
    if (state.isFull) throw Object.assign(new Error('no space left on device, write'), { code: 'ENOSPC' })
    const bytes =
      typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    state.text += bytes.toString()
    return bytes.length
  })
  return state
}

const LONG = 'x'.repeat(16 * 1_024)

describe('lines that can not be written, for the disk is full', () => {
  it('throw nothing, and are written when there is room again', () => {
    const stderr = disk()
    const log = pinoLogger()
    stderr.isFull = true
    for (const message of ['first', 'second']) log.warn({}, message)
    stderr.isFull = false
    log.warn({}, 'third')
    const messages = stderr.text.split('\n').map((line) => /"msg":"(\w+)"/.exec(line)?.[1])
    expect(messages).toEqual(['first', 'second', 'third', undefined])
  })

  it('are lost beyond some MiB, and what comes after that is written again', () => {
    const stderr = disk()
    const log = pinoLogger()
    stderr.isFull = true
    for (let i = 0; i < 1_024; i++) log.warn({ i }, LONG)
    // To the brim: not even a short one has its place.
    for (let i = 0; i < 1_024; i++) log.warn({ i }, 'short')
    stderr.isFull = false
    // This one may be lost, too: it finds that there is room.
    log.warn({}, 'there is room')
    log.warn({}, 'after that')
    const lines = stderr.text.trimEnd().split('\n')
    expect(lines[0]).toContain('"i":0,')
    expect(stderr.text.length).toBeLessThan(8 * 1_024 * 1_024)
    expect(lines.at(-1)).toContain('"msg":"after that"')
  })
})
