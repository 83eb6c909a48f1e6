/**
 * One bidirectional stream of bytes, as pidmesh has one between two nodes.
 */
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'

const asIs = (message: Buffer): Buffer => message

export const SERVICE: ServiceDefinition<UntypedServiceImplementation> = {
  echo: {
    path: '/bench.Echo/Echo',
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
}
