// Python with the packages of a test, in a folder of its own: none of the system's are used, and nothing is left.

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const INSTALL_WITHIN_MS = 120_000

export class Python {
  readonly #dir: string

  private constructor(dir: string) {
    this.#dir = dir
  }

  /** Where its packages are: for PYTHONPATH. */
  get packages(): string {
    return this.#dir
  }

  /** Python with these packages; or why there is none, as one line that says what can be done. */
  static async with(...packages: readonly string[]): Promise<Python | string> {
    const dir = await mkdtemp(join(tmpdir(), 'pidmesh-python-'))
    try {
      await run(
        'python3',
        ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', dir, ...packages],
        { timeout: INSTALL_WITHIN_MS },
      )
      return new Python(dir)
    } catch (error) {
      await rm(dir, { recursive: true, force: true })
      const why = error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? '') : String(error)
      return `no Python with ${packages.join(' and ')}: install python3 with pip (Debian: apt-get install python3-pip), and let it reach a package index (${why})`
    }
  }

  async remove(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true })
  }
}
