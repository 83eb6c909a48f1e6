export { MysqlLocations } from './mysql-locations.ts'
export type { MysqlOptions, MysqlTls } from './options.ts'
