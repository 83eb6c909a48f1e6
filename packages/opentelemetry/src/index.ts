export { openTelemetry } from './propagation.ts'
export { instrument, type InstrumentOptions } from './instrument.ts'
