/**
 * A file of addresses in the file system. Its *folder* is watched: a file that is replaced by renaming is another file, and what Kubernetes replaces when a
 * ConfigMap changes is a link beside it. Watching only makes it quick: the file is looked at again in any case.
 */
import { watch } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { addressFile } from '../discovery/address-file.ts'
import { checkRefreshMs } from '../discovery/asked.ts'
import type { Discovery } from '../discovery/discovery.ts'
import { PidmeshError, shown } from '../errors.ts'
import { checkOptions } from '../process/checks.ts'

const MAX_FILE_BYTES = 1024 * 1024
const LOOK_AGAIN_MS = 5_000

export interface WatchedFileOptions {
  /** The file is looked at so often even if nothing is told of it. @default 5000 */
  readonly refreshMs?: number | undefined
}

/**
 * Finds nodes by a file: one `host:port` a line, `#` for comments. The file may come later, and may change at any time; while it is missing, or can't be read,
 * what it listed last stays. A line that is something else is logged, and the others count.
 * @example startNode({ …, discovery: watchedFile('/etc/pidmesh/nodes') })
 * @throws PidmeshError `ERR_BAD_OPTION`
 */
export function watchedFile(path: string, options: WatchedFileOptions = {}): Discovery {
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw new PidmeshError('ERR_BAD_OPTION', `the path of a file, not ${shown(path)}`)
  const { refreshMs = LOOK_AGAIN_MS } = checkOptions('watchedFile', options, ['refreshMs'])
  return addressFile(
    { path, read: () => read(path), watch: (wake) => watchFolder(dirname(path), wake) },
    checkRefreshMs(refreshMs),
  )
}

async function read(path: string): Promise<string> {
  // Opening a pipe would wait for a writer, on one of the few threads that there are for files.
  if (!(await stat(path)).isFile()) throw new Error(`${path} is not a file`)
  const file = await open(path)
  try {
    const buffer = Buffer.alloc(MAX_FILE_BYTES + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length)
      length += bytesRead
      if (length > MAX_FILE_BYTES) throw new Error(`${path} has more than ${MAX_FILE_BYTES} bytes`)
      if (bytesRead === 0) return buffer.toString('utf8', 0, length)
    }
  } finally {
    await file.close()
  }
}

function watchFolder(folder: string, wake: () => void): () => void {
  try {
    const watcher = watch(folder, { persistent: false }, wake)
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    // There is no such folder yet, or no more watches are to be had.
    return () => undefined
  }
}
