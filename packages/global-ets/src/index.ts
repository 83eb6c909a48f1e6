export type { NameMeta } from '@pidmesh/runtime'
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
export type { TableStats } from './engine/replicated-table.ts'
export type { ViewState } from './engine/view.ts'
export type { Claimant, ConflictPolicy, SortKeyPolicy } from './engine/conflict.ts'
export { ProcessGroups, type ProcessGroupsOptions } from './process-groups.ts'
export type { GroupMember, GroupMessage, GroupsMonitor } from './groups-messages.ts'
export { Ets, type EtsSetType } from './ets/ets.ts'
export type { EtsInfo } from './ets/handle.ts'
export { Tid, type EtsTransferMessage } from './ets/tid.ts'
export type { CounterField, CounterUpdate } from './ets/counter.ts'
export type { EtsKey } from './ets/key.ts'
export type { EtsHeir, EtsOptions, EtsProtection, KeyField, KeyOf } from './ets/options.ts'
export type { Pattern } from './ets/pattern.ts'
export type { KeyPrefix, KeyRange } from './ets/range.ts'
export type { Page, ReadableTable } from './ets/readable-table.ts'
export type { EtsType } from './ets/rows.ts'
