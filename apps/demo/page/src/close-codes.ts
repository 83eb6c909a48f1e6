// How a node's close code is understood. What is not listed (1001, 1006, 1011, 1012, 4008, …) means: this connection is over, try another node.

export const CLOSE = {
  /** The page leaves. */
  normal: 1000,
  slowConsumer: 4008,
  nameTaken: 4009,
  /** Two nodes had the name at once, and this session lost. */
  nameClash: 4011,
  badMessage: 4400,
} as const

/** For the line that the page shows about a lost connection. */
export function closeCause(code: number): string {
  switch (code) {
    case 1001:
    case 1012:
      return 'is shutting down'
    case 1011:
      return 'had an error'
    case 1013:
      return 'is overloaded'
    case CLOSE.slowConsumer:
      return 'found this connection too slow'
    case CLOSE.nameTaken:
      return 'still knows the name on another node'
    case CLOSE.nameClash:
      return 'found the name on two nodes at once'
    case CLOSE.badMessage:
      return 'did not understand this page'
    default:
      return 'is gone'
  }
}
