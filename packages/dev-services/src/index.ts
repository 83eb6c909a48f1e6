export { MariadbService, mariadbMissing, startMariadb, type MariadbOptions } from './mariadb.ts'
export { ServerProcess, ServiceMissing, freePort, isListening, makeFolder, type ServerStart } from './server-process.ts'
export {
  redisMissing,
  redisTlsMissing,
  startRedis,
  startRedisCluster,
  startRedisSentinel,
  type RedisCluster,
  type RedisClusterOptions,
  type RedisOptions,
  type RedisService,
} from './redis.ts'
export { isInstalled } from './programs.ts'
export { mustSkip } from './skip.ts'
export { kafkaMissing, startKafka, KafkaService, type KafkaUser } from './kafka.ts'
