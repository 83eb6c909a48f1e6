/**
 * A broker that is away, slow, or not as it was: what fails does so in time, and works again by itself.
 */
import { readdirSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { freePort } from '@pidmesh/dev-services'
import { connectionsApiChannel } from '@platformatic/kafka'
import { TestBroker, failure, text } from './broker.ts'

const broker = new TestBroker()
/** What a failure may take beyond its time, on a machine that is busy. */
const SLACK_MS = 1_500

/** What keeps a process alive. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout|Immediate/.test(kind)).length
}

/** How long it takes until this process has asked brokers that many things. */
async function requestsTakeMs(count: number): Promise<number> {
  const at = performance.now()
  let left = count
  await new Promise<void>((resolve) => {
    const onRequest = (): void => {
      left -= 1
      if (left > 0) return
      connectionsApiChannel.start.unsubscribe(onRequest)
      resolve()
    }
    connectionsApiChannel.start.subscribe(onRequest)
  })
  return performance.now() - at
}

describe('a start', () => {
  it('fails in time if nobody is there', async () => {
    const nobody = `127.0.0.1:${await freePort()}`
    const { error, ms } = await failure(broker.start('away', { brokers: [nobody], timeoutMs: 500 }))
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', message: expect.stringContaining('ECONNREFUSED') })
    expect(ms).toBeLessThan(500 + SLACK_MS)
  })

  it('fails in time if who is there does not answer', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const { error, ms } = await failure(broker.start('silent', { brokers: [`127.0.0.1:${port}`], timeoutMs: 500 }))
    silent.close()
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(ms).toBeLessThan(500 + SLACK_MS)
  })

  it('fails in time if who has hung up again and again does not do so any more, and does not answer', async () => {
    // Most of the time is over by then: what is left counts, and not all of it anew.
    let left = 20
    const silent = createServer((socket) => {
      if (left-- > 0) socket.destroy()
    }).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const { error, ms } = await failure(broker.start('late', { brokers: [`127.0.0.1:${port}`], timeoutMs: 2_500 }))
    silent.close()
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(ms).toBeLessThan(2_500 + SLACK_MS)
  })

  it('goes by the first broker that answers', async () => {
    const nobody = `127.0.0.1:${await freePort()}`
    const { topic, got } = await broker.start(broker.newTopic(), { brokers: [nobody, broker.kafka.bootstrap] })
    await topic.publish('a', text('one'))
    await expect.poll(() => got).toEqual(['one'])
  })

  it('is given up when it is stopped', async () => {
    const topic = broker.make({ brokers: [`127.0.0.1:${await freePort()}`], timeoutMs: 60_000 })
    const start = failure(topic.start(() => undefined))
    await topic.stop()
    expect((await start).error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  })

  it('is given up when it is stopped while it waits for an answer, and nothing of it is left', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const before = resources()
    const topic = broker.make({ brokers: [`127.0.0.1:${port}`], timeoutMs: 60_000 })
    const start = failure(topic.start(() => undefined))
    await once(silent, 'connection')
    await topic.stop()
    const { error, ms } = await start
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(ms).toBeLessThan(SLACK_MS)
    await expect.poll(resources, { timeout: SLACK_MS }).toBeLessThanOrEqual(before)
    silent.close()
  })
})

describe('a broker that is killed', () => {
  it('makes publishes fail in time, and is used again when it is back', async () => {
    const name = broker.newTopic()
    const reader = await broker.start(name)
    const patient = await broker.start(name, { timeoutMs: 30_000 })
    const hasty = await broker.start(name, { timeoutMs: 1_500, maxWaitingBytes: 20_000 })
    await hasty.topic.publish('a', text('before'))
    await expect.poll(() => reader.got).toEqual(['before'])
    await broker.kafka.kill()

    const failed = await Promise.all([1, 2].map((each) => failure(hasty.topic.publish('a', text(each)))))
    for (const { error, ms } of failed) {
      expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
      expect(ms).toBeLessThan(1_500 + SLACK_MS)
    }
    expect(reader.topic.fault).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })

    const waited = patient.topic.publish('a', text('patient'))
    await broker.kafka.startAgain()
    await waited
    await expect.poll(async () => hasty.topic.publish('a', text('after')).catch(String)).toBeUndefined()
    await expect.poll(() => reader.got).toEqual(['before', 'patient', 'after'])
    expect(reader.topic.fault).toBeUndefined()
  })

  it('makes no more wait than may', async () => {
    const name = broker.newTopic()
    await broker.start(name)
    const { topic } = await broker.start(name, { timeoutMs: 1_500, maxWaitingBytes: 50_000 })
    await topic.publish('a', text('before'))
    broker.kafka.pause()
    try {
      const failures = await Promise.all(
        Array.from({ length: 500 }, (_, index) => failure(topic.publish(`channel ${index}`, new Uint8Array(1_000)))),
      )
      const overloaded = failures.filter(({ error }) => (error as { code?: string }).code === 'ERR_STORE_OVERLOADED')
      expect(overloaded.length).toBeGreaterThan(450)
      expect(overloaded.length).toBeLessThan(SLACK_MS)
      // Those that had to wait have held the first ones up by nothing.
      expect(Math.max(...failures.map(({ ms }) => ms))).toBeLessThan(1_500 + SLACK_MS)
      expect(topic.waitingBytes).toBe(0)
    } finally {
      broker.kafka.resume()
    }
    await expect.poll(async () => topic.publish('a', text('after')).catch(String)).toBeUndefined()
  })

  it('that has lost what was written is read from now', async () => {
    const name = broker.newTopic()
    const { topic, got } = await broker.start(name, { partitions: 1 })
    // More than are published afterwards: the position is not there again by itself.
    const many = 5_000
    await Promise.all(Array.from({ length: many }, () => topic.publish('a', text('before'))))
    await expect.poll(() => got.length).toBe(many)
    await broker.kafka.kill()
    const { dataFolder } = broker.kafka
    for (const folder of readdirSync(dataFolder)) {
      if (folder.startsWith(`${name}-`)) rmSync(join(dataFolder, folder), { recursive: true })
    }
    await broker.kafka.startAgain()
    await expect
      .poll(async () => {
        await topic.publish('a', text('after')).catch(String)
        return got.slice(many)
      })
      .toContain('after')
    expect(got.filter((message) => message === 'before').length).toBe(many)
  })
})

