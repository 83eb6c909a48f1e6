import { describeDistribution } from './suite.ts'

describeDistribution('grpc')
