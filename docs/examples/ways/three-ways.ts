import { GlobalEts } from '@pidmesh/global-ets'
import type { Node, Via } from '@pidmesh/runtime'
import { KafkaTopic } from '@pidmesh/via-kafka'
import { BroadcastVia, LocationVia } from '@pidmesh/via-kit'
import { MysqlLocations } from '@pidmesh/via-mysql'
import { RedisLocations, RedisPubSub } from '@pidmesh/via-redis'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'

// #region table
export function startTable(node: Node): Promise<GlobalEts> {
  return GlobalEts.start(node, { policy: 'newest' }) // no service beside the nodes
}
// #endregion

// #region location
export function startInRedis(node: Node, url: string): Promise<LocationVia> {
  return LocationVia.start(node, { store: new RedisLocations({ url }) }) // redis://127.0.0.1:6379
}

export function startInMysql(node: Node, url: string): Promise<LocationVia> {
  return LocationVia.start(node, { store: new MysqlLocations({ url }) }) // mysql://user:password@127.0.0.1/names
}
// #endregion

// #region pubsub
export function startOverOneChannel(node: Node, url: string): Promise<BroadcastVia> {
  return BroadcastVia.start(node, { broker: new RedisPubSub({ url, channels: 'shared' }) })
}

export function startOverChannels(node: Node, url: string): Promise<BroadcastVia> {
  return BroadcastVia.start(node, { broker: new RedisPubSub({ url, channels: 'each' }) })
}

export function startOverKafka(node: Node, brokers: readonly string[]): Promise<BroadcastVia> {
  return BroadcastVia.start(node, { broker: new KafkaTopic({ brokers }) }) // ['127.0.0.1:9092']
}
// #endregion

// #region gateway
type ServerMessage = { type: 'told'; text: string }

/** The same session in each way: `multi` where a name may have many, since nobody knows who has it. */
class Client extends SocketSession<never, ServerMessage, { user: string }> {
  override async handleConnect() {
    const policy = this.names.capabilities.holders === 'one' ? 'replace' : 'multi'
    await this.registerAs(`user:${this.principal.user}`, { policy })
  }
}

export function startGateway(node: Node, names: Via): Promise<Gateway<never, ServerMessage, { user: string }>> {
  const authenticate = ({ token }: { token: string | undefined }) => (token === undefined ? undefined : { user: token })
  return Gateway.start(node, { port: 0, names, session: Client, authenticate })
}
// #endregion
