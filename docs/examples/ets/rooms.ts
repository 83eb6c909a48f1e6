import { Ets, type EtsTransferMessage, type ReadableTable } from '@pidmesh/global-ets'
import { handler, type Context } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

interface Room {
  readonly name: string
  readonly guests: number
  readonly topic?: string
}

const guestsIn = (table: ReadableTable<Room>): number => table.fold((sum, { guests }) => sum + guests, 0)

const cluster = new TestCluster()
const node = await cluster.start('a')

const keeper = node.spawn(
  handler((self) => ({ table, data }: EtsTransferMessage<Room, 'name', 'ordered_set'>) => {
    const rooms = Ets.open(self, table) // a handle of our own
    console.log(`${data}: ${rooms.size} rooms, ${guestsIn(rooms)} guests`)
  }),
)

async function owner(self: Context) {
  const rooms = Ets.new<Room, 'name'>(self, 'rooms', {
    key: 'name', // the field that rows are found by
    type: 'ordered_set',
    protection: 'public',
    named: true,
    heir: { pid: keeper, data: 'inherited' },
  })
  rooms.insert([
    { name: 'lobby', guests: 2 },
    { name: 'user:1', guests: 1, topic: 'otters' },
    { name: 'user:2', guests: 5 },
  ])
  console.log(rooms.lookup('lobby')) // a list, as in Erlang
  console.log(rooms.updateCounter('lobby', { field: 'guests', by: 1 }))
  for (const { name } of rooms.select({ guests: (guests) => guests > 1 })) console.log(name)
  for (const { name } of rooms.prefix('user:')) console.log(name)
  await self.receive('done')
}

const pid = node.spawn(owner)
await cluster.settle()
node.spawn((self) => {
  const rooms = Ets.whereis<Room, 'name', 'ordered_set'>(self, 'rooms') // acts as this process
  rooms?.insert({ name: 'attic', guests: 0 })
})
await cluster.settle()
node.send(pid, { type: 'done' })
await cluster.settle()
await cluster.stop()
