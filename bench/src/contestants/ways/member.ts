/**
 * A node of a way in an OS process of its own: a child of the contestant, which asks it. Argument: WayNodeOptions as JSON.
 */
import { answer } from '../gateway/child.ts'
import { WayNode, type WayNodeOptions } from './way-node.ts'

const started = WayNode.start(JSON.parse(process.argv[2] ?? '') as WayNodeOptions)
started.catch(() => undefined) // Whoever asks is told.

function asked<T>(ask: (member: WayNode, argument: T) => unknown): (argument: T) => Promise<unknown> {
  return async (argument) => ask(await started, argument)
}

answer({
  port: asked(({ gateway }) => gateway.port),
  address: asked(({ node }) => node.address),
  size: asked((member) => member.size()),
  hold: asked((member, count: number) => member.hold(count)),
  register: asked((member) => member.register()),
  listen: asked((member, name: string) => member.listen(name)),
  numbers: asked((member) => member.numbers()),
  settledBytes: asked((member) => member.settledBytes()),
  stop: asked((member) => member.stop()),
})
