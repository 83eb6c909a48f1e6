/**
 * Contestants that run on Node.js.
 */
import { fileURLToPath } from 'node:url'
import type { ContestantPlan } from '../group.ts'

/** `program` is a built file below contestants/. Its garbage is collected before each run, which needs --expose-gc. */
export function nodeJs(name: string, program: string): ContestantPlan {
  const file = fileURLToPath(new URL(`../contestants/${program}`, import.meta.url))
  return { name, prepare: () => ({ file: process.execPath, args: ['--expose-gc', file] }) }
}
