/**
 * When to ping a client, and when to give it up: a pure function of when it was last heard.
 *
 * Everything that a client sends counts as life. One that has been silent for `pingIntervalMs` is pinged, and given up `pingTimeoutMs` after the ping.
 */
export interface HeartbeatOptions {
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

export type Beat = 'wait' | 'ping' | 'dead'

/** @param pingedMs when the ping was sent that has not been answered; `undefined` if none was */
export function beatOf(heardMs: number, pingedMs: number | undefined, nowMs: number, options: HeartbeatOptions): Beat {
  if (pingedMs !== undefined) return nowMs - pingedMs >= options.pingTimeoutMs ? 'dead' : 'wait'
  return nowMs - heardMs >= options.pingIntervalMs ? 'ping' : 'wait'
}
