import { describeHistories } from './suite.ts'

describeHistories('even')
