/**
 * The far node of the contestant `ours` in group `gateway`, in an OS process of its own: see other-node.ts. Ends when stdin does.
 */
import { startNode } from '@pidmesh/runtime'
import { startGatewayNode } from './gateway-node.ts'
import { transport } from './transport.ts'

const [name = '', ...seeds] = process.argv.slice(2)
process.stdin.on('end', () => process.exit()).resume()

const node = await startNode({ name, cookie: process.env['BENCH_COOKIE'] ?? '', seeds, transport, logLevel: 'silent' })
const { gateway } = await startGatewayNode(node)
node.exportFunctions({ gatewayPort: () => gateway.port })
process.stdout.write(`${node.address}\n`)
