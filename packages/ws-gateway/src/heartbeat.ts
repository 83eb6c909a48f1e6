/**
 * When to ping a client, and when to give it up: pure functions of when it was last heard.
 *
 * Everything that a client sends counts as life. One that has been silent for `pingIntervalMs` is pinged, and given up `pingTimeoutMs` after the ping.
 */
export interface HeartbeatOptions {
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

export interface Heartbeat {
  readonly lastHeardMs: number
  /** When the ping was sent that has not been answered. */
  readonly pingedMs: number | undefined
}

export function startHeartbeat(nowMs: number): Heartbeat {
  return { lastHeardMs: nowMs, pingedMs: undefined }
}

export function onHeard(nowMs: number): Heartbeat {
  return startHeartbeat(nowMs)
}

export type Beat = 'wait' | 'ping' | 'dead'

export function onBeat(
  state: Heartbeat,
  nowMs: number,
  options: HeartbeatOptions,
): { readonly state: Heartbeat; readonly beat: Beat } {
  if (state.pingedMs !== undefined) {
    return { state, beat: nowMs - state.pingedMs >= options.pingTimeoutMs ? 'dead' : 'wait' }
  }
  if (nowMs - state.lastHeardMs < options.pingIntervalMs) return { state, beat: 'wait' }
  return { state: { ...state, pingedMs: nowMs }, beat: 'ping' }
}
