export { StoreError, type StoreErrorCode } from './errors.ts'
export type { LocationRow, LocationStore, TakenLocation } from './location-store.ts'
export type { MessageBroker, OnMessage } from './message-broker.ts'
