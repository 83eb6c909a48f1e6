/**
 * The command `pidmesh`.
 */
import { createRequire } from 'node:module'
import { writeCertificates } from './certs.ts'
import { HELP, readCommand, UsageError } from './options.ts'

// A reader that has gone (`pidmesh --help | head -1`) wants no more, and what was written is written.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return
  process.stderr.write(`pidmesh: ${error.message}\n`)
  process.exitCode = 1
})
// There is nobody left to tell.
process.stderr.on('error', () => undefined)

try {
  const command = readCommand(process.argv.slice(2))
  if (command.type === 'help') {
    process.stdout.write(`${HELP}\n`)
  } else if (command.type === 'version') {
    const { version } = createRequire(import.meta.url)('../package.json') as { version: string }
    process.stdout.write(`${version}\n`)
  } else {
    const { files, note } = await writeCertificates(command.options, new Date())
    for (const path of files) process.stdout.write(`${path}\n`)
    if (note !== undefined) process.stderr.write(`pidmesh: ${note}\n`)
  }
} catch (error) {
  process.stderr.write(`pidmesh: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
