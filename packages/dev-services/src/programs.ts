/**
 * Which programs there are on this machine.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** @param folders Where else than in the PATH it may be */
export function pathOf(program: string, folders: readonly string[] = []): string | undefined {
  return [...(process.env['PATH'] ?? '').split(delimiter), ...folders]
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find(isProgram)
}

export function isInstalled(program: string): boolean {
  return pathOf(program) !== undefined
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
