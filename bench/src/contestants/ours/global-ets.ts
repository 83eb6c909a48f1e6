/**
 * pidmesh in group `global-ets`. User code on the public API of the packages as they are published.
 *
 *   this process: the near node ── erpc ──▶ its functions, and those of the second and the third (global-ets-member.ts)
 */
import { createRequire } from 'node:module'
import { serve } from '../serve.ts'
import { Cluster } from './global-ets-cluster.ts'
import { kill9, stopped } from './global-ets-failures.ts'
import { groups } from './global-ets-groups.ts'
import { bytes, join, million } from './global-ets-sizes.ts'
import { register, visible } from './global-ets-registrations.ts'

const cluster = await Cluster.start()
const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string }

serve(version, {
  register: (size) => register(cluster, { callers: 1, perTurn: 1_000 }, size),
  'register-callers': (size) => register(cluster, { callers: 100, perTurn: 10 }, size),
  visible: (size) => visible(cluster, size),
  join: (size) => join(cluster, size),
  bytes: (size) => bytes(cluster, { settleMs: 2_000 }, size),
  'kill-9': (size) => kill9(cluster, size),
  stopped: (size) => stopped(cluster, size),
  groups: (size) => groups(cluster, size),
  million: (size) => million(cluster, size),
})
