/**
 * PURPOSE: names over a topic of Kafka hold the rules that every way of keeping names holds, between two nodes.
 */
import { BroadcastVia, KafkaTopic } from '@pidmesh/via-kafka'
import { conformance, LoopbackLab, pubSubCapabilities } from '@pidmesh/via-kit/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { TestBroker } from './broker.ts'

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

it('names over Kafka say what they can do', () =>
  expect(lab?.members[0].names.capabilities).toEqual(pubSubCapabilities))

it.each(conformance.filter(({ needs }) => needs(pubSubCapabilities)))('names over Kafka: $rule', async ({ check }) => {
  await expect(lab && check(lab)).resolves.toBeUndefined()
})
