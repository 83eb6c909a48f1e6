/**
 * Another node of the contestant `ours` in group `distribution`, in an OS process of its own: see other-node.ts. Ends when stdin does.
 */
import { startNode } from '@pidmesh/runtime'
import { startServers } from './distribution-servers.ts'
import { transport } from './transport.ts'

const [name = '', ...seeds] = process.argv.slice(2)
process.stdin.on('end', () => process.exit()).resume()

const node = await startNode({ name, cookie: process.env['BENCH_COOKIE'] ?? '', seeds, transport, logLevel: 'silent' })
await startServers(node)
process.stdout.write(`${node.address}\n`)
