/**
 * Property tests draw the same cases in every run. `PIDMESH_SEED=7 pnpm test` draws others; a failure prints what replays it.
 */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['PIDMESH_SEED'] ?? 1) })
