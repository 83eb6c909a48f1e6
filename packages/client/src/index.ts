/**
 * The client of a gateway, for browsers and Node.js. docs/client.md is its page.
 */
import { startClient, type Client } from './client.ts'
import { checkOptions, type ClientOptions } from './options.ts'

/**
 * Connects with a gateway, and again whenever that ends.
 * @throws ClientError `ERR_BAD_OPTION`, `ERR_NO_WEBSOCKET`
 */
export function connect<ClientMessage = unknown, ServerMessage = unknown>(
  options: ClientOptions,
): Client<ClientMessage, ServerMessage> {
  return startClient<ClientMessage, ServerMessage>(checkOptions(options))
}

export type { Client, SendStatus } from './client.ts'
export { json, type Codec, type Encoded } from './codec.ts'
export type { GapReason } from './controls.ts'
export { ClientError, type ClientErrorCode } from './errors.ts'
export type { ClientEvents } from './listeners.ts'
export type { ClientClock, ClientOptions, ResumeMemory, SocketConstructor, SocketLike } from './options.ts'
export type { ClientState, Close, Gap, ResumeState } from './state.ts'
