/**
 * PURPOSE: three brokers, of which one is killed or stands still: what is published goes on, and nobody who publishes or reads notices more than a delay.
 *
 * INVARIANTS, of what one node publishes to one channel, at every node that was started before:
 * - it comes in order, and no message twice
 * - with `acks: 'all'` each message comes that was told as published; each other one comes in its place, or not at all
 * - with `acks: 1` a message may be lost that was told as published, if the leader fails that alone had it
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { startKafkaCluster, type KafkaService } from '@pidmesh/dev-services'
import { afterEach, describe, expect, it } from 'vitest'
import type { KafkaTopic } from '../../src/index.ts'
import { partitionOf } from '../../src/partition.ts'
import { TestBroker, text, type Node, type Placed } from './broker.ts'

const broker = new TestBroker(async () => (await startKafkaCluster()).nodes)
const ALL = 3
const PARTITIONS = 6
/** Longer than any test takes: nobody who waits so long is told that it has failed. */
const PATIENT_MS = 100_000
/** Shorter than it takes until another broker leads. */
const HASTY_MS = 1_000
/** Of a test that starts a broker again, on a machine that is busy. */
const LIMIT_MS = 100_000
const WAIT = { timeout: 40_000 }

function led(partition: number, places: readonly Placed[]): KafkaService {
  const leader = broker.brokers.find(({ id }) => id === places[partition]?.leader)
  if (leader === undefined) throw new Error('the partition has no leader')
  return leader
}

function otherThan(one: KafkaService): KafkaService {
  const other = broker.brokers.find((each) => each !== one)
  if (other === undefined) throw new Error('there is one broker only')
  return other
}

async function untilInStep(name: string, from: KafkaService): Promise<void> {
  const inStep = async (): Promise<readonly number[]> =>
    (await broker.placesOf(name, from)).map((each) => each.inStep.length)
  await expect.poll(inStep, WAIT).toEqual(Array.from({ length: PARTITIONS }, () => ALL))
}

/** A channel in that partition. */
function channelIn(partition: number, partitions: number): string {
  for (let index = 0; ; index++)
    if (partitionOf(`channel ${index}`, partitions) === partition) return `channel ${index}`
}

/** One node that publishes to channels of its own, three messages to each at once, on and on. */
class Traffic {
  private readonly name: string
  private readonly topic: KafkaTopic
  private readonly loops: readonly Promise<void>[]
  /** By channel: how many were published, and those that were told as such. */
  private readonly channels = new Map<string, { count: number; readonly told: number[] }>()
  private isEnding = false
  private isAbandoned = false
  failures = 0

  constructor(name: string, topic: KafkaTopic) {
    this.name = name
    this.topic = topic
    for (let index = 0; index < 2 * PARTITIONS; index++) this.channels.set(`${name}/${index}`, { count: 0, told: [] })
    this.loops = [...this.channels.keys()].map((channel) => this.run(channel))
  }

  /** Resolves when a message of each channel was told as published that was not yet published before. */
  async goesOn(): Promise<void> {
    const before = new Map([...this.channels].map(([channel, { count }]) => [channel, count]))
    const waiting = (): readonly string[] =>
      [...this.channels]
        .filter(([channel, { told }]) => (told.at(-1) ?? -1) < (before.get(channel) ?? 0))
        .map(([channel]) => channel)
    await expect.poll(waiting, WAIT).toEqual([])
  }

  /** Of a test that is over. */
  abandon(): void {
    this.isAbandoned = true
  }

  /** Resolves when the last message of each channel was told as published. */
  async end(): Promise<void> {
    this.isEnding = true
    await Promise.all(this.loops)
  }

  /** After the end: the last of each channel has come, and what the rules say of the others is so. */
  async expectKept({ got }: Node, isLossAllowed: boolean): Promise<void> {
    const lasts = [...this.channels].map(([channel, { told }]) => `${channel} ${told.at(-1)}`)
    await expect.poll(() => lasts.filter((last) => !got.includes(last))).toEqual([])
    for (const [channel, { told }] of this.channels) {
      const numbers = got.filter((each) => each.startsWith(`${channel} `)).map((each) => Number(each.split(' ')[1]))
      expect(numbers, `${channel}: in order, each once`).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
      const come = new Set(numbers)
      if (!isLossAllowed)
        expect(
          told.filter((each) => !come.has(each)),
          `${channel}: lost`,
        ).toEqual([])
    }
    expect(got.filter((each) => each.startsWith(`${this.name}/`)).length).toBeGreaterThan(0)
  }

  private async run(channel: string): Promise<void> {
    while (!this.isAbandoned) {
      const told = await Promise.all([1, 2, 3].map(() => this.publish(channel)))
      if (this.isEnding && told.at(-1) === true) return
      // Not as much as the machine can.
      await sleep(25)
    }
  }

