/**
 * The reply follows from the request also where the request is written with arrays, tuples and objects in it. The code is never run.
 */
import {
  call,
  GenServer,
  multiCall,
  receiveResponse,
  sendRequest,
  start,
  sys,
  type Call,
  type ServerPid,
} from '@pidmesh/gen-server'
import type { Context, Node, Pid } from '@pidmesh/runtime'
import { expectTypeOf, it } from 'vitest'

type BasketCall =
  | Call<{ type: 'put'; items: string[] }, number>
  | Call<{ type: 'move'; from: [x: number, y: number]; to: { at: [number, number] }[] }, boolean>
  | Call<{ type: 'tell'; who: Pid; seen: Map<string, Date>; bytes: Uint8Array }, Pid>
  | Call<{ type: 'get' }, string>

class Basket extends GenServer<BasketCall> {
  private items: string[] = []

  override handleCall(request: BasketCall) {
    switch (request.type) {
      case 'put':
        return this.reply(request, this.items.push(...request.items))
      case 'move':
        return this.reply(request, request.to.length > request.from[0])
      case 'tell':
        return this.reply(request, request.who)
      case 'get':
        return this.reply(request, this.items.join())
    }
  }

  override getState(): { items: string[]; at: [number, number] } {
    return { items: this.items, at: [0, 0] }
  }

  protected async ask(other: ServerPid<BasketCall, never>): Promise<void> {
    expectTypeOf(await this.call(other, { type: 'put', items: ['a'] })).toEqualTypeOf<number>()
  }
}

async function uses(self: Context, node: Node): Promise<void> {
  const basket = await start(self, Basket, [])
  expectTypeOf(await call(self, basket, { type: 'put', items: ['a', 'b'] })).toEqualTypeOf<number>()
  expectTypeOf(await call(self, basket, { type: 'put', items: [] })).toEqualTypeOf<number>()
  const items = ['a']
  expectTypeOf(await call(self, basket, { type: 'put', items })).toEqualTypeOf<number>()
  const moved = call(self, basket, { type: 'move', from: [0, 1], to: [{ at: [2, 3] }] })
  expectTypeOf(await moved).toEqualTypeOf<boolean>()
  const told = call(self, basket, { type: 'tell', who: self.pid, seen: new Map(), bytes: new Uint8Array() })
  expectTypeOf(await told).toEqualTypeOf<Pid>()
  const request = sendRequest(self, basket, { type: 'put', items: ['a'] })
  expectTypeOf(await receiveResponse(self, request, 1))
    .extract<{ type: 'reply' }>()
    .toHaveProperty('value')
  const { replies } = await multiCall<BasketCall, { type: 'put'; items: string[] }>(
    self,
    { name: 'basket', nodes: [node.name] },
    { type: 'put', items: ['a'] },
  )
  expectTypeOf(replies[0]?.reply).toEqualTypeOf<number | undefined>()

  // @ts-expect-error An item is a text.
  await call(self, basket, { type: 'put', items: [1] })
  // @ts-expect-error There are two numbers.
  await call(self, basket, { type: 'move', from: [0], to: [] })
  // @ts-expect-error A number is no pid.
  await call(self, basket, { type: 'tell', who: 7, seen: new Map(), bytes: new Uint8Array() })
  // @ts-expect-error There is no such request.
  await call(self, basket, { type: 'take', items: ['a'] })

  await sys.replaceState(self, basket, (state) => ({ ...state, items: [...state.items, 'b'] }))
  await sys.replaceState(self, basket, () => ({ items: ['b'], at: [1, 2] }))
  // @ts-expect-error There are texts in it.
  await sys.replaceState(self, basket, () => ({ items: [1], at: [1, 2] }))
  // @ts-expect-error Both are needed.
  await sys.replaceState(self, basket, () => ({ items: ['b'] }))
}

it('compiles, and each line that must not is an error', () => {
  expectTypeOf(uses).toBeFunction()
})
