// Formats, and repairs what the linter can repair.

import { binOf, runNode } from './workspace.mjs'

const formatted = runNode(binOf('oxfmt'), '--write', '.')
const linted = runNode(binOf('oxlint'), '--fix', '.')
process.exitCode = formatted && linted && runNode(binOf('oxfmt'), '--write', '.') ? 0 : 1
