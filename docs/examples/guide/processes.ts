import { startNode, type Pid } from '@pidmesh/runtime'

interface Join {
  type: 'join'
  user: string
  from: Pid
}

const node = await startNode({ name: 'guide@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })

// A room: a loop that takes one message after the other. `members` is its own; nobody else can reach it.
const room = node.spawn(async (self) => {
  const members: string[] = []
  for (;;) {
    const { user, from } = await self.receive<Join>('join')
    members.push(user)
    self.send(from, { type: 'joined', members: members.join(', ') })
  }
})

// A visitor: says who it is, and waits for the answer. Nobody waits with it.
function visit(user: string): Pid {
  return node.spawn(async (self) => {
    self.send(room, { type: 'join', user, from: self.pid })
    const { members } = await self.receive<{ members: string }>('joined')
    console.log(`${user} sees: ${members}`)
  })
}

visit('alice')
const bob = visit('bob')

await node.self.awaitDown(bob, 1_000) // until bob has ended, at most a second
await node.stop()
