export { GlobalEts, type GlobalEtsOptions, type NameRow } from './global-ets.ts'
export type { ConflictPolicy } from './conflict.ts'
export type { NameConflictReason, NamesChangedMessage } from './server.ts'
