// Builds, then becomes the benchmark's program, which imports the packages as they are published: from dist.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { binOf, root, runNode } from './workspace.mjs'

const built = runNode(join(root, 'scripts/build.mjs')) && runNode(binOf('typescript', 'tsc'), '-b', 'bench')
if (!built) process.exit(1)
const program = join(root, 'bench/dist/index.js')
process.argv[1] = program
await import(pathToFileURL(program).href)
