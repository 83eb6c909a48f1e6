/**
 * Where the nodes of a contestant run.
 */
import { readFileSync } from 'node:fs'
import { isInstalled } from '@pidmesh/dev-services'
import type { Command, ContestantPlan } from '../group.ts'

/** The cores of a contestant's two nodes. */
export interface Cores {
  readonly near: number
  readonly far: number
}

/**
 * The first two cores on which this process may run; `undefined` if there is only one, or nothing to pin a process with, or PIDMESH_BENCH_ANYWHERE is set: then the
 * operating system places the nodes as it does those of users.
 */
export function coresForTwo(): Cores | undefined {
  if (process.env['PIDMESH_BENCH_ANYWHERE'] !== undefined || !isInstalled('taskset')) return undefined
  const [near, far] = allowedCores()
  return near === undefined || far === undefined ? undefined : { near, far }
}

/** Starts a contestant on the near core, and tells it both as its last two arguments; as it is, without any, if there are no cores to choose from. */
export function pinned(plan: ContestantPlan, cores: Cores | undefined): ContestantPlan {
  if (cores === undefined) return plan
  const { near, far } = cores
  const pin = ({ file, args }: Command): Command => ({
    file: 'taskset',
    args: ['-c', `${near}`, file, ...args, `${near}`, `${far}`],
  })
  return {
    name: plan.name,
    prepare: (folder) => {
      const command = plan.prepare(folder)
      return command === undefined ? undefined : pin(command)
    },
  }
}

/** Of Linux: whoever has taskset has this. @example "0-3,8" */
function allowedCores(): number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}
