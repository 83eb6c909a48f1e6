import { call, child, DynamicSupervisor, GenServer, Supervisor, type Call, type ServerRef } from '@pidmesh/gen-server'
import { GlobalEts } from '@pidmesh/global-ets'
import { via, type Context, type Node, type Via } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

type Edit = { type: 'edit'; id: string; text: string } // whoever asks again does so with the same id
type DocumentCall = Call<Edit, string>
type Row = { version: number; text: string; edits: string[] }

const rows = new Map<string, Row>()
/** What the database does: `update … where name = $1 and version = $2`, and how many rows that were. */
async function write(name: string, row: Row): Promise<boolean> {
  if ((rows.get(name)?.version ?? 0) !== row.version - 1) return false
  rows.set(name, row)
  return true
}

class Document extends GenServer<DocumentCall, never, 'load'> {
  private name = ''
  private row: Row = { version: 0, text: '', edits: [] }

  override init(name: string) {
    this.name = name
    return this.ok({ continue: 'load' })
  }

  override handleContinue() {
    this.row = rows.get(this.name) ?? this.row
  }

  override async handleCall(edit: DocumentCall) {
    const { version, text, edits } = this.row
    if (edits.includes(edit.id)) return this.reply(edit, text)
    const row = { version: version + 1, text: text + edit.text, edits: [...edits, edit.id] }
    // Another one has written: there are two, and this one knows too little. Who has asked asks again.
    if (!(await write(this.name, row))) return this.stop({ shutdown: 'not_the_only_one' })
    this.row = row
    return this.reply(edit, row.text) // what is answered is written
  }
}

/** In a session, a server, or with `node.self`: to the document, wherever it is; if it is nowhere it is started here. */
async function edit(self: Context, names: Via, name: string, request: Edit): Promise<string> {
  const document: ServerRef<DocumentCall, never> = via(names, name)
  for (let attempt = 1; ; attempt++) {
    try {
      if ((await names.resolveName(name)) === undefined) {
        const spec = child(Document, [name], { name: document, restart: 'temporary' })
        await DynamicSupervisor.startChild(self, 'documents', spec) // or another has just been quicker
      }
      return await call(self, document, request)
    } catch (error) {
      if (attempt === 10) throw error
      await self.within(new Promise(() => undefined), 20 * attempt) // it is just ending, or its node is
    }
  }
}

async function join(node: Node): Promise<{ node: Node; names: GlobalEts }> {
  const names = await GlobalEts.start(node)
  await names.filled()
  await Supervisor.start(node, {}, [DynamicSupervisor.childSpec({}, { name: 'documents' })])
  return { node, names }
}

const cluster = new TestCluster({ latencyMs: 5 })
const a = await cluster.run(join(await cluster.start('a')))
const b = await cluster.run(join(await cluster.start('b')))
const editOn = ({ node, names }: typeof a, id: string) =>
  edit(node.self, names, 'doc:1', { type: 'edit', id, text: id })
await cluster.advance(100)

// Both are asked at once, and neither can know of the other: there are two documents, for some milliseconds.
await cluster.run(Promise.all([editOn(a, 'x'), editOn(b, 'y')]))
await cluster.advance(10)
console.log(rows.get('doc:1')?.text, 'on', b.names.whereisName('doc:1')?.node)

// The node that has it stops, while somebody on the other types.
const typing = ['1', '2', '3', '4', '5'].map((id) => editOn(b, id))
await cluster.run(Promise.all([a.node.stop(), ...typing]))
console.log(rows.get('doc:1')?.text, 'on', b.names.whereisName('doc:1')?.node)
await cluster.stop()
