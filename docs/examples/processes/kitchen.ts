import { formatReason, handler, startNode, type DownMessage, type Pid } from '@pidmesh/runtime'

// Alone, or the first of many. The cookie is the secret that all of them share, 8 characters or more: in earnest, from the environment.
const node = await startNode({ name: 'shop@127.0.0.1', cookie: 'only-to-try-it-out' })

// A plain process: a function that receives when it likes, and ends when it returns.
const cook = node.spawn(
  async (self) => {
    for (;;) {
      const { dish, from } = await self.receive<{ dish: string; from: Pid }>('order')
      self.send(from, { type: 'served', dish })
    }
  },
  { name: 'cook' },
)

// A handler process: a function for one message after the other. The cheapest form, and the fastest.
type Order = { type: 'order'; dish: string } | { type: 'served'; dish: string } | DownMessage
const waiter = node.spawn(
  handler((self) => {
    self.monitor(cook)
    return (message: Order) => {
      switch (message.type) {
        case 'order':
          self.send('cook', { ...message, from: self.pid })
          break
        case 'served':
          console.log(`${message.dish} is served`)
          self.exit(cook, 'shutdown') // that's it for today
          break
        case 'DOWN':
          console.log(`the cook has gone (${formatReason(message.reason)}): so do I`)
          self.exit('shutdown')
      }
    }
  }),
)

node.send(waiter, { type: 'order', dish: 'soup' })

await node.self.awaitDown(waiter, 1_000)
await node.stop()
