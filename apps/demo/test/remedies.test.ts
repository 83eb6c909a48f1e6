import { describe, expect, it } from 'vitest'

import { remediesFor } from '../src/remedies.ts'
import type { StoreWay } from '../src/ways.ts'

const cases: readonly (readonly [StoreWay, string, readonly string[]])[] = [
  ['redis', 'Redis at h:1 refuses the user or the password', ['redis://user:password@']],
  ['redis-pubsub', 'Redis at h:1 refuses the user a right: commands, keys and channels', ['via-redis/README.md']],
  ['redis', 'Redis at h:1 is a replica, which takes no writes', []],
  ['redis', 'Redis at h:1 has not answered in 2000 ms', []],
  ['redis', 'url: the database must be a whole number, 0 or more', []],
  ['mysql', 'the database server: the user or the password is wrong (error 1045)', ['mysql://user:password@']],
  ['mysql', 'the database server: there is no such database (error 1049)', ['mysql://user:password@']],
  [
    'mysql',
    'the database server: the user has no right to the database (error 1044)',
    ['mysql://user:password@', 'via-mysql/README.md'],
  ],
  ['mysql', 'the database server: the user lacks a right to the table (error 1142)', ['via-mysql/README.md']],
  ['mysql', 'the database server: it is read-only (error 1290)', []],
  ['mysql', 'the table pidmesh_demo_names is not as it must be: no primary key', []],
  ['kafka', 'Kafka: start is not possible: TOPIC_AUTHORIZATION_FAILED', ['via-kafka/README.md']],
  ['kafka', 'Kafka: start has failed: no answer in time. Are the brokers there?', []],
  ['kafka', 'Kafka: start is not possible: the broker must be of Kafka 3.1 or later', []],
]

describe('how to mend a store is said', () => {
  it.each(cases)('where it fits, and nowhere else: %s, %s', (way, problem, expected) => {
    const remedies = remediesFor(way, problem)
    expect(remedies).toHaveLength(expected.length)
    for (const [index, text] of expected.entries()) expect(remedies[index]).toContain(text)
  })
})
