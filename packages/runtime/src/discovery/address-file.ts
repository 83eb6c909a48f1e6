/**
 * A file that lists addresses: one `host:port` a line; `#` begins a comment.
 *
 * A text counts once it has been read twice the same, so that half of a file which is being written is not taken for the whole. A file that is missing is a
 * failure, not an empty list: it is missing for a moment whenever it is replaced in two steps.
 */
import { isAddress } from '../ids.ts'
import { shown } from '../errors.ts'
import { asked, type Answer, type Source } from './asked.ts'
import type { Discovery } from './discovery.ts'

/** Bad lines of one text that are logged. */
const MAX_SHOWN = 10

/** What a file is asked for. `system/watched-file.ts` is the real one. */
export interface AddressFile {
  readonly path: string
  /** Rejects if there is no such file, or it is too large, or none that can be read to its end. */
  read(): Promise<string>
  /** See `Source.watch`. */
  watch(wake: () => void): () => void
}

export interface AddressLines {
  readonly addresses: readonly string[]
  /** Lines that hold something else, by their numbers from 1 on. */
  readonly bad: ReadonlyArray<{ readonly line: number; readonly text: string }>
}

export function parseAddressLines(text: string): AddressLines {
  const addresses: string[] = []
  const bad: Array<{ line: number; text: string }> = []
  for (const [index, line] of text.split('\n').entries()) {
    // A mark of the byte order is a blank too.
    const address = line.replace(/#.*/s, '').trim()
    if (address === '') continue
    if (isAddress(address)) addresses.push(address)
    else bad.push({ line: index + 1, text: shown(address) })
  }
  return { addresses, bad }
}

/** Looks at the file again after `everyMs` even if nothing is told of it. */
export function addressFile(file: AddressFile, everyMs: number): Discovery {
  return asked(({ log }): Source => {
    let seen: string | undefined
    let counted: string | undefined
    let addresses: readonly string[] = []
    let complaint = ''

    const count = (text: string): void => {
      counted = text
      const lines = parseAddressLines(text)
      addresses = lines.addresses
      const shownLines = lines.bad.slice(0, MAX_SHOWN)
      const next = JSON.stringify(shownLines)
      if (shownLines.length > 0 && next !== complaint)
        log.warn({ file: file.path, lines: shownLines, count: lines.bad.length }, 'lines that are not host:port')
      complaint = next
    }

    return {
      what: { file: file.path },
      everyMs,
      watch: (wake) => file.watch(wake),
      ask: async (): Promise<Answer> => {
        const text = await file.read()
        const isSettled = text === seen
        seen = text
        if (!isSettled) return { type: 'unsettled' }
        if (text !== counted) count(text)
        return { type: 'addresses', addresses }
      },
    }
  })
}
