// Builds, then becomes the demo's launcher: in this process, so that signals and the end of the standard input reach it.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, runNode } from './workspace.mjs'

if (!runNode(join(root, 'scripts/build.mjs'))) process.exit(1)
const launcher = join(root, 'apps/demo/dist/cluster.js')
process.argv[1] = launcher
await import(pathToFileURL(launcher).href)
