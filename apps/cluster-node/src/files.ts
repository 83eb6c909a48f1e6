// The files that settings name.

import { readFileSync } from 'node:fs'

import { SettingsError } from './settings.ts'

/** The text of the file that the setting names. @throws SettingsError */
export function readFileOf(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    // Kubernetes makes one where a secret has no such key. The system's error would not even say which.
    const isDirectory = error instanceof Error && 'code' in error && error.code === 'EISDIR'
    const problem = isDirectory ? `${path} is a directory: is it missing in the secret?` : shownError(error)
    throw new SettingsError(`the file in ${setting} can not be read: ${problem}`)
  }
}

function shownError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
