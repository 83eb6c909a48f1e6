/**
 * What doesn't compile. The code is never run: each line with an `@ts-expect-error` is an error of the types, or the check of the types fails.
 */
import { handler, hasType, type Context, type DownMessage, type Node, type Pid, type Ref } from '@pidmesh/runtime'
import { expectTypeOf, it } from 'vitest'

it('types: a pid is no reference, and a reference no pid', () => {
  expectTypeOf<Pid>().not.toExtend<Ref>()
  expectTypeOf<Ref>().not.toExtend<Pid>()
  const wrong = (self: Context, pid: Pid, ref: Ref): void => {
    // @ts-expect-error a reference can't be linked to
    self.link(ref)
    // @ts-expect-error a pid is no monitor
    self.demonitor(pid)
    // @ts-expect-error a timer doesn't send to an alias
    self.sendAfter(5, ref, 1)
  }
  void wrong
})

it('types: what a receive gives is unknown unless something says what it is', () => {
  const received = async (self: Context): Promise<void> => {
    expectTypeOf(await self.receive()).toBeUnknown()
    expectTypeOf(await self.receive('other')).toBeUnknown()
    expectTypeOf(await self.receive('DOWN')).toEqualTypeOf<DownMessage>()
    expectTypeOf(await self.receive('DOWN', { timeoutMs: 5 })).toEqualTypeOf<DownMessage | undefined>()
    expectTypeOf(await self.receive({ match: (message) => typeof message === 'number' })).toEqualTypeOf<number>()
    expectTypeOf(await self.receive<{ readonly a: string }>('a')).toEqualTypeOf<{ readonly a: string }>()
    // @ts-expect-error nothing says that it is a number
    const number: number = await self.receive()
    // @ts-expect-error nothing says what a message of this type holds
    const object: { a: string } = await self.receive('foo')
    void [number, object]
  }
  void received
})

it('types: handlers take the messages that they say they take, and may return what they like', () => {
  type Order = { readonly type: 'add'; readonly by: number } | { readonly type: 'stop' }
  const bodies = (node: Node, other: Pid): void => {
    node.spawn(handler((self) => (message: Order) => (hasType(message, 'add') ? self.send(other, message.by) : 'stop')))
    node.spawn((self) => self.send(other, 1))
    node.spawn(async (self) => self.receive('DOWN'))
    // @ts-expect-error a handler process begins with a function that gives its handler
    handler(() => 7)
  }
  expectTypeOf(bodies).returns.toBeVoid()
})
