import { startNode, type Node } from '@pidmesh/runtime'
import { BroadcastVia, KafkaTopic } from '@pidmesh/via-kafka'
import type { LocationStore } from '@pidmesh/via-kit'
import { conformance, LoopbackLab, storeRules } from '@pidmesh/via-kit/testing'
import { LocationVia, MysqlLocations } from '@pidmesh/via-mysql'
import { RedisLocations, RedisPubSub } from '@pidmesh/via-redis'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'

class Chat extends SocketSession<{ to: string; text: string }, { from: string; text: string }, { user: string }> {
  override handleConnect() {
    return this.registerAs(`user:${this.principal.user}`, { policy: 'replace' })
  }

  override handleMessage({ to, text }: { to: string; text: string }) {
    this.sendTo(`user:${to}`, { from: this.principal.user, text })
  }
}

export async function startChat(): Promise<void> {
  // #region gateway
  const node = await startNode({ name: 'chat1@127.0.0.1', cookie: 'a long secret text' })
  const names = await LocationVia.start(node, { store: new RedisLocations({ url: 'redis://127.0.0.1:6379' }) })
  await Gateway.start(node, {
    port: 8080,
    names,
    session: Chat,
    authenticate: ({ token }) => (token === undefined ? undefined : { user: token }),
  })
  // #endregion
}

// #region others
/** Way 1: a location database; pushes go over the mesh. */
export const inMysql = (node: Node): Promise<LocationVia> =>
  LocationVia.start(node, { store: new MysqlLocations({ url: 'mysql://pidmesh:secret@127.0.0.1:3306/pidmesh' }) })

/** Way 1 without a mesh: pushes go over a channel of each node. */
export const inRedisAlone = (node: Node): Promise<LocationVia> =>
  LocationVia.start(node, {
    store: new RedisLocations({ url: 'redis://127.0.0.1:6379' }),
    channel: new RedisPubSub({ url: 'redis://127.0.0.1:6379', prefix: 'nodes:' }),
  })

/** Way 2: every node reads every push. */
export const overKafka = (node: Node): Promise<BroadcastVia> =>
  BroadcastVia.start(node, { broker: new KafkaTopic({ brokers: ['127.0.0.1:9092'] }) })

/** Way 2, sharper: a channel for each name, and only who has it reads. */
export const overRedisChannels = (node: Node): Promise<BroadcastVia> =>
  BroadcastVia.start(node, { broker: new RedisPubSub({ url: 'redis://127.0.0.1:6379' }) })
// #endregion

export async function passes(
  test: (rule: string, run: () => Promise<void>) => void,
  yourStore: (options?: { ttlMs: number }) => LocationStore,
): Promise<void> {
  // #region conformance
  // The driver by itself.
  const store = yourStore({ ttlMs: 1_000 })
  await store.start()
  for (const { rule, check } of storeRules) test(rule, () => check({ store }))

  // With two nodes. A short ttl would hide what isn't given back: here it is the default, 30 s.
  const lab = await LoopbackLab.start((node) => LocationVia.start(node, { store: yourStore() }))
  for (const { rule, needs, check } of conformance)
    if (needs(lab.members[0].names.capabilities)) test(rule, () => check(lab))
  // Afterwards: await store.stop(), await lab.stop()
  // #endregion
}
