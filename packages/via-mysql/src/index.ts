export { MysqlLocations } from './mysql-locations.ts'
export type { MysqlOptions, MysqlTls } from './options.ts'
export { LocationVia, StoreError, type LocationViaOptions } from '@pidmesh/via-kit'
