export { MysqlLocations } from './mysql-locations.ts'
export type { MysqlOptions, MysqlPlace, MysqlTls, MysqlTuning } from './options.ts'
export { LocationVia, StoreError, type LocationViaOptions } from '@pidmesh/via-kit'
