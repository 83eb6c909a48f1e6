/**
 * How much is done at once, and sent at once. A simulation has less done, so that more comes in between.
 */
export interface Pace {
  /** A chunk of a snapshot is closed when it has so many bytes. */
  readonly chunkBytes: number
  /** Messages to one node in one turn. */
  readonly messagesPerTurn: number
  /** Rows that are settled or freed in one turn. */
  readonly rowsPerTurn: number
  /** Clashes that are settled in one turn. */
  readonly defeatsPerTurn: number
  /** Changes of this node's own rows go out so often at most; one that comes after a longer silence goes at once. */
  readonly changesMs: number
  /** From one turn to the next. 0: at once, when others have had theirs. */
  readonly pauseMs: number
}

export const PACE: Pace = {
  chunkBytes: 32 * 1024,
  messagesPerTurn: 8,
  rowsPerTurn: 500,
  defeatsPerTurn: 100,
  changesMs: 1,
  pauseMs: 0,
}
