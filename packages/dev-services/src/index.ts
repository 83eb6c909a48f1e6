export { MariadbService, mariadbMissing, startMariadb } from './mariadb.ts'
export { ServerProcess, ServiceMissing, freePort, isListening, makeFolder, type ServerStart } from './server-process.ts'
