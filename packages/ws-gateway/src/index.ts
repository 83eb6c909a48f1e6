export { Gateway, type DrainOptions } from './gateway.ts'
export type { GatewayOptions, MetricsSource, UpgradeRequest } from './options.ts'
export type { CredentialOptions, FoundToken } from './credentials.ts'
export type { ResumeOptions } from './session-hub.ts'
export type { LoadThresholds } from './load.ts'
export { Authenticated } from './principal.ts'
export type { DropReason, GatewayStats, ResumeResult, SocketDistributions } from './counters.ts'
export type { HistogramStats } from './histogram.ts'
export type { MessageSchema } from './validate.ts'
export {
  SocketSession,
  type PushOptions,
  type PushStatus,
  type RegisterOptions,
  type SessionClass,
  type SessionSeat,
} from './session.ts'
export type { NameFor } from './name-for.ts'
export type { NamePolicy } from './session-names.ts'
export type { BroadcastOptions, SessionRooms } from './session-rooms.ts'
export { messageOfRoom, type RoomBroadcast } from './room-message.ts'
export type { PresenceMessage, Present } from './presence.ts'
export { CLOSE, type CloseCause, type CloseReason, type DocumentedCause } from './close-codes.ts'
export { GatewayError, type GatewayErrorCode } from './errors.ts'
