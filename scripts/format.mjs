// Formats, and repairs what the linter can repair.

import { binOf, runNode, takesNoArguments } from './workspace.mjs'

takesNoArguments('Formats all files, and repairs what the linter can repair.')

const formatted = runNode(binOf('oxfmt'), '--write', '.')
const linted = runNode(binOf('oxlint'), '--fix', '.')
process.exitCode = formatted && linted && runNode(binOf('oxfmt'), '--write', '.') ? 0 : 1
