/**
 * What the gateway says in controls, from what has come over the wire. Nothing is believed of its form.
 */
export interface Terms {
  /** Of the session, for its next resume; `undefined`: it can't be resumed. */
  readonly token: string | undefined
  /** How many messages may be left unacknowledged while they come in. */
  readonly ackEvery: number
}

export type GapReason =
  /** The session doesn't keep so many messages as were missed. */
  | 'gap'
  /** The session is no more, or its node is. */
  | 'gone'
  /** The token is used up, forged, or another user's. */
  | 'refused'
  /** The gateway resumes no sessions. */
  | 'not_resumable'

export type ServerControl =
  | { readonly type: 'welcome'; readonly seq: 0; readonly terms: Terms }
  | { readonly type: 'resumed'; readonly seq: number; readonly received: number; readonly terms: Terms }
  | { readonly type: 'resume_failed'; readonly why: GapReason; readonly seq: number }
  | { readonly type: 'received'; readonly received: number }
  | { readonly type: 'expiring' }
  /** Whatever shows no more than that the gateway is there: also what a later version of the protocol may say. */
  | { readonly type: 'other' }
  | { readonly type: 'malformed' }

const MALFORMED: ServerControl = { type: 'malformed' }
/** A quarter of what a session keeps by default, if the gateway doesn't say. */
const ACK_EVERY = 16

export function serverControl(control: unknown): ServerControl {
  const { type, seq, received, why, resume, ackEvery } = fieldsOf(control)
  const { token } = fieldsOf(resume)
  const terms = {
    token: typeof token === 'string' ? token : undefined,
    ackEvery: isCount(ackEvery) && ackEvery > 0 ? ackEvery : ACK_EVERY,
  }
  switch (type) {
    case 'welcome':
      return { type, seq: 0, terms }
    case 'resumed':
      return isCount(seq) && isCount(received) ? { type, seq, received, terms } : MALFORMED
    case 'resume_failed':
      return { type, why: why === 'gap' || why === 'refused' ? why : 'gone', seq: isCount(seq) ? seq : 0 }
    case 'received':
      return isCount(received) ? { type, received } : MALFORMED
    case 'expiring':
      return { type }
    default:
      return typeof type === 'string' ? { type: 'other' } : MALFORMED
  }
}

/** Of what may be anything. */
export function fieldsOf(value: unknown): { readonly [key: string]: unknown } {
  return Object(value) as { readonly [key: string]: unknown }
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
