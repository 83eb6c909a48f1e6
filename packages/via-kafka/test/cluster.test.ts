import { describe, expect, it } from 'vitest'
import type { MetadataResponse } from '../src/broker-link.ts'
import { viewOf } from '../src/cluster.ts'

const NO_ID = '00000000-0000-0000-0000-000000000000'

type Topic = MetadataResponse['topics'][number]

function answer(topic: Partial<Topic>): MetadataResponse {
  const none = { errorCode: 0, name: 'pidmesh', topicId: NO_ID, isInternal: false, topicAuthorizedOperations: 0 }
  const brokers = [{ nodeId: 1, host: 'a', port: 1, rack: null }]
  return {
    throttleTimeMs: 0,
    brokers,
    clusterId: null,
    controllerId: 1,
    topics: [{ ...none, partitions: [], ...topic }],
  }
}

describe('where a topic is', () => {
  it('is what the brokers say, without partitions that have no leader', () => {
    const partition = { errorCode: 0, leaderEpoch: 0, replicaNodes: [], isrNodes: [], offlineReplicas: [] }
    const partitions = [1, -1].map((leaderId, partitionIndex) => ({ ...partition, partitionIndex, leaderId }))
    const view = viewOf(answer({ topicId: 'id', partitions }), 'pidmesh')
    expect(view).toEqual({ id: 'id', partitions: 2, leaders: new Map([[0, { host: 'a', port: 1 }]]) })
  })

  it('is nowhere if there is none', () => {
    expect(viewOf(answer({ errorCode: 3 }), 'pidmesh')).toBeUndefined()
    expect(viewOf(answer({ name: 'another' }), 'pidmesh')).toBeUndefined()
  })

  it.each([
    // UNKNOWN_SERVER_ERROR, LEADER_NOT_AVAILABLE, REQUEST_TIMED_OUT
    [-1, 'moved'],
    [5, 'moved'],
    [7, 'moved'],
    [17, 'unfit'],
    [29, 'unfit'],
  ])('is not what a broker that answers with code %d has said of it, which is nothing', (errorCode, kind) => {
    expect(() => viewOf(answer({ errorCode }), 'pidmesh')).toThrow(
      expect.objectContaining({ name: 'BrokerFault', kind }),
    )
  })
})
