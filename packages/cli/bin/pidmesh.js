#!/usr/bin/env node
// There from the start, so that an install can link to it; the program itself is built.
import { existsSync } from 'node:fs'

const program = new URL('../dist/main.js', import.meta.url)
if (existsSync(program)) {
  await import(program.href)
} else {
  process.stderr.write('pidmesh: not built yet; in the repository: pnpm build\n')
  process.exitCode = 1
}
