/**
 * `MessageBroker`: what a pub-sub broker is asked. A driver (Redis, Kafka) is this and nothing else: what is in a message, and who on this node gets it, is its user's.
 *
 * Rules for drivers:
 * - What one node publishes to a channel comes in that order, wherever it comes. It comes to the publisher as well, if that listens.
 * - It comes once; or not at all, if the broker or the way to it fails in between. What was published before a node listens doesn't come.
 * - After a connection is lost and there again the driver listens again to all that it was asked to, by itself.
 * - What fails rejects, with a StoreError, in time; what fails as it is too large, with a PidmeshError `ERR_MESSAGE_TOO_LARGE`. A publish that has failed may come nevertheless.
 */

/** What has come. The bytes are the receiver's own. */
export type OnMessage = (bytes: Uint8Array) => void

export interface MessageBroker {
  /** For the log. */
  readonly kind: string
  /** Whether `publish` says how many listen. */
  readonly countsListeners: boolean
  /**
   * Connects, and sees that the broker is fit for use. After a start that has failed `stop` is called.
   * @throws StoreError by rejection: `ERR_STORE_UNAVAILABLE`, `ERR_STORE_UNFIT`; `ERR_ALREADY_STARTED`, which changes nothing: a driver is for one user
   */
  start(onMessage: OnMessage): Promise<void>
  stop(): Promise<void>
  /** Resolves as soon as all that is published to the channel from then on comes here. A broker that has one channel for all does nothing. */
  listen(channel: string): Promise<void>
  unlisten(channel: string): Promise<void>
  /**
   * Resolves when the broker has it.
   * @returns how many connections of all nodes have got it, if the broker counts them; otherwise `undefined`. As well if it counts them, nobody has got it, and those who listen may not be back since the broker was away
   */
  publish(channel: string, bytes: Uint8Array): Promise<number | undefined>
}
