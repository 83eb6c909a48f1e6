export { KafkaTopic } from './kafka-topic.ts'
export type { KafkaSasl, KafkaTopicOptions } from './options.ts'
export { BroadcastVia, StoreError, type BroadcastViaOptions } from '@pidmesh/via-kit'
