/**
 * As global-ets.ts, with nodes that speak TCP with each other.
 */
process.env['BENCH_TRANSPORT'] = 'tcp'
await import('./global-ets.ts')
