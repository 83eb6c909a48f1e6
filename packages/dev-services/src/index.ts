export { makeCertificates, opensslMissing, type CertificateOf, type Certificates } from './certificates.ts'
export { erlangMissing, ErlangProcess } from './erlang.ts'
export { mariadbMissing, startMariadb } from './mariadb.ts'
export { mysqlMissing, startMysql } from './mysql.ts'
export { type SqlServerOptions, type SqlService } from './sql-server.ts'
export { ServerProcess, ServiceMissing, makeFolder, type ServerStart } from './server-process.ts'
export { freePort, freePorts, isListening } from './ports.ts'
export {
  redisMissing,
  redisTlsMissing,
  startRedis,
  startRedisCluster,
  startRedisClusterNode,
  startRedisSentinel,
  type RedisCluster,
  type RedisClusterOptions,
  type RedisOptions,
  type RedisService,
  type RedisTlsFiles,
} from './redis.ts'
export { isInstalled } from './programs.ts'
export { mustSkip } from './skip.ts'
export {
  kafkaMissing,
  startKafka,
  startKafkaCluster,
  KafkaService,
  type KafkaCluster,
  type KafkaOptions,
  type KafkaTlsFiles,
  type KafkaTlsPorts,
  type KafkaUser,
} from './kafka.ts'