  private async publish(channel: string): Promise<boolean> {
    const of = this.channels.get(channel)
    if (of === undefined) return false
    const number = of.count++
    try {
      await this.topic.publish(channel, text(`${channel} ${number}`))
      of.told.push(number)
      return true
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
      this.failures += 1
      return false
    }
  }
}

const traffic: Traffic[] = []
afterEach(() => {
  for (const each of traffic.splice(0)) each.abandon()
})

interface Scene {
  readonly name: string
  readonly all: readonly Traffic[]
  /** Ends all that is published, and looks at what has come. */
  readonly end: () => Promise<void>
}

async function begin(): Promise<Scene> {
  const name = broker.newTopic()
  // If a broker is not alive for a moment, the start waits for it.
  const options = { partitions: PARTITIONS, replicas: ALL, timeoutMs: PATIENT_MS }
  const reader = await broker.start(name, options)
  const nodes = await Promise.all([
    broker.start(name, { ...options, acks: 'all' }),
    broker.start(name, { ...options, acks: 'all', timeoutMs: HASTY_MS }),
    broker.start(name, { ...options, acks: 1 }),
  ])
  const [patient, hasty, light] = [
    new Traffic('patient', nodes[0].topic),
    new Traffic('hasty', nodes[1].topic),
    new Traffic('light', nodes[2].topic),
  ]
  const all = [patient, hasty, light]
  traffic.push(...all)
  await Promise.all(all.map((each) => each.goesOn()))
  return {
    name,
    all,
    end: async () => {
      await Promise.all(all.map((each) => each.end()))
      for (const node of [reader, ...nodes]) {
        await patient.expectKept(node, false)
        await hasty.expectKept(node, false)
        await light.expectKept(node, true)
      }
      expect([patient.failures, light.failures]).toEqual([0, 0])
      expect(hasty.failures).toBeGreaterThan(0)
    },
  }
}

describe('a topic on three brokers', () => {
  it.each([
    [ALL, {}],
    [2, { replicas: 2 }],
    [1, { replicas: 1 }],
  ])('is made with %d replicas if the options are %j', async (replicas, options) => {
    const name = broker.newTopic()
    await broker.untilAlive()
    await broker.start(name, options)
    const places = await broker.placesOf(name, broker.kafka)
    expect(places.map((each) => each.replicas.length)).toEqual(Array.from({ length: 4 }, () => replicas))
  })

  it(
    'is read and written as before while one is killed and comes back',
    async () => {
      const { name, all, end } = await begin()
      const victim = led(0, await broker.placesOf(name, broker.kafka))
      await victim.kill()
      await Promise.all(all.map((each) => each.goesOn()))
      await victim.startAgain()
      await untilInStep(name, otherThan(victim))
      await Promise.all(all.map((each) => each.goesOn()))
      await expect(end()).resolves.toBeUndefined()
    },
    LIMIT_MS,
  )

  it(
    'is read and written as before while one stands still, and after it, and a node that starts meanwhile takes part',
    async () => {
      const { name, all, end } = await begin()
      const victim = led(0, await broker.placesOf(name, broker.kafka))
      victim.pause()
      try {
        const brokers = [victim, ...broker.brokers].map(({ bootstrap }) => bootstrap)
        const late = await broker.start(name, { brokers, timeoutMs: PATIENT_MS })
        await Promise.all(all.map((each) => each.goesOn()))
        await late.topic.publish('late', text('late'))
        await expect.poll(() => late.got).toContain('late')
      } finally {
        victim.resume()
      }
      await untilInStep(name, otherThan(victim))
      await Promise.all(all.map((each) => each.goesOn()))
      await expect(end()).resolves.toBeUndefined()
    },
    LIMIT_MS,
  )

  it('that has one replica is not held up where another broker leads than the one that stands still', async () => {
    const name = broker.newTopic()
    const partitions = ALL
    const { topic, got } = await broker.start(name, { partitions, replicas: 1, timeoutMs: PATIENT_MS })
    const places = await broker.placesOf(name, broker.kafka)
    const victim = led(0, places)
    const others = [1, 2].filter((partition) => led(partition, places) !== victim)
    expect(others.length).toBeGreaterThan(0)
    victim.pause()
    let isWaiting = true
    const waiting = topic.publish(channelIn(0, partitions), text('waits')).finally(() => (isWaiting = false))
    try {
      for (let turn = 0; turn < 10; turn++)
        for (const partition of others) await topic.publish(channelIn(partition, partitions), text(`${partition}`))
      await expect.poll(() => got.length).toBe(10 * others.length)
      expect(isWaiting).toBe(true)
    } finally {
      victim.resume()
    }
    await waiting
    await expect.poll(() => got).toContain('waits')
  })
})
