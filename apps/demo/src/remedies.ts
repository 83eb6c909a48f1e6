// How to mend a store that can't be used, as far as that is the user's. Each belongs to the failures that it mends; what none is for stands alone.

import type { StoreWay } from './ways.ts'

type Remedy = {
  /** What a driver says. */
  fits: RegExp
  remedy: string
}

const REDIS: readonly Remedy[] = [
  {
    fits: /refuses the user or the password/,
    remedy: 'Give user and password in the address: redis://user:password@host:port',
  },
  { fits: /refuses the user a right/, remedy: 'The rights that are needed: packages/via-redis/README.md' },
]

const REMEDIES: Readonly<Record<StoreWay, readonly Remedy[]>> = {
  redis: REDIS,
  'redis-pubsub': REDIS,
  mysql: [
    {
      // Who may not use a database gives another one, or has to get the right.
      fits: /the user or the password is wrong|no such database|no right to the database/,
      remedy: 'Give user, password and database in the address: mysql://user:password@host:port/database',
    },
    {
      fits: /no right to|lacks a right/,
      remedy: 'The rights that are needed: packages/via-mysql/README.md',
    },
  ],
  // An address of Kafka has no user, so that a login that is wanted can't be given.
  kafka: [{ fits: /AUTHORIZATION_FAILED/, remedy: 'The rights that are needed: packages/via-kafka/README.md' }],
}

/** @returns sentences; none, if nothing is known that would help */
export function remediesFor(way: StoreWay, problem: string): readonly string[] {
  return REMEDIES[way].filter(({ fits }) => fits.test(problem)).map(({ remedy }) => remedy)
}
