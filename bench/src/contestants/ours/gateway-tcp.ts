/**
 * As gateway.ts, with nodes that speak TCP with each other.
 */
process.env['BENCH_TRANSPORT'] = 'tcp'
await import('./gateway.ts')
