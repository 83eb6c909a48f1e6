/**
 * What the nodes of a contestant speak with each other: gRPC, or TCP for those whose program says so, and so for the processes that it starts.
 */
import type { TransportKind } from '@pidmesh/runtime'

const VARIABLE = 'BENCH_TRANSPORT'

export const transport: TransportKind = process.env[VARIABLE] === 'tcp' ? 'tcp' : 'grpc'
