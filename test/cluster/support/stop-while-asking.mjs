// A node that asks a name server which doesn't answer, and looks at a file. Stops when standard input ends; nothing ends the process but that nothing is left
// to do.

import { dns, startNode, watchedFile } from '@pidmesh/runtime'

const [, , name = '', server = ''] = process.argv
const node = await startNode({
  name: 'asking@127.0.0.1',
  cookie: 'a shared secret',
  logLevel: 'silent',
  discovery: [dns({ name, port: 7001, servers: [server], timeoutMs: 5_000 }), watchedFile('no-such-folder/nodes')],
})
process.stdin.resume().once('end', () => void node.stop())
