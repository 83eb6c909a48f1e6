/**
 * A contestant of group `ways`: one way of keeping names, on three nodes, with a store where it has one. Arguments: the way.
 */
import { createRequire } from 'node:module'
import { Load } from '../gateway/load.ts'
import { gatewayWorkloads, type NearServer } from '../gateway/workloads.ts'
import { serve } from '../serve.ts'
import { Cluster } from './cluster.ts'
import { deploy } from './deploy.ts'
import { faults } from './faults.ts'
import { memory, registrations } from './names.ts'
import { wayOf } from './way-names.ts'

const way = wayOf(process.argv[2])
const cluster = await Cluster.start(way)
const { near, far } = cluster
const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string }

const server: NearServer = {
  dialect: 'bare',
  port: near.gateway.port,
  registered: () => near.size(),
  push: (name, message) => near.push(name, message, far.name),
  broadcast: () => {
    throw new Error('there are no rooms here')
  },
  cpuMs: () => cluster.cpuMs(),
  traffic: () => cluster.traffic(),
  startFar: async () => ({ port: far.port, registered: () => cluster.registeredOf(far) }),
}
const { push, connect } = gatewayWorkloads(server)
const load = new Load()

serve(version, {
  push,
  connect,
  register: (size) => registrations(cluster, size),
  memory: (size) => memory(cluster, size),
  faults: (size) => faults(cluster, size),
  deploy: (size) => deploy(cluster, load, size),
})
