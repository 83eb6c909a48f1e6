/**
 * Reads the text of a scrape as strictly as Prometheus does.
 */
const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[a-z]+="[^"\\\n]*"(?:,[a-z]+="[^"\\\n]*")*\})?) (NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)$/

/** Each series with its value. Throws at a line that is none, a series that is there twice, and a sample without its type. */
export function seriesOf(text: string): ReadonlyMap<string, number> {
  const series = new Map<string, number>()
  const types = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue
    const [, name, type] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? []
    if (name !== undefined && type !== undefined) {
      if (types.has(name)) throw new Error(`twice: ${line}`)
      types.set(name, type)
      continue
    }
    const [, key, value] = SAMPLE.exec(line) ?? []
    if (key === undefined || series.has(key)) throw new Error(`no sample, or twice: ${line}`)
    const metric = key.replace(/\{.*/, '')
    if (!types.has(metric) && types.get(metric.replace(/_(bucket|sum|count)$/, '')) !== 'histogram')
      throw new Error(`without a type: ${line}`)
    series.set(key, Number(value))
  }
  return series
}
