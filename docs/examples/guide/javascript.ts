import { setTimeout } from 'node:timers/promises'
import { call, cast, GenServer, start, type Call } from '@pidmesh/gen-server'
import { startNode } from '@pidmesh/runtime'

const node = await startNode({ name: 'guide@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })

// 1. A function that doesn't wait isn't interrupted. Everybody else waits, timers and sockets too.
const ticks: string[] = []
const busy = node.spawn(() => {
  for (let i = 1; i <= 3; i++) ticks.push(`busy ${i}`)
})
const other = node.spawn(() => ticks.push('other'))
await node.self.awaitDown(other, 1_000)
await node.self.awaitDown(busy, 1_000)
console.log(ticks.join(', '))

// 2. On the same node a message is the object that was sent, not a copy of it.
const list = ['a']
const reader = node.spawn(async (self) => {
  console.log('it has got', await self.receive())
})
node.send(reader, list)
list.push('b') // a mistake: what was sent is no longer ours
await node.self.awaitDown(reader, 1_000)

// 3. While a server awaits, it handles no other message: what it knows can't change under its hands.
type Balance = Call<{ type: 'balance' }, number>
type Withdraw = { type: 'withdraw'; cents: number }

class Account extends GenServer<Balance, Withdraw> {
  private cents = 100
  override async handleCast({ cents }: Withdraw) {
    const before = this.cents
    await setTimeout(5) // asks a bank, say
    if (before >= cents) this.cents = before - cents
  }
  override handleCall(request: Balance) {
    return this.reply(request, this.cents)
  }
}
const account = await start(node, Account, [])
cast(node, account, { type: 'withdraw', cents: 70 })
cast(node, account, { type: 'withdraw', cents: 70 })
console.log('left:', await call(node, account, { type: 'balance' }))

// 4. A process that was killed is dead at once. Its code gets as far as the next thing that it wants of `self`: that never comes.
const killed = node.spawn(async (self) => {
  console.log('before')
  await self.receive({ timeoutMs: 60_000 })
  console.log('never printed')
})
await setTimeout(5)
node.exit(killed, 'kill')
await setTimeout(5)
console.log('alive:', node.isProcessAlive(killed))
await node.stop()
