export { ServerProcess, ServiceMissing, freePort, isListening, makeFolder, type ServerStart } from './server-process.ts'
