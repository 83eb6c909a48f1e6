/**
 * Supervisors that are nobody's child: a node that is stopped stops them first, as `init:stop/0` does applications.
 */
import type { Context } from '@pidmesh/runtime'
import { stop } from '../stop.ts'

/** The main process of a node, which lives as long as the node. */
class Main {
  readonly self: Context

  constructor(self: Context) {
    this.self = self
  }
}

/** Attaches a supervisor to its node, until it has ended. It does so itself: who has started it may be gone before it is ready. */
export function attachAsRoot(supervisor: Context): void {
  const { pid } = supervisor
  const { self } = supervisor.perNode(Main)
  // It may end meanwhile, and with whatever reason: all that matters is that it does.
  const detach = self.attachRoot(() => stop(self, pid, 'shutdown').catch(() => undefined))
  self.awaitDown(pid, Infinity).then(detach, detach)
}
