/**
 * One request to the servers of one name on many nodes: `gen_server:abcast/3` and `multi_call/4`.
 */
import { contextOf, encodedBytes, isNodeName, type Caller, type Context, type NodeName } from '@pidmesh/runtime'
import { badArgument } from './arguments.ts'
import { shownValue } from './behaviour/shown-value.ts'
import type { CallMessage, CastMessage, Given, ReplyFor, ServerName } from './protocol.ts'
import { isSelf } from './call.ts'
import { unawaited } from './unawaited.ts'

/** Servers of one name on many nodes. */
export interface NameOnNodes<Calls, Casts> {
  readonly name: ServerName<Calls, Casts>
  readonly nodes: readonly NodeName[]
}

/** What `multiCall` resolves with: each node is in one of the two, as often as it was named. */
export interface MultiCallResult<Reply> {
  /** In the order in which the nodes were named. */
  readonly replies: readonly { readonly node: NodeName; readonly reply: Reply }[]
  /** Those that aren't there, have no such server, whose server ended, or that didn't reply in time. */
  readonly badNodes: readonly NodeName[]
}

/**
 * Casts to the servers of one name on many nodes. As `cast`, it never waits, and doesn't fail where there is no node or no server.
 * @throws PidmeshError `ERR_BAD_ARGUMENT`; `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` for a request that can't be sent to another node
 */
export function abcast<Casts>(caller: Caller, servers: NameOnNodes<never, Casts>, request: Casts): void {
  const self = contextOf(caller)
  const { name, nodes } = check(self, servers, request)
  const message: CastMessage = { type: '$gen_cast', request }
  for (const node of nodes) self.send({ name, node }, message)
}

/**
 * Calls the servers of one name on many nodes at once, and resolves when each has replied or can't any more. A late reply is never seen.
 *
 * @param timeoutMs milliseconds, or `Infinity`. @default Infinity
 * @throws PidmeshError by rejection: `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE`; ProcessExited, if the caller ends first
 */
export function multiCall<Calls, const Request extends Given<Calls>>(
  caller: Caller,
  servers: NameOnNodes<Calls, never>,
  request: Request,
  timeoutMs: number = Infinity,
): Promise<MultiCallResult<ReplyFor<Calls, Request>>> {
  return unawaited(callMany<ReplyFor<Calls, Request>>(contextOf(caller), servers, request, timeoutMs))
}

async function callMany<Reply>(
  self: Context,
  servers: NameOnNodes<never, never>,
  request: unknown,
  timeoutMs: number,
): Promise<MultiCallResult<Reply>> {
  const { name, nodes } = check(self, servers, request)
  const answers = await Promise.all(
    nodes.map(async (node) => {
      // It can't answer while it waits.
      if (isSelf(self, { name, node })) return { node, outcome: undefined }
      const message = (tag: CallMessage['from']['tag']): CallMessage => ({
        type: '$gen_call',
        from: { pid: self.pid, tag },
        request,
      })
      return { node, outcome: await self.request({ name, node }, message, timeoutMs) }
    }),
  )
  const replies: { readonly node: NodeName; readonly reply: Reply }[] = []
  const badNodes: NodeName[] = []
  for (const { node, outcome } of answers) {
    if (outcome?.type === 'reply') replies.push({ node, reply: outcome.value as Reply })
    else badNodes.push(node)
  }
  return { replies, badNodes }
}

/**
 * Before anything is sent: what is refused goes to nobody.
 * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE`
 */
function check(self: Context, servers: NameOnNodes<never, never>, request: unknown): NameOnNodes<never, never> {
  const { name, nodes } = (servers ?? {}) as { readonly name?: unknown; readonly nodes?: unknown }
  if (typeof name !== 'string' || name === '' || !Array.isArray(nodes))
    throw badArgument('servers on many nodes are given as { name, nodes }')
  for (const node of nodes) if (!isNodeName(node)) throw badArgument(`not the name of a node: ${shownValue(node)}`)
  if (nodes.some((node) => node !== self.node)) encodedBytes(request)
  return servers
}
