export { RedisLocations } from './redis-locations.ts'
export { RedisPubSub } from './redis-pub-sub.ts'
export type {
  CommonOptions,
  LocationsTuning,
  PubSubTuning,
  RedisLocationsOptions,
  RedisPlace,
  RedisPubSubOptions,
  RedisTls,
  SentinelPlace,
} from './options.ts'
export {
  BroadcastVia,
  LocationVia,
  StoreError,
  type BroadcastViaOptions,
  type LocationViaOptions,
} from '@pidmesh/via-kit'
