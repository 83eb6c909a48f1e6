import type { TestCluster } from '@pidmesh/runtime/testing'

/**
 * Tells of each dial of a cluster's nodes, in order.
 * @param onDial says where it leads
 */
export function watchDials({ network }: TestCluster, onDial: (hostName: string, address: string) => string): void {
  const transport = network.transport.bind(network)
  network.transport = (hostName) => {
    const real = transport(hostName)
    return { ...real, dial: (address, events) => real.dial(onDial(hostName, address), events) }
  }
}
