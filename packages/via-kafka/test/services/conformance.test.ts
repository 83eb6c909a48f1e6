/**
 * PURPOSE: names over a topic of Kafka hold the rules that every way of keeping names holds, between two nodes.
 */
import type { ViaCapabilities } from '@pidmesh/runtime'
import { BroadcastVia, KafkaTopic } from '@pidmesh/via-kafka'
import { conformance, LoopbackLab } from '@pidmesh/via-kit/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { TestBroker } from './broker.ts'

const capabilities: ViaCapabilities = {
  resolve: 'none',
  holders: 'many',
  newestWins: false,
  order: 'always',
  purge: 'noticed',
  knowsAbsence: false,
  reachesPids: true,
}

const broker = new TestBroker()
let lab: LoopbackLab | undefined

beforeAll(async () => {
  if (broker.isMissing) return
  const { bootstrap } = broker.kafka
  lab = await LoopbackLab.start((node) =>
    BroadcastVia.start(node, { broker: new KafkaTopic({ brokers: [bootstrap], timeoutMs: 20_000 }) }),
  )
})
afterAll(() => lab?.stop())

it('names over Kafka say what they can do', () => expect(lab?.members[0].names.capabilities).toEqual(capabilities))

it.each(conformance.filter(({ needs }) => needs(capabilities)))('names over Kafka: $rule', async ({ check }) => {
  await expect(lab && check(lab)).resolves.toBeUndefined()
})
