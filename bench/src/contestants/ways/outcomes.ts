/**
 * What has become of messages: four cases, by what the sender was told and by what has come. Pure.
 */
export interface Sent {
  readonly n: number
  /** The sender was not told that it was not sent. */
  readonly isSaidSent: boolean
}

export interface Outcomes {
  /** Came, and the sender was told nothing else. */
  readonly delivered: number
  /** Did not come, and the sender was told so. */
  readonly reported: number
  /** Did not come, and the sender was not told. */
  readonly lost: number
  /** Came, though the sender was told that it was not sent. */
  readonly late: number
}

export function outcomesOf(sent: readonly Sent[], came: ReadonlySet<number>): Outcomes {
  const count = (isSaidSent: boolean, hasCome: boolean): number =>
    sent.filter((one) => one.isSaidSent === isSaidSent && came.has(one.n) === hasCome).length
  return {
    delivered: count(true, true),
    reported: count(false, false),
    lost: count(true, false),
    late: count(false, true),
  }
}

/** In percent of all. */
export function percentOf({ delivered, reported, lost, late }: Outcomes): Readonly<Record<keyof Outcomes, number>> {
  const all = delivered + reported + lost + late
  const share = (count: number): number => (100 * count) / all
  return { delivered: share(delivered), reported: share(reported), lost: share(lost), late: share(late) }
}
