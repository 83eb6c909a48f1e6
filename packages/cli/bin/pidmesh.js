#!/usr/bin/env node
// There from the start, so that an install can link to it; the program itself is built.
import { existsSync } from 'node:fs'

if (existsSync(new URL('../dist/main.js', import.meta.url))) {
  await import('../dist/main.js')
} else {
  process.stderr.write('pidmesh: not built yet; in the repository: pnpm build\n')
  process.exitCode = 1
}
