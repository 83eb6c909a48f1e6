export { GlobalEts, type TakeoverOptions } from './global-ets.ts'
export type { GlobalEtsOptions } from './names-options.ts'
export type { NamePattern, WatchPattern } from './name-pattern.ts'
export type {
  NameChange,
  NameConflict,
  NameConflictReason,
  NameEntry,
  NameLostMessage,
  NameRow,
  NamesMessage,
  NamesWatch,
  NewName,
  Registered,
} from './names-messages.ts'
export type { Claimant, ConflictPolicy, SortKeyPolicy } from './engine/conflict.ts'
export { ProcessGroups, type ProcessGroupsOptions } from './process-groups.ts'
export type { GroupMember, GroupMessage, GroupsMonitor } from './groups-messages.ts'
