/**
 * What tests of tables begin with: nodes that have one, and processes that do nothing, or note what they get.
 */
import { GlobalEts, type GlobalEtsOptions } from '@pidmesh/global-ets'
import { handler, type Context, type NameMeta, type Node, type Pid } from '@pidmesh/runtime'
import type { TestCluster } from '@pidmesh/runtime/testing'

export interface Member<M extends NameMeta = NameMeta> {
  readonly node: Node
  readonly names: GlobalEts<M>
}

/** A node with a table of names, which has heard of those that the others have. */
export async function join<M extends NameMeta = NameMeta>(
  cluster: TestCluster,
  name: string,
  options?: GlobalEtsOptions<M>,
): Promise<Member<M>> {
  const node = await cluster.start(name)
  const names = await cluster.run(GlobalEts.start<M>(node, options))
  await cluster.advance(50)
  return { node, names }
}

/** A process, and the messages that it has got. */
export function collector(
  { node }: { readonly node: Node },
  prepare: (self: Context) => void = () => undefined,
): [pid: Pid, messages: unknown[]] {
  const messages: unknown[] = []
  const pid = node.spawn(
    handler((self) => {
      prepare(self)
      return (message) => void messages.push(message)
    }),
  )
  return [pid, messages]
}

/** A process that does nothing. */
export function idle({ node }: { readonly node: Node }): Pid {
  return node.spawn(handler(() => () => undefined))
}
