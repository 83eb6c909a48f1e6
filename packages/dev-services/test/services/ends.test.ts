/**
 * PURPOSE: nothing of a server outlives who has started it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mariadbMissing, mustSkip, redisMissing } from '@pidmesh/dev-services'
import { describe, expect, it, onTestFinished } from 'vitest'

const STARTER = `
  const { startRedis } = await import(process.argv[1])
  const redis = await startRedis()
  const folder = (await redis.command('CONFIG', 'GET', 'dir')).split('\\n')[1]
  console.log(JSON.stringify({ folder, pid: Number(/process_id:(\\d+)/.exec(await redis.command('INFO', 'server'))[1]) }))
  if (process.argv[2] === 'stop') await redis.stop()
`

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe.skipIf(mustSkip(redisMissing()))('a server, and its folder', () => {
  it.each(['stop', 'kill'])('are gone after a %s of who has started it', async (how) => {
    const program = new URL('../../dist/index.js', import.meta.url).href
    const starter = spawn(process.execPath, ['--input-type=module', '-e', STARTER, program, how], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(starter.stdout, 'data')) as [Buffer]
    const { folder, pid } = JSON.parse(line.toString()) as { readonly folder: string; readonly pid: number }
    if (how === 'kill') {
      expect([existsSync(folder), isAlive(pid)]).toEqual([true, true])
      starter.kill('SIGKILL')
    }
    await expect.poll(() => [existsSync(folder), isAlive(pid)], { timeout: 10_000 }).toEqual([false, false])
    if (how === 'stop') await expect.poll(() => starter.exitCode, { timeout: 10_000 }).toBe(0)
  })
})

describe.skipIf(mustSkip(mariadbMissing()))('the data of a server that is not yet started', () => {
  it('is gone after a kill of who has it made', async () => {
    const place = mkdtempSync(join(tmpdir(), 'pidmesh-ends-'))
    onTestFinished(() => rmSync(place, { recursive: true, force: true }))
    const program = new URL('../../dist/index.js', import.meta.url).href
    const starting = `const { startMariadb } = await import(${JSON.stringify(program)}); await startMariadb()`
    const starter = spawn(process.execPath, ['--input-type=module', '-e', starting], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, TMPDIR: place },
    })
    const isMade = (): boolean => readdirSync(place).some((folder) => existsSync(join(place, folder, 'data')))
    await expect.poll(isMade, { timeout: 10_000, interval: 10 }).toBe(true)
    starter.kill('SIGKILL')
    await expect.poll(() => readdirSync(place), { timeout: 10_000 }).toEqual([])
  })
})
