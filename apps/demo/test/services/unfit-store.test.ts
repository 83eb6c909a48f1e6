// PURPOSE: a store that is there and can't be used is told of once, with how to mend it, and nothing is left behind.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { mariadbMissing, mustSkip, redisMissing, startMariadb, startRedis } from '@pidmesh/dev-services'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'

const launcher = fileURLToPath(new URL('../../dist/cluster.js', import.meta.url))

beforeAll(() => {
  if (!existsSync(launcher)) throw new Error('apps/demo is not built: pnpm build')
})

/** Its exit code, and what it says. */
function run(via: string, store: string): Promise<{ code: number | null; lines: readonly string[] }> {
  const child = spawn(process.execPath, [launcher, '--via', via, '--store', store], { stdio: 'pipe' })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()))
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code, lines: said.trim().split('\n') }))
  })
}

describe.skipIf(mustSkip(redisMissing()))('a Redis that wants a password', () => {
  it.each(['redis', 'redis-pubsub'])('is told of in one line: --via %s', async (via) => {
    const redis = await startRedis({ args: ['--requirepass', 'secret-of-redis'] })
    onTestFinished(() => redis.stop())
    const { code, lines } = await run(via, `redis://:wrong-one@127.0.0.1:${redis.port}`)
    expect(lines).toEqual([
      expect.stringMatching(
        /^demo: the store at \S+ \(--store\) can't be used: .*password.* redis:\/\/user:password@host:port$/,
      ),
    ])
    expect(lines.join('\n')).not.toMatch(/secret-of-redis|wrong-one/)
    expect(code).toBe(1)
    const other = await run(via, `redis://:wrong-one@127.0.0.1:${redis.port}/first`)
    expect(other).toEqual({
      code: 1,
      lines: [expect.stringMatching(/^demo: the store at .* database must be a whole number, 0 or more$/)],
    })
  })

  it('is told of with the rights that are needed, if the user lacks one, and with nothing that is no help', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] })
    onTestFinished(() => replica.stop())
    await redis.command('ACL', 'SETUSER', 'somebody', 'on', '>secret-of-redis', '~*', '&*', '+@connection', '+role')
    const withoutRight = await run('redis', `redis://somebody:secret-of-redis@127.0.0.1:${redis.port}`)
    expect(withoutRight.lines).toEqual([expect.stringMatching(/ a right: .* packages\/via-redis\/README\.md$/)])
    expect(withoutRight.lines.join('\n')).not.toMatch(/Give user/)
    const { lines } = await run('redis', replica.url)
    expect(lines).toEqual([expect.stringMatching(/ is a replica, which takes no writes$/)])
  })
})

describe.skipIf(mustSkip(mariadbMissing()))('a MariaDB', () => {
  it('that refuses the password, or has no such database, is told of in one line', async () => {
    const mariadb = await startMariadb()
    onTestFinished(() => mariadb.stop())
    const [wrongPassword, otherDatabase] = [new URL(mariadb.url), new URL(mariadb.url)]
    wrongPassword.password = 'wrong-one'
    otherDatabase.pathname = '/another'
    const address = / mysql:\/\/user:password@host:port\/database$/
    // Who has no right to a database is not told whether there is one.
    const addressOrRight = / mysql:\/\/user:password@host:port\/database(\. The rights .*\/README\.md)?$/
    for (const [{ href }, remedy] of [
      [wrongPassword, address],
      [otherDatabase, addressOrRight],
    ] as const) {
      const { code, lines } = await run('mysql', href)
      expect(lines).toEqual([expect.stringMatching(/^demo: the store at \S+ \(--store\) can't be used: /)])
      expect(lines[0]).toMatch(remedy)
      expect(lines.join('\n')).not.toMatch(/wrong-one/)
      expect(code).toBe(1)
    }
  })
})
