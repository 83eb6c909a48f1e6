/**
 * Whether a silent peer is dead: a pure function of when it was heard and when we looked.
 *
 * Every received frame counts as life. We look eight times a tick; a peer not heard for `ticks` ticks is dead, so that with the default (1 s, 4) its
 * names are gone 4 to 4.13 s after it was last heard. Each tick tells how long ago its sender last heard the receiver: one that is not heard closes too, so that
 * a one-way link ends on both sides.
 *
 * A connection on which something waits to be sent and nothing gets on its way for `noProgressMs` is dead too, however well its ticks come: its peer doesn't
 * read.
 *
 * A look that comes late means that *we* were stalled, and what was sent to us meanwhile stands unread in the sockets. Each deadline is put off
 * by the lateness, and nobody is judged in that look: the I/O comes first. `isLate` says so: there is to be another look when that is read.
 */
export interface LivenessOptions {
  /** Milliseconds between two ticks. */
  readonly tickMs: number
  /** Ticks of silence after which a peer is dead. */
  readonly ticks: number
  /** Milliseconds after which a connection that takes nothing of what waits for it is dead. */
  readonly noProgressMs: number
}

export interface Liveness {
  readonly lastHeardMs: number
  /** Added to the deadline: how long we ourselves were stalled, at the longest, since the peer was last heard. */
  readonly graceMs: number
  /** Oldest moment that the peer, by its own word, has heard us. */
  readonly heardByPeerMs: number
  readonly lastTickSentMs: number
  readonly nextLookMs: number
  /** When something was last passed on, or nothing waited. */
  readonly lastProgressMs: number
}

export type LivenessVerdict =
  | { readonly type: 'wait'; readonly sendTick: boolean }
  | { readonly type: 'dead'; readonly why: 'not_heard' | 'we_are_not_heard' | 'no_progress' }

export function startLiveness(nowMs: number, options: LivenessOptions): Liveness {
  return {
    lastHeardMs: nowMs,
    graceMs: 0,
    heardByPeerMs: nowMs,
    lastTickSentMs: nowMs,
    nextLookMs: nowMs + lookMs(options),
    lastProgressMs: nowMs,
  }
}

/** Milliseconds between two looks. */
export function lookMs(options: LivenessOptions): number {
  // However long the ticks, a connection that takes nothing is seen in time.
  return Math.min(options.tickMs / 8, options.noProgressMs / 10)
}

/** For each frame, as `onLook` for each look: each field by its name, where a spread would take several times as long. */
export function onHeard(state: Liveness, nowMs: number): Liveness {
  const { heardByPeerMs, lastTickSentMs, nextLookMs, lastProgressMs } = state
  return { lastHeardMs: nowMs, graceMs: 0, heardByPeerMs, lastTickSentMs, nextLookMs, lastProgressMs }
}

/** Something of what waited has been passed on. */
export function onProgress(state: Liveness, nowMs: number): Liveness {
  const { lastHeardMs, graceMs, heardByPeerMs, lastTickSentMs, nextLookMs } = state
  return { lastHeardMs, graceMs, heardByPeerMs, lastTickSentMs, nextLookMs, lastProgressMs: nowMs }
}

export function onTick(state: Liveness, nowMs: number, heardAgeMs: number): Liveness {
  const heardByPeerMs = Math.max(state.heardByPeerMs, nowMs - Math.max(0, heardAgeMs))
  return { ...state, lastHeardMs: nowMs, graceMs: 0, heardByPeerMs }
}

export function onLook(
  state: Liveness,
  nowMs: number,
  isWaiting: boolean,
  options: LivenessOptions,
): { state: Liveness; verdict: LivenessVerdict; isLate: boolean } {
  const latenessMs = Math.max(0, nowMs - state.nextLookMs)
  // Less is the jitter of a busy machine, and no reason to wait longer.
  const wasStalled = latenessMs > Math.min(options.tickMs, options.noProgressMs) / 4
  // Not the sum: what stood unread in an earlier stall has been read since, and who is stalled again and again must come to an end with a peer that is gone.
  const graceMs = wasStalled ? Math.max(state.graceMs, latenessMs) : state.graceMs
  const heardByPeerMs = wasStalled ? state.heardByPeerMs + latenessMs : state.heardByPeerMs
  const progressMs = wasStalled ? state.lastProgressMs + latenessMs : state.lastProgressMs
  const lastProgressMs = isWaiting ? progressMs : nowMs
  const limitMs = options.tickMs * options.ticks
  const sendTick = nowMs - state.lastTickSentMs >= options.tickMs
  const next: Liveness = {
    lastHeardMs: state.lastHeardMs,
    graceMs,
    heardByPeerMs,
    lastTickSentMs: sendTick ? nowMs : state.lastTickSentMs,
    nextLookMs: nowMs + lookMs(options),
    lastProgressMs,
  }
  if (!wasStalled && nowMs - state.lastHeardMs - graceMs >= limitMs)
    return { state: next, verdict: { type: 'dead', why: 'not_heard' }, isLate: false }
  // The peer's word is up to a tick old, and its own limit comes first: this is for the link that loses one direction only.
  if (!wasStalled && nowMs - heardByPeerMs >= limitMs + options.tickMs) {
    return { state: next, verdict: { type: 'dead', why: 'we_are_not_heard' }, isLate: false }
  }
  if (!wasStalled && nowMs - lastProgressMs >= options.noProgressMs)
    return { state: next, verdict: { type: 'dead', why: 'no_progress' }, isLate: false }
  return { state: next, verdict: { type: 'wait', sendTick }, isLate: wasStalled }
}
