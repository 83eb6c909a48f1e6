import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { readFileOf } from '../src/files.ts'
import { SettingsError } from '../src/settings.ts'

describe('a file that can not be read', () => {
  it('is told with its setting and its path', () => {
    const path = join(tmpdir(), 'there-is-no-such-file-of-a-node')
    expect(() => readFileOf('COOKIE_FILE', path)).toThrowError(
      new SettingsError(`the file in COOKIE_FILE can not be read: ENOENT: no such file or directory, open '${path}'`),
    )
  })

  it('may be a directory, as Kubernetes makes where a secret lacks the key', () => {
    expect(() => readFileOf('TLS_KEY_FILE', tmpdir())).toThrowError(
      new SettingsError(
        `the file in TLS_KEY_FILE can not be read: ${tmpdir()} is a directory: is it missing in the secret?`,
      ),
    )
  })
})
