// A command line that can't be obeyed, as one line for a human.

export class OptionError extends Error {}

/** `value` as a whole number of `min`..`max`. */
export function toInteger(option: string, value: string, { min, max }: { min: number; max: number }): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
  if (number >= min && number <= max) return number
  throw new OptionError(`--${option} takes a whole number from ${min} to ${max}, not ${JSON.stringify(value)}`)
}

/** What `parseArgs` has to say, without its advice about quoting. */
export function toOptionError(error: unknown): OptionError {
  if (error instanceof OptionError) return error
  const message = error instanceof Error ? error.message : String(error)
  // `--nodes`, and `--nodes -1`, which might have been meant as two options.
  const withoutValue = /^Option '(?:-\w, )?(--[\w-]+)[^']*' argument (?:missing|is ambiguous)/.exec(message)?.[1]
  if (withoutValue !== undefined) return new OptionError(`${withoutValue} needs a value`)
  const sentence = /^[^\n]*?(?=\.(\s|$)|\n|$)/.exec(message)?.[0] ?? message
  return new OptionError(sentence.charAt(0).toLowerCase() + sentence.slice(1))
}
