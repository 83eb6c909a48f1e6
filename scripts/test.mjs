// Build, static checks, tests: each only if the one before succeeded. Arguments are vitest's: `pnpm test --project unit names`.
// The tests' report, for machines, is in reports/vitest.json.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { binOf, root, runNode } from './workspace.mjs'

rmSync(join(root, 'reports/vitest.json'), { force: true })
const passed =
  runNode(join(root, 'scripts/build.mjs')) &&
  runNode(join(root, 'scripts/check-static.mjs')) &&
  runNode(binOf('vitest'), 'run', ...process.argv.slice(2))
process.exitCode = passed ? 0 : 1
