/**
 * The command `pidmesh`.
 */
import { writeCertificates } from './certs.ts'
import { HELP, readCommand, UsageError } from './options.ts'

try {
  const command = readCommand(process.argv.slice(2))
  if (command.type === 'help') {
    process.stdout.write(`${HELP}\n`)
  } else {
    const { files, note } = await writeCertificates(command.options, new Date())
    for (const path of files) process.stdout.write(`${path}\n`)
    if (note !== undefined) process.stderr.write(`pidmesh: ${note}\n`)
  }
} catch (error) {
  process.stderr.write(`pidmesh: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
