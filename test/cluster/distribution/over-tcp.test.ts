import { describeDistribution } from './suite.ts'

describeDistribution('tcp')
