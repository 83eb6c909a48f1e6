export { KafkaTopic } from './kafka-topic.ts'
export type { KafkaSasl, KafkaTopicOptions } from './options.ts'
