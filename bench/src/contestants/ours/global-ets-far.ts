/**
 * Another node of the contestant `ours` in group `global-ets`, in an OS process of its own: see other-node.ts. Ends when stdin does.
 */
import { startNode } from '@pidmesh/runtime'
import { exportMember } from './global-ets-member.ts'
import { transport } from './transport.ts'

const [name = '', ...seeds] = process.argv.slice(2)
process.stdin.on('end', () => process.exit()).resume()

const node = await startNode({ name, cookie: process.env['BENCH_COOKIE'] ?? '', seeds, transport, logLevel: 'silent' })
exportMember(node)
process.stdout.write(`${node.address}\n`)