describe('a broker that stands still', () => {
  it('is waited for by who has the time', async () => {
    const { topic, got } = await broker.start(broker.newTopic(), { timeoutMs: 30_000 })
    const hasty = await broker.start(broker.newTopic(), { timeoutMs: 2_000 })
    broker.kafka.pause()
    const published = topic.publish('a', text('one'))
    try {
      const { error } = await failure(hasty.topic.publish('a', text('given up')))
      expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    } finally {
      broker.kafka.resume()
    }
    await published
    await expect.poll(() => got).toEqual(['one'])
  })

  it('brings what was given up before what comes later, if at all, and nothing twice', async () => {
    const name = broker.newTopic()
    await broker.start(name)
    const { topic, got } = await broker.start(name, { timeoutMs: 500 })
    const resolved: number[] = []
    let number = 0
    const publish = async (): Promise<void> => {
      const mine = number++
      try {
        await topic.publish('a', text(mine))
        resolved.push(mine)
      } catch {
        // Comes nevertheless, or doesn't.
      }
    }
    for (let round = 0; round < 4; round++) {
      await Promise.all([publish(), publish()])
      broker.kafka.pause()
      await publish()
      await publish()
      const last = publish()
      broker.kafka.resume()
      await last
      await publish()
    }
    await expect.poll(() => topic.publish('a', text(number)).then(() => 'published', String)).toBe('published')
    resolved.push(number)
    await expect.poll(() => got.at(-1)).toBe(String(number))
    const numbers = got.map(Number)
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
    expect(numbers).toEqual(expect.arrayContaining(resolved))
    expect(resolved.length).toBeGreaterThan(8)
  })
})

describe('a topic that is deleted', () => {
  it('makes publishes fail with what to do, is looked for now and then, and is used again when somebody has made it', async () => {
    const name = broker.newTopic()
    const { topic, got } = await broker.start(name, { partitions: 2 })
    for (let index = 0; index < 5; index++) await topic.publish(`channel ${index}`, text('before'))
    await expect.poll(() => got.length).toBe(5)
    await broker.deleteTopic(name)

    await expect
      .poll(async () => topic.publish('a', text('lost')).catch((error: unknown) => error))
      .toMatchObject({ code: 'ERR_STORE_UNFIT', message: expect.stringContaining(`no topic ${name}`) })
    await expect.poll(() => topic.fault).toMatchObject({ code: 'ERR_STORE_UNFIT' })
    // Every half second; what reads may ask once more.
    expect(await requestsTakeMs(4)).toBeGreaterThan(900)

    got.length = 0
    const other = await broker.start(name, { partitions: 3 })
    const numbers = Array.from({ length: 9 }, (_, index) => String(index))
    for (const each of numbers) await other.topic.publish(`channel ${each}`, text(each))
    await expect.poll(() => got.toSorted()).toEqual(numbers)
    await topic.publish('a', text('again'))
    await expect.poll(() => other.got).toContain('again')
    await expect.poll(() => topic.fault).toBeUndefined()
  })
})

describe('a stop', () => {
  it('ends all connections and timers, also of a broker that stands still, and rejects what waits', async () => {
    const before = resources()
    const { topic } = await broker.start(broker.newTopic())
    await topic.publish('a', text('one'))
    expect(resources()).toBeGreaterThan(before)
    broker.kafka.pause()
    try {
      const waiting = failure(topic.publish('a', text('two')))
      await expect.poll(() => topic.waitingBytes).toBeGreaterThan(0)
      const at = performance.now()
      await topic.stop()
      expect(performance.now() - at).toBeLessThan(SLACK_MS)
      expect((await waiting).error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
      await expect.poll(resources, { timeout: SLACK_MS }).toBeLessThanOrEqual(before)
    } finally {
      broker.kafka.resume()
    }
    expect((await failure(topic.publish('a', text('three')))).error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    await topic.stop()
  })
})
