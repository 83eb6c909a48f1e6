export { locationCapabilities, pubSubCapabilities } from './capabilities.ts'
export { FakeBroker, FakeServer, FakeStore } from './fakes.ts'
export {
  standstillRules,
  storeRules,
  type StandstillLab,
  type StandstillRule,
  type StoreLab,
  type StoreRule,
} from './store-rules.ts'
export { LoopbackLab } from './loopback.ts'
export { conformance, type ConformanceLab, type ConformanceMember, type ConformanceRule } from './rules.ts'
