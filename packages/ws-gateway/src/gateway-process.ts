/**
 * The gateway's process, and what is linked with it: its sessions, and who tells them who is in their rooms.
 *
 *   a session ends ─▶ its socket is closed, with a code by its exit reason        who tells of rooms ends ─▶ another is started
 *   the process ends ─▶ all of them do, and the gateway is told
 *
 * State: the process; who waits for the end of the last session. The sessions themselves are in the hub (session-hub.ts).
 */
import { start, startLink, stop, type ServerPid } from '@pidmesh/gen-server'
import { formatReason, PidmeshError, type Context, type ExitReason, type Node, type Pid } from '@pidmesh/runtime'
import { causeOfExit } from './close-cause.ts'
import { GatewayServer, type WhereIs } from './gateway-server.ts'
import { Gateways } from './gateways.ts'
import { PresenceServer } from './presence-server.ts'
import type { SessionHub } from './session-hub.ts'

export interface ProcessComponents {
  readonly owner: Node
  readonly hub: SessionHub
  /** Whether sessions begin, and may want to know who is in a room. */
  readonly isReady: () => boolean
  readonly onGone: () => void
}

export class GatewayProcess {
  private readonly components: ProcessComponents
  private process: ServerPid<WhereIs, never> | undefined = undefined
  private context: Context | undefined = undefined
  private onEmpty: () => void = () => undefined

  constructor(components: ProcessComponents) {
    this.components = components
  }

  get isAlive(): boolean {
    return this.context?.isAlive === true
  }

  /** @throws PidmeshError `ERR_NODE_STOPPED` by rejection */
  async start(): Promise<Context> {
    const { owner, hub, onGone } = this.components
    const gateways = owner.self.perNode(Gateways)
    this.process = await start(
      owner,
      GatewayServer,
      [
        {
          onReady: (self) => {
            this.context = self
            hub.gateway = self.pid
            gateways.enter(hub)
            self.signal.addEventListener('abort', () => {
              gateways.leave(hub)
              onGone()
            })
          },
          onSessionEnd: (pid, reason) => this.onExit(pid, reason),
          whereIs: (nonce) => gateways.find(hub, nonce),
        },
      ],
      { label: 'gateway', trapExit: true },
    )
    const { context } = this
    if (context === undefined) throw new PidmeshError('ERR_NODE_STOPPED', 'the node stops')
    await this.startPresence(context)
    return context
  }

  /** Ends a session that doesn't end by itself. */
  kill(session: Pid): void {
    const { owner, hub } = this.components
    if (owner.isStopping || !owner.isProcessAlive(session)) return
    hub.faults.warn({ session: session.toString() }, 'a session that does not end is killed')
    owner.exit(session, 'kill')
  }

  /** Resolves when no session is left, and none on its way here, or after a time. */
  sessionsGone(withinMs: number): Promise<void> {
    const { owner, hub } = this.components
    if (hub.isEmpty) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = owner.clock.setTimer(withinMs, resolve)
      this.onEmpty = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  /** A session has ended, or a start has come to nothing. */
  lookWhetherEmpty(): void {
    if (this.components.hub.isEmpty) this.onEmpty()
  }

  /** Ends the process and with it the sessions, and resolves when they have run `terminate`, or after a time: a socket may be closed before. */
  async end(graceMs: number): Promise<void> {
    const { owner, hub } = this.components
    const pids = [...hub.sessions.values()].map(({ pid }) => pid)
    try {
      if (this.process !== undefined && this.isAlive) await stop(owner, this.process, 'shutdown', graceMs)
      await Promise.all(pids.map((pid) => owner.self.awaitDown(pid, graceMs)))
      // Nobody looks after them any more, and they would have their names for as long as the node runs.
      for (const pid of pids) this.kill(pid)
    } catch {
      // The node stops, and all its processes have ended.
    }
    hub.clear()
  }

  private async startPresence(context: Context): Promise<void> {
    const { hub } = this.components
    const { groups } = hub.components
    if (groups === undefined) return
    // Whatever the node's own policy is: who is watched for would not be told of, and nobody would know.
    const mailbox = { policy: 'log' } as const
    hub.presence = await startLink(context, PresenceServer, [groups], { label: 'presence', mailbox })
    for (const session of hub.sessions.values()) session.watchAgain()
  }

  private onExit(pid: Pid, reason: ExitReason): void {
    const { hub, owner } = this.components
    if (hub.presence?.equals(pid) === true) {
      hub.presence = undefined
      this.startPresenceAgain()
      return
    }
    const session = hub.sessionOf(pid)
    if (session === undefined) return
    hub.delete(session)
    session.client.sessionHasEnded()
    owner.log.debug({ session: pid.toString(), reason: formatReason(reason) }, 'session ended')
    session.client.connection?.close(causeOfExit(reason))
    this.lookWhetherEmpty()
  }

  private startPresenceAgain(): void {
    const { owner, isReady } = this.components
    if (this.context === undefined || !isReady()) return
    this.startPresence(this.context).catch((error: unknown) =>
      owner.log.error({ problem: String(error) }, 'nobody is told any more who is in a room'),
    )
  }
}
