/**
 * The ways of keeping names that are compared, in the order in which they are shown.
 */
export const WAYS = [
  'global-ets',
  'redis-location',
  'mysql-location',
  'redis-pubsub',
  'redis-channel-per-name',
  'kafka',
] as const

export type Way = (typeof WAYS)[number]

/** @throws Error if there is no such way */
export function wayOf(text: string | undefined): Way {
  const way = WAYS.find((one) => one === text)
  if (way === undefined) throw new Error(`there is no way ${text}; there are: ${WAYS.join(', ')}`)
  return way
}
