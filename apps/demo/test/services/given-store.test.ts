// PURPOSE: somebody else's store that ends while the demo runs is told of in one line, and in another one when it is back.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import {
  kafkaMissing,
  mariadbMissing,
  mustSkip,
  redisMissing,
  startKafka,
  startMariadb,
  startRedis,
} from '@pidmesh/dev-services'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'

const launcher = fileURLToPath(new URL('../../dist/cluster.js', import.meta.url))

beforeAll(() => {
  if (!existsSync(launcher)) throw new Error('apps/demo is not built: pnpm build')
})

type Server = { kill(): Promise<void>; startAgain(): Promise<void>; stop(): Promise<void> }

class Demo {
  readonly child: ChildProcess
  #said = ''

  constructor(via: string, store: string) {
    const options = ['--via', via, '--store', store, '--nodes', '1', '--port', '0', '--mesh-port', '0']
    this.child = spawn(process.execPath, [launcher, ...options], { stdio: 'pipe' })
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (data: Buffer) => (this.#said += data.toString()))
    const closed = new Promise((resolve) => this.child.once('close', resolve))
    onTestFinished(async () => {
      this.child.kill('SIGTERM')
      await closed
    })
  }

  get isUp(): boolean {
    return this.#said.includes('Ctrl-C ends everything')
  }

  /** Lines about the store. */
  get lines(): readonly string[] {
    return this.#said.split('\n').filter((line) => line.includes('--store'))
  }
}

/** A store that runs in Java may take long to start, and so may a demo, on a machine that is busy with something else. */
const WITHIN = { timeout: 50_000 }
vi.setConfig({ testTimeout: 4 * WITHIN.timeout })

async function expectTold(via: string, address: string, server: Server): Promise<void> {
  const demo = new Demo(via, address)
  await expect.poll(() => demo.isUp, WITHIN).toBe(true)
  expect(demo.lines).toEqual([])
  const away = expect.stringMatching(/^the store at 127\.0\.0\.1:\d+ \(--store\) does not answer: /)
  const back = expect.stringMatching(/^the store at 127\.0\.0\.1:\d+ \(--store\) is back$/)
  await server.kill()
  await expect.poll(() => demo.lines, WITHIN).toEqual([away])
  await server.startAgain()
  await expect.poll(() => demo.lines, WITHIN).toEqual([away, back])
}

describe.skipIf(mustSkip(redisMissing()))('a Redis that ends', () => {
  it.each(['redis', 'redis-pubsub'])('is told of, and that it is back: --via %s', async (via) => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    await expectTold(via, redis.url, redis)
  })
})

describe.skipIf(mustSkip(mariadbMissing()))('a MariaDB that ends', () => {
  it('is told of, and that it is back', async () => {
    const mariadb = await startMariadb()
    onTestFinished(() => mariadb.stop())
    await expectTold('mysql', mariadb.url, mariadb)
  })
})

describe.skipIf(mustSkip(kafkaMissing()))('a Kafka that ends', () => {
  it('is told of, and that it is back', async () => {
    const kafka = await startKafka()
    onTestFinished(() => kafka.stop())
    await expectTold('kafka', kafka.bootstrap, kafka)
  })
})
