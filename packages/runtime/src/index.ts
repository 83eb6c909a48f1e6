export { startNode } from './start-node.ts'
export type { Node } from './node/node.ts'
export type { NodeOptions, TransportKind } from './options.ts'
export type { Discovery, DiscoveryContext } from './discovery/discovery.ts'
export { dns, type DnsOptions } from './system/dns.ts'
export { watchedFile, type WatchedFileOptions } from './system/watched-file.ts'

export { handler, type HandlerBody, type ProcessBody, type ProcessFunction, type SpawnOptions } from './process/body.ts'
export type { AliasOptions, Context, DemonitorOptions, MonitorNodesOptions, MonitorOptions } from './process/context.ts'
export type { OpenRequest } from './process/open-request.ts'
export type { MailboxOptions, MessageHandler } from './process/process.ts'
export type { ReceiveOptions, ReceiveTimeout } from './process/receive.ts'
export { Failure, type ReadOutcome, type RequestOutcome } from './process/requests.ts'
export type { Within } from './process/within.ts'
export type { Destination } from './node/router.ts'
export { contextOf, type Caller } from './node/caller.ts'
export type { AttachedTable, TableListener } from './node/attached-tables.ts'
export type { ExportedFunction } from './node/exports.ts'
export {
  erpc,
  ErpcError,
  spawnLinkOn,
  spawnMonitorOn,
  spawnOn,
  type ErpcErrorCode,
  type ErpcOutcome,
} from './node/remote.ts'
export type { SendStatus, SentStatus } from './signals/signal.ts'

export {
  isNodeName,
  isPid,
  isRef,
  nodeName,
  Pid,
  Ref,
  type NameOnNode,
  type NodeIdentity,
  type NodeName,
} from './ids.ts'
export {
  formatReason,
  trimReason,
  isErrorReason,
  isExitReason,
  isQuietReason,
  reasonOfThrown,
  type ErrorReason,
  type ExitReason,
} from './reasons.ts'
export {
  hasType,
  type DownMessage,
  type ExitMessage,
  type NodeDownMessage,
  type NodeDownReason,
  type NodeType,
  type NodeUpMessage,
  type SystemMessage,
  type SystemMessages,
  type TimeoutMessage,
} from './messages.ts'
export { ExitError, PidmeshError, ProcessExited, shown, type ErrorCode } from './errors.ts'
export type { GroupEvent, Groups, MemberOfGroup } from './groups.ts'
export { isNameOnNode, via, ViaName, type Awaitable, type NameMeta, type Via, type ViaCapabilities } from './via.ts'
export type { NodeCounters } from './observe/counters.ts'
export { RateLimitedLog } from './observe/rate-limited-log.ts'
export type { ProcessInfo, ProcessInfoOptions, ProcessStatus } from './observe/process-info.ts'
export type { EventListener, Instrument, Observation, Telemetry } from './observe/telemetry.ts'
export type { TraceDetail, TraceEvent, TraceListener, TraceOptions } from './observe/tracing.ts'
export { encodedBytes, TermCodec } from './wire/term.ts'
export type { Slice } from './slice.ts'
export { assertNever } from './assert-never.ts'

export type { KeptContext } from './process/propagator.ts'
export type { Carrier, Clock, LogFields, Logger, Propagation, Random, TimerHandle, TlsOptions } from './ports.ts'
export { pinoLogger, wrapPino, type LogLevel, type PinoLoggerOptions } from './system/pino-logger.ts'
