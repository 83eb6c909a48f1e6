/**
 * Supervisors that are nobody's child: a node that is stopped stops them first, as `init:stop/0` does applications.
 */
import { contextOf, type Caller, type Context, type Pid } from '@pidmesh/runtime'
import { stop } from '../stop.ts'

/** The main process of a node, which lives as long as the node. */
class Main {
  readonly self: Context

  constructor(self: Context) {
    this.self = self
  }
}

/** Attaches a supervisor to its node as soon as it is started, until it has ended. */
export async function asRoot<Supervisor extends Pid>(
  caller: Caller,
  starting: Promise<Supervisor>,
): Promise<Supervisor> {
  const pid = await starting
  const { self } = contextOf(caller).perNode(Main)
  // It may end meanwhile, and with whatever reason: all that matters is that it does.
  const detach = self.attachRoot(() => stop(self, pid, 'shutdown').catch(() => undefined))
  self.awaitDown(pid, Infinity).then(detach, detach)
  return pid
}
