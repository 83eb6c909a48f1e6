import { call, cast, GenServer, start, stop, sys, type Call } from '@pidmesh/gen-server'
import { TestCluster } from '@pidmesh/runtime/testing'

type CartCall = Call<{ type: 'total' }, number> | Call<{ type: 'pay'; cents: number }, 'paid' | 'too_little'>
type CartCast = { type: 'add'; item: string; cents: number }

class Cart extends GenServer<CartCall, CartCast, 'load'> {
  private owner = ''
  private items = new Map<string, number>()

  override init(owner: string) {
    if (owner === '') return this.stop('no_owner') // `start` rejects with ERR_START_FAILED
    this.owner = owner
    return this.ok({ continue: 'load' }) // `start` resolves; what takes long comes before any request
  }

  override async handleContinue() {
    this.items = new Map([['a gift', 0]]) // from a database, say
    return this.noreply({ timeoutMs: 60_000 })
  }

  override handleCall(request: CartCall) {
    const total = [...this.items.values()].reduce((sum, cents) => sum + cents, 0)
    switch (request.type) {
      case 'total':
        return this.reply(request, total, { timeoutMs: 60_000 })
      case 'pay':
        if (request.cents < total) return this.reply(request, 'too_little', { timeoutMs: 60_000 })
        return this.stopAfterReply(request, 'paid', 'normal')
    }
  }

  override handleCast({ item, cents }: CartCast) {
    this.items.set(item, cents)
    return this.noreply({ timeoutMs: 60_000 })
  }

  override handleInfo(message: { type: string }) {
    if (message.type === 'idle_timeout') return this.stop({ shutdown: 'abandoned' }) // a minute without a message
    return this.noreply()
  }

  override getState(): { owner: string; items: string[] } {
    return { owner: this.owner, items: [...this.items.keys()] }
  }
}

const cluster = new TestCluster()
const a = await cluster.start('a')
const b = await cluster.start('b')

const cart = await cluster.run(start(a, Cart, ['alice'], { name: 'cart:alice' }))
cast(b, cart, { type: 'add', item: 'soup', cents: 450 })
const total = await cluster.run(call(b, cart, { type: 'total' })) // 450: a number, by its type too
const answer = await cluster.run(call(b, { name: 'cart:alice', node: a.name }, { type: 'pay', cents: 100 }))
const { items } = await cluster.run(sys.getState(b, cart)) // ['a gift', 'soup']
await cluster.run(stop(b, cart, 'shutdown'))

console.log(total, answer, items)
await cluster.stop()
