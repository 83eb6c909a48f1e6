/**
 * A node of the contestant `ours` in group `gateway`: a gateway, whose sessions register a name, and join a room if they are asked to.
 */
import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import type { Node } from '@pidmesh/runtime'
import { Gateway, SocketSession, type GatewayOptions } from '@pidmesh/ws-gateway'
import type { Said } from '../gateway/workloads.ts'

interface Principal {
  readonly user: string
  readonly room: string | undefined
}

type ServerMessage = Said | { readonly type: 'welcome' }

export interface GatewayNode {
  readonly names: GlobalEts
  readonly gateway: Gateway<never, ServerMessage, Principal>
}

/** All that the gateway is told, in one place. */
function optionsOf(
  { names, groups }: { readonly names: GlobalEts; readonly groups: ProcessGroups },
  session: GatewayOptions<never, ServerMessage, Principal>['session'],
): GatewayOptions<never, ServerMessage, Principal> {
  return {
    port: 0,
    names,
    groups,
    session,
    // All clients are of one address.
    maxConnectionsPerAddress: 100_000,
    authenticate: ({ url }) => {
      const user = url.searchParams.get('user')
      return user === null ? undefined : { user, room: url.searchParams.get('room') ?? undefined }
    },
  }
}

export async function startGatewayNode(node: Node): Promise<GatewayNode> {
  const names = await GlobalEts.start(node)
  const groups = await ProcessGroups.start(node)
  class Client extends SocketSession<never, ServerMessage, Principal> {
    override async handleConnect() {
      const { user, room } = this.principal
      await this.registerAs(`user:${user}`)
      if (room !== undefined) await this.rooms.join(room)
      this.push({ type: 'welcome' })
    }
  }
  return { names, gateway: await Gateway.start(node, optionsOf({ names, groups }, Client)) }
}
