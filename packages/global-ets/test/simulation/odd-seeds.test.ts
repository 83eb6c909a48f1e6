import { describeHistories } from './suite.ts'

describeHistories('odd')
